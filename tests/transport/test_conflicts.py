"""409 Conflict: after a retry it is a success if it can only mean a duplicate."""

import socket
import ssl
import threading
import time
from typing import Any

import pytest

from cutmeshort import (
    CMSClient,
    Configuration,
)
from cutmeshort.operations import Operation
from cutmeshort.sandbox import Sandbox

from ..support.events import TOKEN, client_of, lead, sale
from ..support.operations import each_operation, track
from ..support.server import (
    Server,
    accept,
    after_bytes,
    drop,
    hang_for,
    raw,
    reset,
    respond,
)
from ..support.timing import LONG, SLACK, Clock, timed


@pytest.mark.usefixtures("no_wait")
def test_a_409_after_a_refused_connection_is_a_conflict(monkeypatch: pytest.MonkeyPatch) -> None:
    """A 409 to the second attempt is a conflict if the first one could not connect."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))

        def respond_later() -> None:
            listening.wait(LONG)
            client, _ = listener.accept()
            with client:
                client.recv(65536)
                client.sendall(b"HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n")

        listening = threading.Event()
        monkeypatch.setattr(time, "sleep", lambda _: (listener.listen(), listening.set()))
        thread = threading.Thread(target=respond_later)
        thread.start()
        with CMSClient(TOKEN, f"http://127.0.0.1:{listener.getsockname()[1]}") as client:
            assert lead(client)["type"] == "conflict"
        thread.join()


@pytest.mark.usefixtures("no_wait")
@pytest.mark.parametrize(
    ("first", "recorded"),
    [
        (drop, True),
        (reset, True),
        (respond(503), True),
        (raw(b"HTTP/1.1 503 -\r\nContent-Length: 9\r\n\r\n{}"), True),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"), True),
        (respond(429), False),
        (raw(b"HTTP/1.1 429 -\r\nContent-Length: 9\r\n\r\n{}"), False),
        (raw(b"HTTP/1.1 409 -\r\nContent-Length: 9\r\n\r\n{}"), False),
    ],
)
def test_a_409_after_an_attempt_that_may_be_recorded_is_a_success(
    first: Any, recorded: bool
) -> None:
    """A 409 to a retried sale is a success if the service may have recorded an earlier attempt."""
    with Server(first, respond(409)) as server, client_of(server) as client:
        result = sale(client)
        assert result["success"] is recorded
        if recorded:
            assert result == {
                "success": True,
                "message": "An earlier attempt of this call tracked the event",
                "data": {},
                "duplicate": True,
            }
        else:
            assert result["type"] == "conflict"


CONFLICT = {"error": "Not again", "type": "conflict", "requestId": "req_1"}


DUPLICATE = {**CONFLICT, "type": "duplicate_event"}


ATTRIBUTED = {**CONFLICT, "type": "duplicate_attribution"}


@pytest.mark.usefixtures("no_wait")
@pytest.mark.parametrize(
    ("call", "changes", "body", "recorded"),
    [
        (sale, {}, CONFLICT, True),
        (sale, {"click_id": None}, ATTRIBUTED, True),
        (sale, {}, None, True),
        (lead, {"click_id": None}, CONFLICT, True),
        (lead, {"click_id": ""}, None, True),
        (lead, {}, DUPLICATE, True),
        (lead, {"mode": "deferred"}, DUPLICATE, True),
        (lead, {}, CONFLICT, False),
        (lead, {}, ATTRIBUTED, False),
        (lead, {}, {"type": ["duplicate_event"]}, False),
        (lead, {}, None, False),
        (lead, {"mode": "deferred"}, CONFLICT, False),
    ],
)
def test_a_409_is_a_success_only_if_it_must_mean_a_duplicate(
    call: Any, changes: Any, body: Any, recorded: bool
) -> None:
    """A 409 to a retried event is a success unless it may mean that the lead has another click."""
    conflict = respond(409, b"") if body is None else respond(409, json=body)
    with Server(respond(503), conflict) as server, client_of(server) as client:
        result = call(client, **changes)
        assert result["success"] is recorded
        assert len(server.requests) == 2
    assert result.get("request_id") == (body or {}).get("requestId")
    if recorded:
        assert result["duplicate"] is True
    else:
        assert result["error"].endswith(
            "An earlier attempt of this call may have recorded the event."
        )
        assert (result["status_code"], result["attempts"]) == (409, 2)
        assert result["retryable"] is False


@pytest.mark.usefixtures("no_wait")
@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{", b"x" * 2**21])
def test_a_409_that_is_not_from_the_service_is_a_conflict(body: bytes) -> None:
    """A 409 with a body that is not the service's is a conflict, even after a retry."""
    with Server(respond(503), respond(409, body)) as server, client_of(server) as client:
        result = sale(client)
    assert (result["success"], result["type"], result["attempts"]) == (False, "conflict", 2)
    assert "already recorded this event, or" in result["error"]


@each_operation
@pytest.mark.parametrize("body", [CONFLICT, DUPLICATE, ATTRIBUTED])
def test_a_409_to_a_first_attempt_is_an_error(operation: Operation, body: dict[str, str]) -> None:
    """A 409 to a first attempt is an error with the service's type and message."""
    with Server(respond(409, json=body)) as server, client_of(server) as client:
        result = track(client, operation)
    assert (result["success"], result["type"]) == (False, body["type"])
    assert (result["error"], result["attempts"]) == ("Not again", 1)


def test_a_lead_of_a_customer_with_another_click_is_an_error() -> None:
    """A retried lead is an error if a deferred lead has associated its customer with a click."""
    with Sandbox() as sandbox, CMSClient(sandbox.token, sandbox.url) as client:
        assert lead(client, mode="deferred")["success"] is True
        sandbox.fail_next(status=503)
        result = lead(client, event_name="Trial", click_id="click_2")
        assert (result["success"], result["status_code"]) == (False, 409)
        assert len(sandbox.leads) == 1


@pytest.mark.usefixtures("no_wait")
def test_a_409_after_an_attempt_that_was_not_sent_is_a_conflict(
    tls: ssl.SSLContext, authority_file: str, clock: Clock
) -> None:
    """A 409 is a conflict if no earlier attempt was sent."""
    hang = after_bytes(1, hang_for(3.1, clock, wake_up=b"\x16"))  # in the handshake
    with Server(respond(409), tls=tls, on_connect=[hang, accept]) as server:
        configuration = Configuration(ssl_ca_cert=authority_file)
        with CMSClient(TOKEN, server.url, configuration=configuration) as client:
            result, seconds = timed(lambda: lead(client))
        assert result["type"] == "conflict"
        assert (server.connections, len(server.requests)) == (2, 1)
        assert seconds < SLACK
