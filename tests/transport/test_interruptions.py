"""Signal handlers of the application that raise exceptions, or make calls, during a call."""

import itertools
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, Callable

import pytest

from cutmeshort import Configuration
from cutmeshort.operations import OPERATIONS, TRACK_LEAD, Operation

from ..support.addresses import needs_unresponsive_address, unresponsive_address
from ..support.events import client_of, lead, sale
from ..support.operations import each_operation, minimal, track
from ..support.paths import ROOT
from ..support.server import OK, Connection, Server, Step, drop, never_respond, raw, respond
from ..support.timing import LONG, SLACK, Clock

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs signal.setitimer")


class JobTimeoutError(Exception):
    """An exception of the application."""


class JobNetworkError(OSError):
    """An exception of the application that urllib3 would translate to a network error."""


@pytest.fixture
def on_alarm() -> Iterator[Callable[[Callable[[], object]], None]]:
    """Return a function that sets what the application does when SIGALRM arrives."""
    previous = signal.getsignal(signal.SIGALRM)
    yield lambda handle: signal.signal(signal.SIGALRM, lambda *_: handle()) and None
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, previous)


def send_alarm() -> None:
    """Send SIGALRM to the main thread, which makes the call."""
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)


def alarm_then(step: Step) -> Step:
    """Send SIGALRM while the client waits for the response, then run a step."""

    def alarmed(connection: Connection) -> bool:
        connection.stopping.wait(0.05)
        send_alarm()
        return step(connection)

    return alarmed


def head_with_alarm() -> Iterator[bytes]:
    """Yield an endless head, and send SIGALRM when the client has received a part of it."""
    yield b"HTTP/1.1 200 OK\r\n"
    send_alarm()
    yield from itertools.repeat(b"X: y\r\n")


def raiser_of(error: type[BaseException]) -> Callable[[], None]:
    """Return a function that raises an exception of this class."""

    def handle() -> None:
        raise error("secret")

    return handle


def celery_exception() -> Any:
    """Return the exception that Celery raises in a task at its soft time limit."""
    return pytest.importorskip("celery.exceptions").SoftTimeLimitExceeded


@each_operation
@pytest.mark.parametrize(
    "error",
    [lambda: JobTimeoutError, lambda: JobNetworkError, celery_exception],
    ids=["JobTimeoutError", "JobNetworkError", "SoftTimeLimitExceeded"],
)
@pytest.mark.parametrize("slow", [alarm_then(never_respond), raw(head_with_alarm, every=0.05)])
def test_an_exception_of_a_signal_handler_is_raised(
    operation: Operation, error: Any, slow: Step, on_alarm: Any
) -> None:
    """A call raises a signal handler's exception and closes its connection; the next call works."""
    raised = error()
    on_alarm(raiser_of(raised))
    with Server(OK, slow, OK) as server, client_of(server, timeout=60) as client:
        assert track(client, operation)["success"] is True
        with pytest.raises(raised):
            track(client, operation)
        assert server.wait_until_all_closed()
        assert track(client, operation)["success"] is True
        assert len(server.requests) == 3


