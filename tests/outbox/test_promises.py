"""What an outbox promises, and no other test would notice if it changed."""

import inspect
from pathlib import Path
from typing import Any

import pytest

from cutmeshort.integrations.celery import CeleryTracker
from cutmeshort.outbox import Outbox
from cutmeshort.outbox.delivery import PER_MINUTE
from cutmeshort.outbox.storage import Storage

from ..support.events import TOKEN
from ..support.processes import run_client
from ..support.server import OK, Server
from ..support.timing import LONG

PROGRAM = """
import atexit, os, threading, traceback
callers = []
register = atexit.register
def note(*arguments, **options):
    callers.append("".join(traceback.format_stack()))
    return register(*arguments, **options)
atexit.register = note
from cutmeshort.outbox import Outbox
outbox = Outbox(os.environ["OUTBOX"], max_bytes=65536)
types = set()
for number in range(300):
    result = outbox.track_sale("Purchase", "u", number, 1, "USD", customer_name="x" * 200)
    types.add(result.get("type"))
print(types == {None, "outbox_full"}, threading.active_count())
print(any("cutmeshort" in caller for caller in callers))
"""


def test_a_full_outbox_sends_nothing(path: Path) -> None:
    """An outbox starts no thread, registers nothing with `atexit`, and never sends an event."""
    with Server(OK) as server:
        settings = {"CMS_HOST": server.url, "CMS_BEARER_TOKEN": TOKEN, "OUTBOX": str(path)}
        assert run_client(PROGRAM, server, **settings).split() == ["True", "1", "False"]
        assert server.requests == []


@pytest.mark.parametrize(
    ("function", "argument", "default"),
    [
        (Outbox, "timeout", 1.0),
        (Outbox, "max_bytes", 2**30),
        (CeleryTracker, "timeout", 1.0),
        (CeleryTracker, "per_minute", 50),
        (Outbox.delivering, "per_minute", PER_MINUTE),
    ],
)
def test_the_defaults(function: Any, argument: str, default: Any) -> None:
    """The limits of an outbox have the documented values."""
    assert inspect.signature(function).parameters[argument].default == default
    assert PER_MINUTE == 50


def test_a_commit_syncs(storage: Storage) -> None:
    """SQLite syncs the file before a call returns."""
    pragma = "PRAGMA synchronous"
    read: Any = lambda connection: connection.execute(pragma).fetchone()  # noqa: E731
    assert storage._database.read(read, LONG) == (2,)  # FULL
