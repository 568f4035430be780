"""`Outbox.delivering` delivers in a thread of the process, and ends cleanly."""

import logging
import os
import threading
from pathlib import Path

import pytest

from cutmeshort import ApiValueError
from cutmeshort.outbox import Outbox
from cutmeshort.outbox.delivery import _wait_for
from cutmeshort.outbox.lock import DeliveryLock, is_locked

from ..support.events import TOKEN, client_of, sale
from ..support.forking import forked_child, forks
from ..support.logs import handler, lines
from ..support.platforms import not_on_windows
from ..support.processes import run_program
from ..support.server import OK, Server, respond
from ..support.timing import LONG, SLACK, Clock, timed, wait_until
from .fast import FastStop, waiting


class Awaited(logging.Handler):
    """
    A log handler that waits for a message.

    Args:
        start: The start of the message.
    """

    def __init__(self, start: str) -> None:
        super().__init__()
        self._start = start
        self.logged = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        """Note the message."""
        if record.getMessage().startswith(self._start):
            self.logged.set()


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The environment, with a token."""
    monkeypatch.setenv("CMS_BEARER_TOKEN", TOKEN)
    return monkeypatch


def test_a_thread_delivers_during_the_block(
    outbox: Outbox, path: Path, environment: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Events are delivered until the end of the block, with the settings of the environment."""
    caplog.set_level(logging.INFO)
    sale(outbox, invoice_id="inv_1")
    threads = threading.active_count()
    with Server(OK) as server:
        environment.setenv("CMS_HOST", server.url)
        with outbox.delivering(per_minute=0):
            assert server.wait_until(lambda: len(server.requests) == 1)
            sale(outbox, invoice_id="inv_2")
            assert server.wait_until(lambda: len(server.requests) == 2)
            assert is_locked(str(path))
        assert threading.active_count() <= threads + 2  # those of the server
        assert server.wait_until_all_closed()
        assert not is_locked(str(path))
        assert waiting(outbox) == 0
    assert lines(caplog, logging.INFO) == [
        f"Delivery of the events in {path} starts",
        "Delivery ends",
    ]


def test_a_given_client_stays_open(outbox: Outbox) -> None:
    """A client that is passed sends the events, and can be used afterwards."""
    sale(outbox)
    with Server(OK) as server, client_of(server) as client:
        with outbox.delivering(client, per_minute=0):
            assert server.wait_until(lambda: len(server.requests) == 1)
        assert sale(client)["success"]


def test_a_failed_attempt_is_not_a_warning(
    outbox: Outbox, environment: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A client of the environment logs a transient error below WARNING, as no event is lost."""
    caplog.set_level(logging.DEBUG)
    sale(outbox)
    with Server(respond(503)) as server:
        environment.setenv("CMS_HOST", server.url)
        with outbox.delivering(per_minute=0):
            assert server.wait_until(lambda: len(server.requests) == 1)
    assert [each for each in lines(caplog) if "service_unavailable" in each]
    assert lines(caplog, logging.WARNING) == []


def test_without_a_token_the_block_does_not_start(outbox: Outbox, path: Path) -> None:
    """Without a token, `with` raises an error, and no thread runs."""
    with pytest.raises(ApiValueError, match="CMS_BEARER_TOKEN"), outbox.delivering():
        pass
    assert not is_locked(str(path))


def test_a_second_thread_waits_for_the_first(
    outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    """While one thread delivers, another one waits, and takes over when the first one ends."""
    caplog.set_level(logging.INFO)
    with Server(OK) as server, client_of(server) as client:
        first = outbox.delivering(client, per_minute=0)
        with first:
            sale(outbox, invoice_id="inv_1")
            assert server.wait_until(lambda: len(server.requests) == 1)
            second = outbox.delivering(client, per_minute=0)
            waits = Awaited("Delivery waits")
            with handler(waits):
                second.__enter__()
                assert waits.logged.wait(LONG)
        sale(outbox, invoice_id="inv_2")
        assert server.wait_until(lambda: len(server.requests) == 2)
        second.__exit__()
    text = "Delivery waits: another process delivers the events of this file"
    assert lines(caplog, logging.INFO).count(text) == 1


def test_a_thread_that_waits_for_the_lock_ends(
    outbox: Outbox, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A thread that never acquires the lock sends nothing, and ends with the block."""
    caplog.set_level(logging.INFO)
    lock = DeliveryLock(str(path))
    assert lock.acquire()
    waits = Awaited("Delivery waits")
    with Server() as server, client_of(server) as client, handler(waits):
        sale(outbox, invoice_id="inv_1")
        with outbox.delivering(client):
            assert waits.logged.wait(LONG)
        assert not server.requests
    lock.release()


def test_a_lock_that_can_not_be_acquired_is_logged(
    path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """If the lock file can't be opened, the log has one error, and the thread tries again."""
    blocked = Path(f"{path}.lock")
    blocked.mkdir()
    lock = DeliveryLock(str(path))
    assert not _wait_for(lock, FastStop(clock, lambda: clock.monotonic() >= 3))
    (error,) = lines(caplog, logging.ERROR)
    assert error.startswith("Delivery waits: the lock can't be acquired: ")
    blocked.rmdir()
    assert _wait_for(lock, FastStop(clock, lambda: True))
    lock.release()


@not_on_windows("a file in use can't be removed")
def test_the_lock_is_acquired_again_if_its_file_is_removed(outbox: Outbox, path: Path) -> None:
    """If all files of the outbox are removed, the deliverer locks and delivers the new one."""
    with Server(OK) as server, client_of(server) as client, outbox.delivering(client, per_minute=0):
        sale(outbox, invoice_id="inv_1")
        assert server.wait_until(lambda: len(server.requests) == 1)
        for file in path.parent.iterdir():
            file.unlink()
        wait_until(lambda: is_locked(str(path)))
        sale(outbox, invoice_id="inv_2")
        assert server.wait_until(lambda: len(server.requests) == 2)
        assert outbox.status()["is_delivering"]


@forks
def test_a_fork_while_delivering(outbox: Outbox, path: Path) -> None:
    """A forked child has no deliverer, and leaves that of its parent alone."""
    with Server(OK) as server, client_of(server) as client:
        thread = outbox.delivering(client, per_minute=0)
        with thread:
            sale(outbox, invoice_id="inv_1")
            assert server.wait_until(lambda: len(server.requests) == 1)
            child = os.fork()
            if child == 0:
                thread.__exit__()
                queued = sale(outbox, invoice_id="inv_2")["success"]
                os._exit(0 if queued and is_locked(str(path)) else 1)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
            assert server.wait_until(lambda: len(server.requests) == 2)
            with forked_child():
                _, seconds = timed(thread.__exit__)
                assert seconds < SLACK
                lock = DeliveryLock(str(path))
                assert lock.acquire()
                lock.release()


def test_the_process_can_exit_within_the_block(path: Path) -> None:
    """A process that never leaves the block exits without delay and without an error."""
    program = (
        "from cutmeshort.outbox import Outbox\n"
        f"delivery = Outbox({str(path)!r}).delivering()\n"
        "delivery.__enter__()\n"
        "print('done')\n"
    )
    output, seconds = timed(lambda: run_program(program, CMS_BEARER_TOKEN=TOKEN))
    assert output == "done\n"
    assert seconds < 2 + SLACK
