"""How the sandbox stops, and what happens to connections and requests then."""

import contextlib
import gc
import json
import threading
from typing import Any

import pytest
import uvicorn

from cutmeshort import CMSClient
from cutmeshort.sandbox import Sandbox

from ..support.events import lead
from ..support.timing import LONG, SLACK, timed, wait_until
from .helpers import LEAD, connect, head, pending, read_to_end


def test_a_late_response_does_not_delay_the_stop() -> None:
    """The sandbox stops at once although the latency of a response has not passed."""
    with contextlib.ExitStack() as requests, Sandbox() as sandbox:
        sandbox.fail_next(latency=3600)
        requests.enter_context(pending(sandbox))
        wait_until(lambda: len(sandbox.leads) == 1)
        assert timed(sandbox.__exit__)[1] < SLACK


@pytest.mark.parametrize("state", ["idle", "half a head", "half a body", "pending response"])
def test_open_connections_do_not_delay_the_stop(
    state: str, log: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """In any state of a connection, stopping closes it at once and logs nothing."""
    with contextlib.ExitStack() as connections, Sandbox() as sandbox:
        connection = connections.enter_context(connect(sandbox))
        if state == "pending response":
            sandbox.fail_next(status=503, latency=3600)
        # The interim response shows that the sandbox waits for the body, or for the latency.
        half_body = head(sandbox, "Content-Length: 9", "Expect: 100-continue") + b"{"
        request = b"GET /elsewhere HTTP/1.1\r\nHost: localhost\r\n\r\n"
        sent = {"idle": request, "half a head": request + half_body[:99]}.get(state, half_body)
        connection.sendall(sent)
        response = connection.recv(65536)
        assert response.startswith(b"HTTP/1.1 404" if request in sent else b"HTTP/1.1 100")
        assert timed(sandbox.__exit__)[1] < SLACK
        read_to_end(connection)
    assert not log.records
    assert capfd.readouterr().err == ""


def test_a_server_that_failed_can_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected exception in a running server is not lost, and the sandbox still stops."""
    failures: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", lambda hook: failures.append(hook.exc_value))
    monkeypatch.setattr(uvicorn.Server, "on_tick", lambda *_: 1 / 0)
    with Sandbox() as sandbox:
        pass
    with pytest.raises(ConnectionRefusedError):
        connect(sandbox)
    assert [type(failure.__cause__) for failure in failures] == [ZeroDivisionError]


def test_a_server_that_failed_leaves_no_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """The requests of a server that fails end with it, and the sandbox's methods still work."""
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    with Sandbox() as sandbox, connect(sandbox) as connection:
        connection.sendall(b"GET /_sandbox/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        monkeypatch.setattr(sandbox._runner.server, "on_tick", lambda *_: 1 / 0)
        sandbox._runner.server._thread.join(LONG)
        sandbox.fail_next(status=503)
        assert len(sandbox.faults) == 1
        read_to_end(connection)
    gc.collect()  # warns of sockets that are still open


def test_new_connections_are_closed() -> None:
    """Stopping closes connections that have just been opened."""
    sandbox = Sandbox()
    for number in range(40):
        with contextlib.ExitStack() as connections, sandbox:
            for _ in range(number):
                connections.enter_context(connect(sandbox))
    gc.collect()  # warns of sockets that are still open


def test_a_client_may_disconnect_during_its_request(
    sandbox: Sandbox, client: CMSClient, log: pytest.LogCaptureFixture
) -> None:
    """An incomplete body is neither an event nor an error, even if the part is valid JSON."""
    event = json.dumps(LEAD).encode()
    for _ in range(9):
        with connect(sandbox) as connection:
            connection.sendall(head(sandbox, "Content-Length: 99", "Expect: 100-continue"))
            assert connection.recv(65536).startswith(b"HTTP/1.1 100")
            connection.sendall(event)
    assert lead(client)["success"] is True
    assert len(sandbox.leads) == 1
    assert not log.records