@needs_unresponsive_address
def test_an_exception_of_a_signal_handler_is_raised_while_connecting(
    on_alarm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call raises a signal handler's exception instead of trying the host's next address."""
    on_alarm(raiser_of(JobNetworkError))
    with unresponsive_address() as unresponsive, Server(OK) as server:
        responsive = ("127.0.0.1", server.port)
        family = (socket.AF_INET, socket.SOCK_STREAM, 0, "")
        addresses = [(*family, unresponsive), (*family, responsive)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: addresses)
        configuration = Configuration(request_timeout=60, timeout=60)
        client = client_of(server, configuration=configuration)

        def track_with_timer() -> None:
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            lead(client)

        with client, pytest.raises(JobNetworkError):
            track_with_timer()
        assert server.connections == 0


def test_the_time_limit_of_an_rq_job_ends_the_call() -> None:
    """RQ's own timer and exception end a call, and the next call works."""
    timeouts = pytest.importorskip("rq.timeouts")
    configuration = Configuration(timeout=60, request_timeout=60)
    with (
        Server(never_respond, OK) as server,
        client_of(server, configuration=configuration) as client,
    ):
        started = time.monotonic()
        with (
            pytest.raises(timeouts.JobTimeoutException),
            timeouts.UnixSignalDeathPenalty(1, timeouts.JobTimeoutException),
        ):
            lead(client)
        assert time.monotonic() - started < 1 + SLACK
        assert lead(client)["success"] is True


@each_operation
def test_a_built_in_exception_of_a_signal_handler_is_returned(
    operation: Operation, on_alarm: Any
) -> None:
    """The client returns a handler's built-in exception, as it could be a failure of the call."""
    on_alarm(raiser_of(ValueError))
    with Server(alarm_then(never_respond)) as server, client_of(server, timeout=60) as client:
        result = track(client, operation)
    assert (result["type"], result["retryable"]) == ("internal_error", True)
    assert "secret" not in result["error"]


def test_an_interrupted_call_leaves_no_connection_open(on_alarm: Any) -> None:
    """A call raises KeyboardInterrupt and closes its connection, even if the traceback is kept."""
    on_alarm(raiser_of(KeyboardInterrupt))
    step = raw(head_with_alarm, every=0.05)
    with Server(step) as server, client_of(server, timeout=60) as client:
        with pytest.raises(KeyboardInterrupt) as caught:
            lead(client)
        assert server.wait_until_all_closed()
        assert caught.value is not None


AT_EACH_STEP = """
import sys
from collections import Counter

from cutmeshort import CMSClient
from tests.support.server import Server, respond


class JobTimeout(Exception):
    pass


def interrupt(client, step):
    '''Raise an exception at a step of a call: a line, or the start or end of a function.'''
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
        result = client.OPERATION(**ARGUMENTS)
    except JobTimeout:
        return "raised"
    finally:
        sys.settrace(None)
    if steps < step:
        return "over"
    return result.get("type", "success")


with Server(respond()) as server:
    client = CMSClient("token", server.url, max_retries=0)
    outcomes = Counter()
    step = 0
    while "over" not in outcomes:
        step += 1
        server.requests.clear()
        outcome = interrupt(client, step)
        outcomes[outcome] += 1
        assert outcome != "internal_error" or not server.requests
        assert client.OPERATION(**ARGUMENTS, timeout=30)["success"], outcome
        if NEW_CLIENT:
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
from tests.support.server import Server, respond


def deep(levels, call):
    return deep(levels - 1, call) if levels else call()


outcomes = set()
with Server(respond()) as server, CMSClient("token", server.url, max_retries=0) as client:
    track = lambda: client.OPERATION(**ARGUMENTS)
    track()
    used = len(traceback.extract_stack())
    for left in range(10, 120):
        server.requests.clear()
        try:
            result = deep(sys.getrecursionlimit() - used - left, track)
        except RecursionError:  # the stack had no space for the call itself
            assert not server.requests
            continue
        sent = bool(server.requests)
        assert result["success"] or result["retryable"] or not sent
        outcomes.add((sent, result["success"]))
assert outcomes >= {(False, False), (True, True)}
"""


def run_calls(program: str, operation: Operation) -> None:
    """Run a program that calls an operation, in a new process."""
    program = program.replace("OPERATION", operation.name)
    program = program.replace("ARGUMENTS", repr(minimal(operation)))
    # An exception between the creation of a socket and its assignment causes a ResourceWarning.
    command = [sys.executable, "-W", "ignore::ResourceWarning", "-c", program]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("operation", "new_client"),
    [(TRACK_LEAD, True), *((operation, False) for operation in OPERATIONS)],
    ids=["new connection", *(operation.name for operation in OPERATIONS)],
)
def test_a_call_may_be_interrupted_at_each_step(operation: Operation, new_client: bool) -> None:
    """After an exception at any step of a call, the next call works, as no lock stays locked."""
    run_calls(AT_EACH_STEP.replace("NEW_CLIENT", str(new_client)), operation)


