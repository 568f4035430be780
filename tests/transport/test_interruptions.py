"""Exceptions that the application's signal handlers raise, and calls within calls."""

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ..support.addresses import dead_address
from ..support.events import client_of, lead, sale
from ..support.paths import ROOT
from ..support.server import Connection, Server, drop, raw, reply, silence

OK = reply(json={"message": "Done"})

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a timer's signal")


class JobTimeoutError(Exception):
    """An exception of the application's own."""


class JobNetworkError(OSError):
    """The same, of a class that urllib3 would take for the network's failure."""


@pytest.fixture
def alarm() -> Iterator[Any]:
    """Give a function that calls another one in so many seconds, by a signal."""
    previous = signal.getsignal(signal.SIGALRM)

    def set_alarm(seconds: float, call: Any) -> None:
        signal.signal(signal.SIGALRM, lambda *_: call())
        signal.setitimer(signal.ITIMER_REAL, seconds)

    yield set_alarm
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, previous)


def celerys_class() -> Any:
    """Return what Celery raises in a task when its soft time limit is over."""
    return pytest.importorskip("celery.exceptions").SoftTimeLimitExceeded


@pytest.mark.parametrize(
    "make", [lambda: JobTimeoutError, lambda: JobNetworkError, celerys_class], ids=str
)
@pytest.mark.parametrize("slow", [silence, raw([b"HTTP/1.1 200 OK\r\n"] * 99, every=0.05)])
def test_an_exception_of_a_signal_handler_passes_through(make: Any, slow: Any, alarm: Any) -> None:
    """The application's exception ends the call, its connection is closed, and the pool works."""
    raised = make()

    def interrupt() -> None:
        raise raised

    with Server(OK, slow, OK) as server, client_of(server) as client:
        assert lead(client)["success"] is True
        alarm(0.5, interrupt)
        with pytest.raises(raised):
            lead(client)
        assert server.wait_until_all_closed()
        assert lead(client)["success"] is True
        assert len(server.requests) == 3


