"""The connection to the file: files that change, locks, and signals in the middle of a call."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Callable

import pytest

from cutmeshort.outbox import Outbox
from cutmeshort.outbox.database import Database
from cutmeshort.outbox.schema import prepare
from cutmeshort.outbox.storage import Storage

from ..support.paths import ROOT
from ..support.platforms import not_on_windows
from ..support.timing import LONG, SLACK, timed
from .events import deliver_all, is_intact, open_storage, put, queued, take


class JobTimeoutError(Exception):
    """An exception of the application."""


@pytest.fixture
def base(path: Path) -> Iterator[Database]:
    """The connection to an empty file."""
    base = Database(str(path), 2**30)
    yield base
    base.close()


def set_value(connection: sqlite3.Connection, value: int) -> None:
    """Write to the file."""
    connection.execute("INSERT OR REPLACE INTO delivery VALUES ('test', ?)", [value])


def get_value(base: Database) -> Any:
    """Return what `set_value` has written."""
    query = "SELECT value FROM delivery WHERE name = 'test'"
    return base.read(lambda connection: connection.execute(query).fetchone(), LONG)


def interrupted(call: Callable[[], object], handle: Callable[[], object]) -> None:
    """Make a call, in the middle of which `signal.raise_signal(SIGTERM)` runs a handler."""
    previous = signal.signal(signal.SIGTERM, lambda *_: handle() and None)
    try:
        call()
    finally:
        signal.signal(signal.SIGTERM, previous)


@not_on_windows("has no modes of files")
def test_a_new_file_is_private(storage: Storage, path: Path) -> None:
    """The file and its journal can be read only by their owner."""
    put(storage, queued(1))
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    assert modes == {"cms.db": 0o600, "cms.db-journal": 0o600}


@not_on_windows("has no modes of files")
def test_the_mode_of_an_existing_file_is_kept(storage: Storage, path: Path) -> None:
    """The mode of an existing file is kept."""
    path.touch()
    path.chmod(0o660)
    put(storage, queued(1))
    assert stat.S_IMODE(path.stat().st_mode) == 0o660


@not_on_windows("links need a permission")
def test_a_symbolic_link_leads_to_one_file(
    storage: Storage, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link, or a relative path, leads to the same file, even if the process changes directory."""
    link = path.parent / "link.db"
    link.symlink_to(path)
    monkeypatch.chdir(path.parent)
    others = [open_storage(link), open_storage(Path("cms.db"))]
    monkeypatch.chdir("/")
    for number, each in enumerate(others):
        put(each, queued(number))
        each.close()
    assert {each.path for each in others} == {storage.path}
    assert deliver_all(storage) == ["Event 0", "Event 1"]


def test_a_file_that_was_moved_is_not_used(storage: Storage, path: Path) -> None:
    """After the file was moved, events go to a new one, and then to one that replaces that."""
    put(storage, queued(1))
    moved = path.with_suffix(".old")
    path.rename(moved)
    assert put(storage, queued(1), queued(2)) == [False, False]
    moved.replace(path)
    assert put(storage, queued(1), queued(3)) == [True, False]
    assert deliver_all(storage) == ["Event 1", "Event 3"]


@pytest.mark.parametrize("moment", ["before the first change", "before the end"])
@pytest.mark.parametrize("action", ["move", "delete", "replace"])
def test_a_file_that_is_moved_during_a_call(
    moment: str, action: str, base: Database, path: Path
) -> None:
    """If the file is moved, deleted or replaced during a call, the change is in the new file."""
    base.write(lambda connection: set_value(connection, 1), LONG)
    actions = [action]

    def move() -> None:
        if not actions:
            return
        actions.pop()
        moved = path.rename(path.with_suffix(".old"))
        if action == "delete":
            moved.unlink()
        elif action == "replace":
            path.touch()

    def work(connection: sqlite3.Connection) -> None:
        if moment == "before the first change":
            move()
        set_value(connection, 2)
        move()

    base.write(work, LONG)
    assert get_value(base) == (2,)
    assert is_intact(path)


