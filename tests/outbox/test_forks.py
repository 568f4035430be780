"""Forks while an outbox is in use: neither process harms the other's events."""

import os
import threading
from pathlib import Path

import pytest

from cutmeshort.outbox import database
from cutmeshort.outbox.storage import Storage

from ..support.forking import forks
from ..support.timing import LONG, SLACK, timed, wait_until
from .events import deliver_all, is_intact, name_of, open_storage, put, queued, take

ROUNDS = 8


def in_child(storage: Storage, number: int) -> int:
    """Fork a child that hands an event over, and return its process id."""
    child = os.fork()
    if child == 0:
        try:
            put(storage, queued(number))
        except BaseException:  # noqa: BLE001 - the child must not run the rest of the tests
            os._exit(1)
        os._exit(0)
    return child


def succeeded(*children: int) -> bool:
    """Wait for children, and return whether each has handed its event over."""
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    return not any(codes)


@forks
def test_a_process_can_fork_while_its_threads_hand_events_over(
    storage: Storage, path: Path
) -> None:
    """No event of a thread or of a forked child is lost, and the file stays intact."""
    stop = threading.Event()
    accepted: list[int] = []

    def hand_over(first: int) -> None:
        for number in range(first, first + 100_000):
            if stop.is_set():
                return
            put(storage, queued(number))
            accepted.append(number)

    threads = [threading.Thread(target=hand_over, args=(n * 10**6,)) for n in (1, 2)]
    for thread in threads:
        thread.start()
    try:
        children = [in_child(storage, number) for number in range(ROUNDS)]
        assert succeeded(*children)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    names = {f"Event {number}" for number in [*accepted, *range(ROUNDS)]}
    assert names == set(deliver_all(storage))
    assert is_intact(path)


@forks
def test_a_process_can_fork_while_it_delivers(storage: Storage, path: Path) -> None:
    """A child that is forked during a delivery hands its event over, and the delivery succeeds."""
    put(storage, *(queued(number) for number in range(ROUNDS)))
    delivered = []
    children = []
    for number in range(ROUNDS):
        stored = take(storage)
        storage.note_attempt(stored, LONG)
        children.append(in_child(storage, 100 + number))
        storage.delivered(stored, LONG)
        delivered.append(name_of(stored.event))
    assert succeeded(*children)
    expected = {f"Event {number}" for number in [*range(ROUNDS), *range(100, 100 + ROUNDS)]}
    assert {*delivered, *deliver_all(storage)} == expected
    assert is_intact(path)


@forks
def test_a_fork_in_a_signal_handler_fails_the_call(path: Path) -> None:
    """If a signal handler forks during a call, both processes roll it back, and can continue."""
    base = database.Database(str(path), 2**30)
    children = []

    def work(connection: database.sqlite3.Connection) -> None:
        connection.execute("INSERT INTO delivery VALUES ('half', 1)")
        children.append(os.fork())  # as a handler does that runs here

    for expected in ("closed", ""):
        problem = ""
        try:
            base.write(work if expected else lambda _: None, LONG)
        except database.sqlite3.Error as error:
            problem = str(error)
        if children == [0]:
            os._exit(0 if expected in problem and _count(base) == 1 else 1)
        assert expected in problem
    assert succeeded(children[0])
    assert _count(base) == 1
    base.close()


def _count(base: database.Database) -> int:
    """Return the number of values about the delivery."""
    count = "SELECT count(*) FROM delivery"
    return int(base.read(lambda connection: connection.execute(count).fetchone()[0], LONG))


@forks
def test_a_fork_does_not_hang(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a call of another thread takes long, the fork succeeds, and no call of the child hangs."""
    monkeypatch.setattr(database, "_FORK_WAIT", 0.1)
    put(storage, queued(1))
    started, ended = threading.Event(), threading.Event()

    def work(_connection: object) -> None:
        started.set()
        ended.wait(LONG)

    base = storage._database
    thread = threading.Thread(target=base.read, args=(work, LONG))
    thread.start()
    started.wait(LONG)
    child, seconds = timed(lambda: in_child(storage, 2))
    assert succeeded(child)
    assert seconds < SLACK
    ended.set()
    thread.join()
    assert deliver_all(storage) == ["Event 1", "Event 2"]


@forks
def test_a_child_does_not_keep_its_parents_file_open(storage: Storage) -> None:
    """A forked child has no descriptor of the outbox file until it uses it."""
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("needs /proc")
    put(storage, queued(1))
    child = os.fork()
    if child == 0:
        links = list(Path("/proc/self/fd").iterdir())
        found = {os.path.realpath(link) for link in links}
        os._exit(int(storage.path in found))
    assert succeeded(child)


def test_a_thread_that_stops_leaves_the_outbox_usable(path: Path) -> None:
    """Storages that are no longer used are not kept alive for a later fork."""
    before = len(database._all_databases())
    storage = open_storage(path)
    put(storage, queued(1))
    del storage
    wait_until(lambda: len(database._all_databases()) <= before)