@each_operation
def test_a_call_deep_in_a_recursion_has_a_correct_result(operation: Operation) -> None:
    """With little of the stack left, an event that was sent is a success or retryable."""
    run_calls(IN_A_RECURSION, operation)


def test_a_call_in_a_signal_handler_does_not_change_the_outer_deadline(
    on_alarm: Any, clock: Clock
) -> None:
    """A call keeps its deadline if a signal handler makes another call during it."""
    patient = Configuration(request_timeout=600)
    results: list[Any] = []
    inner_call_ended = threading.Event()

    def pass_the_deadline(connection: Connection) -> bool:
        connection.socket.sendall(b"HTTP/1.1 200 OK\r\n")
        send_alarm()
        inner_call_ended.wait(LONG)
        connection.socket.sendall(b"Content-Length: 9\r\n\r\n{")
        clock.advance(61)
        connection.socket.sendall(b" ")  # wakes the client up
        connection.socket.settimeout(SLACK)
        connection.socket.recv(1)  # until the client gives up
        return False

    with (
        Server(pass_the_deadline) as slow,
        Server(OK) as fast,
        client_of(fast, timeout=600, configuration=patient) as inner,
        client_of(slow, timeout=60, configuration=patient) as outer,
    ):
        on_alarm(lambda: (results.append(lead(inner)), inner_call_ended.set()))
        results.append(lead(outer, max_retries=0))
    assert [result.get("type", "success") for result in results] == ["success", "timeout"]


def test_a_call_in_a_signal_handler_does_not_change_the_outer_result(
    on_alarm: Any,
) -> None:
    """A 409 to a retried sale is a success even if a signal handler makes another call."""
    interrupted = threading.Event()

    def drop_later(connection: Connection) -> bool:
        interrupted.wait(LONG)
        return drop(connection)

    with (
        Server(alarm_then(drop_later), respond(409)) as server,
        Server(respond(422)) as other,
        client_of(server, timeout=60) as outer,
        client_of(other) as inner,
    ):
        on_alarm(lambda: (lead(inner), interrupted.set()))
        assert sale(outer)["success"] is True
    assert (len(server.requests), len(other.requests)) == (2, 1)


def test_the_error_of_a_call_in_a_signal_handler_is_not_the_outer_result(
    on_alarm: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """If a signal handler's own TrackingApi call fails, the outer result has none of its data."""
    body = {"error": "ann@example.com is not valid"}
    with (
        Server(alarm_then(never_respond)) as server,
        Server(respond(422, json=body)) as other,
        client_of(server, timeout=60) as outer,
        client_of(other) as inner,
    ):
        on_alarm(lambda: inner.tracking_api.track_lead(minimal(TRACK_LEAD)))
        result = lead(outer)
    assert (result["type"], result["status_code"]) == ("internal_error", 0)
    assert (result["retryable"], result["attempts"]) == (True, 1)
    assert "ann@example.com" not in str(result) + caplog.text


def test_calls_in_threads_do_not_share_a_deadline() -> None:
    """Each thread's call on a shared client has its own deadline."""
    request_arrived, timed_out = threading.Event(), threading.Event()

    def respond_slowly(connection: Connection) -> bool:
        request_arrived.set()
        timed_out.wait(LONG)
        return OK(connection)

    configuration = Configuration(request_timeout=60, timeout=60)
    with (
        Server(respond_slowly, never_respond) as server,
        client_of(server, configuration=configuration) as client,
    ):
        results: list[Any] = []
        thread = threading.Thread(target=lambda: results.append(lead(client)))
        thread.start()
        assert request_arrived.wait(LONG)
        assert lead(client, timeout=0.2)["type"] == "timeout"
        timed_out.set()
        thread.join()
    assert results[0]["success"] is True
