"""An outbox file in a directory of its own."""

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cutmeshort.outbox import Outbox
from cutmeshort.outbox.storage import Storage

from .events import open_storage


@pytest.fixture
def path() -> Iterator[Path]:
    """The path of a file that does not exist, in memory if the system has such a directory."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder) / "cms.db"


@pytest.fixture
def storage(path: Path) -> Iterator[Storage]:
    """A storage with an empty file."""
    storage = open_storage(path)
    yield storage
    storage.close()


@pytest.fixture
def outbox(path: Path) -> Iterator[Outbox]:
    """An outbox with an empty file."""
    with Outbox(path, timeout=30) as outbox:
        yield outbox


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """The SDK's log at DEBUG."""
    with caplog.at_level(logging.DEBUG, "cutmeshort"):
        yield caplog