def test_a_file_that_is_deleted_again_and_again(base: Database, path: Path) -> None:
    """A call gives up, and reports no change as stored that is only in a deleted file."""
    with pytest.raises(sqlite3.OperationalError, match="moved or deleted twice"):
        base.write(lambda _connection: path.unlink(), LONG)
    assert get_value(base) is None


@pytest.mark.parametrize("begin", ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])
def test_a_call_ends_while_another_process_locks_the_file(
    begin: str, storage: Storage, path: Path
) -> None:
    """A call ends within its timeout if the file stays locked, and works when it is free again."""
    put(storage, queued(1))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute(begin)

        def hand_over() -> None:
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                storage.put([queued(2)], 0.2)

        _, seconds = timed(hand_over)
        assert seconds < SLACK
        other.execute("ROLLBACK")
    assert put(storage, queued(2)) == [False]


def test_a_reader_does_not_delay_a_call_beyond_its_timeout(storage: Storage, path: Path) -> None:
    """A call that can't commit, because another process reads, is rolled back at its timeout."""
    put(storage, queued(1))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT * FROM events").fetchall()

        def hand_over() -> None:
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                storage.put([queued(2)], 0.2)

        _, seconds = timed(hand_over)
        assert seconds < SLACK
        other.execute("COMMIT")
    assert deliver_all(storage) == ["Event 1"]


def test_a_call_ends_while_another_thread_uses_the_file(base: Database, storage: Storage) -> None:
    """A call ends within its timeout while another thread uses the same outbox."""
    started, ended = threading.Event(), threading.Event()

    def work(_connection: sqlite3.Connection) -> None:
        started.set()
        ended.wait(LONG)

    thread = threading.Thread(target=base.write, args=(work, LONG))
    thread.start()
    started.wait(LONG)

    def use_both() -> None:
        for use in (lambda: base.read(work, 0.2), lambda: storage.put([queued(1)], 0.2)):
            with pytest.raises(sqlite3.OperationalError, match="is locked"):
                use()

    _, seconds = timed(use_both)
    assert seconds < SLACK
    ended.set()
    thread.join()
    assert put(storage, queued(1)) == [False]


def test_threads_share_a_storage(storage: Storage, path: Path) -> None:
    """The events of eight threads are all stored, in the order of each thread."""

    def hand_over(customer: int) -> None:
        for number in range(20):
            put(storage, queued(100 * customer + number, f"user_{customer}"))

    threads = [threading.Thread(target=hand_over, args=(customer,)) for customer in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = deliver_all(storage)
    for customer in range(8):
        expected = [f"Event {100 * customer + number}" for number in range(20)]
        assert [name for name in names if name in expected] == expected
    assert is_intact(path)


@pytest.mark.parametrize("error", [KeyboardInterrupt, JobTimeoutError, SystemExit])
def test_an_exception_of_a_signal_handler_is_raised(
    error: type[BaseException], base: Database, path: Path
) -> None:
    """The exception ends the call, which is rolled back; this and other processes can continue."""

    def work(connection: sqlite3.Connection) -> None:
        set_value(connection, 1)
        signal.raise_signal(signal.SIGTERM)

    def fail() -> None:
        raise error

    with pytest.raises(error):
        interrupted(lambda: base.write(work, LONG), fail)
    other = Database(str(path), 2**30)
    assert get_value(other) is None
    other.write(lambda connection: set_value(connection, 2), LONG)
    other.close()
    thread = threading.Thread(target=base.write, args=(lambda each: set_value(each, 3), LONG))
    thread.start()
    thread.join()
    assert get_value(base) == (3,)


INTERRUPTED = """
import signal, sys, threading
from pathlib import Path
from cutmeshort.outbox import Outbox
from tests.outbox.events import deliver_all, put, queued

class JobTimeoutError(Exception):
    pass

def fail(*_):
    raise JobTimeoutError

outbox = Outbox(sys.argv[1])
accepted, interruptions = [], 0
signal.signal(signal.SIGALRM, fail)
for number in range(300):
    payload = queued(number).payload()
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.00001 + number % 100 * 0.000003)
        result = outbox.track(payload)
        signal.setitimer(signal.ITIMER_REAL, 0)
    except JobTimeoutError:
        interruptions += 1
    else:
        if result["success"]:
            accepted.append(number)
assert interruptions > 0
thread = threading.Thread(target=put, args=(outbox.storage, queued(1000)))
thread.start()
thread.join()
delivered = deliver_all(outbox.storage)
assert {f"Event {number}" for number in [*accepted, 1000]} <= set(delivered)
assert len(delivered) == len(set(delivered))
"""


def test_an_exception_can_be_raised_at_any_point(path: Path) -> None:
    """Wherever a signal handler raises during a hand-over, the outbox works afterwards."""
    # Without the measurement of coverage, whose own lock a signal handler could leave locked.
    unmeasured = {"COVERAGE_PROCESS_CONFIG": "", "COVERAGE_PROCESS_START": ""}
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, str(path)],
        env={**os.environ, **unmeasured},
        cwd=ROOT,
        check=False,
        timeout=2 * LONG,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert is_intact(path)


