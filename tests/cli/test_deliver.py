"""`cutmeshort deliver`: starts, logs, takes over, and ends with a signal."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cutmeshort.outbox import Outbox

from ..outbox.fast import query, waiting
from ..support.events import TOKEN, sale
from ..support.platforms import not_on_windows
from ..support.server import OK, Connection, Server, never_respond
from ..support.timing import LONG, SLACK, timed
from .conftest import Run

pytestmark = not_on_windows("a signal ends a process on Windows instead of sending a signal")

STOPPING = "INFO: Delivery ends after the request in progress, if there is one"


class Worker:
    """
    A process that runs `cutmeshort deliver`.

    Args:
        process: The process.
    """

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def line(self) -> str:
        """Return the next line of its log."""
        assert self.process.stderr is not None
        return self.process.stderr.readline().rstrip("\n")

    def end(self) -> tuple[int, str]:
        """Wait until it ends; return its exit code and the rest of its log."""
        _, log = self.process.communicate(timeout=LONG)
        return self.process.returncode, log


@contextmanager
def worker(path: Path, host: str) -> Iterator[Worker]:
    """Start a worker, and kill it at the end of the block if it still runs."""
    command = [sys.executable, "-W", "error", "-m", "cutmeshort", "deliver"]
    with subprocess.Popen(
        [*command, str(path), "--per-minute", "0"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "CMS_BEARER_TOKEN": TOKEN, "CMS_HOST": host},
    ) as process:
        try:
            yield Worker(process)
        finally:
            process.kill()


def fill(path: Path, count: int) -> Outbox:
    """Return an outbox with some events of different customers."""
    outbox = Outbox(path)
    for number in range(count):
        assert sale(outbox, invoice_id=number, customer_external_id=number)["success"]
    return outbox


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)], ids=["SIGTERM", "SIGINT"]
)
def test_a_signal_ends_the_worker_after_the_call(tmp_path: Path, number: int, code: int) -> None:
    """At a signal, the worker finishes the request in progress, records it, and exits."""
    path = tmp_path / "cms.db"
    respond = threading.Event()

    def step(connection: Connection) -> bool:
        return respond.wait(LONG) and OK(connection)

    with fill(path, 3) as outbox, Server(step) as server, worker(path, server.url) as process:
        assert process.line() == f"INFO: Delivery of the events in {path} starts"
        assert server.wait_until(lambda: len(server.requests) == 1)
        process.process.send_signal(number)
        assert process.line() == STOPPING
        respond.set()
        assert process.end() == (code, "INFO: Delivery ends\n")
        assert len(server.requests) == 1
        assert waiting(outbox) == 2
        assert query(outbox, "SELECT sum(attempts) FROM events") == [(0,)]


def test_a_second_signal_ends_the_worker_at_once(tmp_path: Path) -> None:
    """At the second signal, the worker does not wait for the request in progress."""
    path = tmp_path / "cms.db"
    with fill(path, 1) as outbox, Server(never_respond) as server:
        with worker(path, server.url) as process:
            process.line()
            assert server.wait_until(lambda: len(server.requests) == 1)
            process.process.send_signal(signal.SIGTERM)
            assert process.line() == STOPPING
            process.process.send_signal(signal.SIGTERM)
            (code, _), seconds = timed(process.end)
        assert code == -signal.SIGTERM
        assert seconds < 2 + SLACK
        assert waiting(outbox) == 1


def test_another_worker_takes_over(tmp_path: Path) -> None:
    """A second worker waits, says so, and delivers within seconds after the first was killed."""
    path = tmp_path / "cms.db"
    with Server(OK) as server, worker(path, server.url) as first:
        assert first.line() == f"INFO: Delivery of the events in {path} starts"
        with worker(path, server.url) as second, fill(path, 1) as outbox:
            assert server.wait_until(lambda: len(server.requests) == 1)
            waits = "INFO: Delivery waits: another process delivers the events of this file"
            assert second.line() == waits
            first.process.kill()
            line, seconds = timed(second.line)
            assert line == f"INFO: Delivery of the events in {path} starts"
            assert seconds < 2 + SLACK
            sale(outbox, invoice_id="inv_2")
            assert server.wait_until(lambda: len(server.requests) >= 2)
            second.process.terminate()
            assert second.end()[0] == 0


def test_usage_errors(run: Run, tmp_path: Path) -> None:
    """Without a usable file or rate, the command exits with 2 and says why."""
    other = tmp_path / "other.db"
    other.write_text("some text " * 1000, encoding="utf-8")
    path = str(tmp_path / "cms.db")
    for arguments, message in (
        ([str(other)], "not an outbox"),
        ([str(tmp_path / "missing" / "cms.db")], "directory"),
        ([path, "--per-minute", "-1"], "per_minute must be"),
        ([path, "--per-minute", "fast"], "--per-minute"),
    ):
        done = run("deliver", *arguments)
        assert done.code == 2
        assert message in done.err


def test_without_a_token(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a token, the command exits with 2, and names the environment variable."""
    monkeypatch.delenv("CMS_BEARER_TOKEN")
    done = run("deliver", str(tmp_path / "cms.db"))
    assert (done.code, done.err) == (2, "cutmeshort deliver: CMS_BEARER_TOKEN is not set\n")
