"""A running sandbox, a client of it and its log."""

from collections.abc import Iterator

import pytest

from cutmeshort import CMSClient
from cutmeshort.sandbox import Sandbox
from cutmeshort.sandbox.http.logs import LOGGER


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    """A sandbox that all tests of a module share."""
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    """A running sandbox without any events or faults."""
    running.reset()
    return running


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[CMSClient]:
    """A client of the running sandbox."""
    with CMSClient(sandbox.token, sandbox.url) as client:
        yield client


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """The captured log, which includes the sandbox's own log."""
    LOGGER.addHandler(caplog.handler)
    yield caplog
    LOGGER.removeHandler(caplog.handler)