def test_an_exception_passes_through_while_one_of_many_addresses_is_tried(
    alarm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not taken for the failure of the first address."""

    def interrupt() -> None:
        raise JobNetworkError

    with dead_address() as dead, Server(OK) as server:
        living = ("127.0.0.1", server.port)
        kind = (socket.AF_INET, socket.SOCK_STREAM, 0, "")
        monkeypatch.setattr(
            socket, "getaddrinfo", lambda *_, **__: [(*kind, dead), (*kind, living)]
        )
        with client_of(server) as client:
            alarm(0.5, interrupt)
            with pytest.raises(JobNetworkError):
                lead(client)
        assert server.connections == 0


def test_the_time_limit_of_a_job_of_rq_ends_the_call() -> None:
    """RQ's own timer and exception end a call within its job, and the next call works."""
    timeouts = pytest.importorskip("rq.timeouts")
    with Server(silence, OK) as server, client_of(server, timeout=60) as client:
        begin = time.monotonic()
        with (
            pytest.raises(timeouts.JobTimeoutException),
            timeouts.UnixSignalDeathPenalty(1, timeouts.JobTimeoutException),
        ):
            lead(client)
        assert time.monotonic() - begin < 3.5
        assert lead(client)["success"] is True


def test_an_exception_that_a_call_knows_is_its_own(alarm: Any) -> None:
    """A class of Python itself can't be told from a failure of the call, and is returned as one."""

    def interrupt() -> None:
        raise ValueError("secret")

    with Server(silence) as server, client_of(server) as client:
        alarm(0.5, interrupt)
        result = lead(client)
    assert (result["type"], result["retryable"]) == ("internal_error", True)
    assert "secret" not in result["error"]


AT_EACH_STEP = """
import sys
from collections import Counter

from cutmeshort import CMSClient
from tests.support.server import Server, reply


class JobTimeout(Exception):
    pass


def interrupt(client, step):
    '''Raise an exception in a step of a call: a line, or the begin or end of a function.'''
    steps = 0

    def trace(*_):
        nonlocal steps
        steps += 1
        if steps == step:
            sys.settrace(None)
            raise JobTimeout
        return trace

    sys.settrace(trace)
    try:
        result = client.track_lead("Sign up", "user", "click")
    except JobTimeout:
        return "raised"
    finally:
        sys.settrace(None)
    if steps < step:
        return "over"
    return result.get("type", "success")


with Server(reply()) as server:
    client = CMSClient("token", server.url, max_retries=0)
    outcomes = Counter()
    step = 0
    while "over" not in outcomes:
        step += 1
        server.requests.clear()
        outcome = interrupt(client, step)
        outcomes[outcome] += 1
        assert outcome != "internal_error" or not server.requests
        assert client.track_lead("Sign up", "user", "click", timeout=5)["success"], outcome
        if MAKE_NEW:
            client.close()
            client = CMSClient("token", server.url, max_retries=0)
    client.close()
assert set(outcomes) <= {"raised", "success", "internal_error", "over"}
assert outcomes["raised"] > step / 2
print(dict(outcomes))
"""


IN_A_RECURSION = """
import sys, traceback

from cutmeshort import CMSClient
from tests.support.server import Server, reply


def deep(levels, call):
    return deep(levels - 1, call) if levels else call()


outcomes = set()
with Server(reply()) as server, CMSClient("token", server.url, max_retries=0) as client:
    track = lambda: client.track_lead("Sign up", "user", "click")
    track()
    used = len(traceback.extract_stack())
    for left in range(10, 120):
        server.requests.clear()
        try:
            result = deep(sys.getrecursionlimit() - used - left, track)
        except RecursionError:  # there was no room for the call itself
            assert not server.requests
            continue
        sent = bool(server.requests)
        assert result["success"] or result["retryable"] or not sent
        outcomes.add((sent, result["success"]))
assert outcomes >= {(False, False), (True, True)}
"""


def _run(program: str) -> None:
    # Where a socket has no owner yet, it is closed with a warning.
    command = [sys.executable, "-W", "ignore::ResourceWarning", "-c", program]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("make_new", [True, False], ids=["new connection", "kept connection"])
def test_a_call_may_be_interrupted_at_each_step(make_new: bool) -> None:
    """Wherever an exception comes, the next call works: no lock is left locked."""
    _run(AT_EACH_STEP.replace("MAKE_NEW", str(make_new)))


def test_a_call_deep_in_a_recursion_tells_the_truth() -> None:
    """What was sent is a success or retryable, however little of the stack is left."""
    _run(IN_A_RECURSION)


def test_a_call_in_a_signal_handler_leaves_the_outer_one_alone(alarm: Any) -> None:
    """The outer call keeps its deadline, though another one was made while it waited."""
    results: list[Any] = []
    drip = raw([b"HTTP/1.1 200 OK\r\n"] + [b"X: y\r\n"] * 90, every=0.1)
    with (
        Server(drip) as slow,
        Server(OK) as fast,
        client_of(fast) as inner,
        client_of(slow, timeout=0.6) as outer,
    ):
        alarm(0.2, lambda: results.append(lead(inner)))
        begin = time.monotonic()
        results.append(lead(outer))
        seconds = time.monotonic() - begin
    assert [result.get("type", "success") for result in results] == ["success", "timeout"]
    assert 0.5 < seconds < 2.6


@pytest.mark.usefixtures("no_wait")
def test_a_call_in_a_signal_handler_does_not_change_what_is_known_of_the_outer_one(
    alarm: Any,
) -> None:
    """A sale that an attempt without response may have recorded is a success, not a conflict."""
    interrupted = threading.Event()

    def drop_later(connection: Connection) -> bool:
        interrupted.wait(5)
        return drop(connection)

    with (
        Server(drop_later, reply(409)) as server,
        Server(reply(422)) as other,
        client_of(server) as outer,
        client_of(other) as inner,
    ):
        alarm(0.2, lambda: (lead(inner), interrupted.set()))
        assert sale(outer)["success"] is True
    assert (len(server.requests), len(other.requests)) == (2, 1)


def test_calls_in_threads_do_not_share_an_attempt() -> None:
    """Each thread's call has its own deadline, on one client."""
    asked = threading.Event()

    def slowly(connection: Connection) -> bool:
        asked.set()
        connection.stopping.wait(0.4)
        return OK(connection)

    with Server(slowly, silence) as server, client_of(server) as client:
        results: list[Any] = []
        thread = threading.Thread(target=lambda: results.append(lead(client, timeout=10)))
        thread.start()
        assert asked.wait(5)
        assert lead(client, timeout=0.2)["type"] == "timeout"
        thread.join()
    assert results[0]["success"] is True