@pytest.mark.parametrize("name", ["put", "close"])
def test_a_signal_handler_can_use_the_outbox_in_a_call(
    name: str, path: Path, base: Database
) -> None:
    """A handler that uses the outbox during a call does not wait for it; the next call works."""
    outbox = Outbox(path, timeout=LONG)
    base = outbox.storage._database
    inner: list[Any] = []

    def work(connection: sqlite3.Connection) -> None:
        set_value(connection, 1)
        signal.raise_signal(signal.SIGTERM)

    def use() -> None:
        inner.append(outbox.track(queued(1).payload()) if name == "put" else outbox.close())

    def call() -> None:
        try:
            base.write(work, LONG)
        except sqlite3.ProgrammingError:
            assert name == "close"

    _, seconds = timed(lambda: interrupted(call, use))
    assert seconds < SLACK
    if name == "put":
        assert inner[0]["type"] == "outbox_error"
        assert "signal handler" in inner[0]["error"]
    assert get_value(base) == ((1,) if name == "put" else None)
    assert outbox.track(queued(1).payload())["success"]
    outbox.close()


def test_a_rollback_that_fails_closes_the_connection(base: Database) -> None:
    """If a transaction can't be rolled back, the next call opens another connection."""

    def work(connection: sqlite3.Connection) -> None:
        set_value(connection, 1)
        connection.close()

    with pytest.raises(sqlite3.ProgrammingError):
        base.write(work, LONG)
    assert get_value(base) is None


def test_a_large_file_does_not_stop_the_delivery(path: Path) -> None:
    """At its largest size the file takes no events, but those in it are delivered and counted."""
    storage = open_storage(path, max_bytes=2**18)
    number = 0

    def fill() -> None:
        nonlocal number
        while True:
            put(storage, queued(number, size=number * 7 % 1500))
            number += 1

    with pytest.raises(sqlite3.OperationalError, match="full"):
        fill()
    assert path.stat().st_size <= 2**18
    assert number > 100
    first = take(storage)
    storage.note_attempt(first, LONG)
    storage.dead(first, "x" * 10_000, "y" * 10_000, LONG)
    storage.purge(None, LONG)
    assert deliver_all(storage) == [f"Event {each}" for each in range(1, number)]
    assert put(storage, queued(number)) == [False]
    assert storage.summary(LONG)["delivered"] == number - 1
    storage.close()


def test_two_processes_can_create_a_file(path: Path) -> None:
    """If another process creates the tables first, a process uses these."""

    def create_first(statement: str) -> None:
        if "temp_store" in statement:  # the last one before the tables
            Outbox(path).close()

    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.set_trace_callback(create_first)
        prepare(connection)
        connection.set_trace_callback(None)
        assert connection.execute("SELECT * FROM delivery").fetchall() == [("delivered", 0)]
