"""What one call does on the wire: attempts, waits, deadline, connections."""

import gc
import logging
import random
import signal
import socket
import sys
import threading
import time
import traceback
from types import FrameType
from typing import Any

import pytest

from cutmeshort import (
    ApiClient,
    ApiException,
    CMSClient,
    Configuration,
    RequestOptions,
    TrackingApi,
    __version__,
)
from cutmeshort.sandbox import Sandbox

from ..support.events import PAYLOAD, TOKEN, client_of, lead, sale
from ..support.faults import CHUNKED, FINE
from ..support.server import Connection, Server, drop, raw, reply, reset, silence

OK = reply(json={"success": True, "message": "Done"})


def test_a_lead_goes_over_the_wire_as_the_contract_says() -> None:
    """A lead is one POST with its fields in camelCase, and nothing that isn't set."""
    with Server() as server, client_of(server) as client:
        assert lead(client, timestamp="2026-01-31T12:00", customer_name="Zoë")["success"] is True
        (request,) = server.requests
        assert (request.method, request.target) == ("POST", "/track/lead")
        assert request.json == {
            "eventName": "Sign up",
            "customerExternalId": "user_42",
            "clickId": "click_1",
            "customerName": "Zoë",
            "timestamp": "2026-01-31T12:00:00Z",
        }
        headers = {name: values for name, values in request.headers.items() if name != "host"}
        (agent,) = headers.pop("user-agent")
        assert agent.startswith(f"cutmeshort-python/{__version__} (")
        assert headers == {
            "accept": ["application/json"],
            "accept-encoding": ["identity"],
            "authorization": [f"Bearer {TOKEN}"],
            "content-length": [str(len(request.body))],
            "content-type": ["application/json"],
            "x-cms-sdk-runtime": ["python"],
            "x-cms-sdk-version": [__version__],
        }


def test_a_sale_goes_over_the_wire_as_the_contract_says() -> None:
    """A sale has an integer amount and its currency in upper case."""
    with Server() as server, client_of(server) as client:
        assert sale(client)["success"] is True
        (request,) = server.requests
        assert (request.method, request.target) == ("POST", "/track/sale")
        assert request.json == {
            "eventName": "Purchase",
            "customerExternalId": "user_42",
            "clickId": "click_1",
            "invoiceId": "inv_1",
            "amount": 4999,
            "currency": "USD",
        }


def test_a_request_is_sent_at_once() -> None:
    """Head and body go out together: in two packets, the second may have to wait for the first."""
    sent: list[str] = []

    def note(_frame: Any, event: str, what: Any) -> None:
        if event == "c_call" and "send" in what.__name__:
            sent.append(what.__name__)

    with Server(reply()) as server, client_of(server) as client:
        lead(client)
        sys.setprofile(note)
        try:
            lead(client)
        finally:
            sys.setprofile(None)
    assert sent == ["sendall"]


def test_the_hosts_path_is_kept() -> None:
    """A path in the host stands before the operation's."""
    with Server() as server, CMSClient(TOKEN, server.url + "/cms/") as client:
        lead(client)
        assert server.requests[0].target == "/cms/track/lead"


def test_calls_share_a_connection() -> None:
    """One connection serves one call after the other, errors among them."""
    with Server(OK, reply(422), OK) as server, client_of(server) as client:
        assert [lead(client)["success"] for _ in range(3)] == [True, False, True]
        assert server.connections == 1


@pytest.mark.usefixtures("no_wait")
@pytest.mark.parametrize("first", [drop, reset, reply(503), reply(429), reply(500), raw(b"HT")])
def test_a_passing_failure_is_repeated_with_the_same_bytes(first: Any) -> None:
    """After a passing failure, the same request is sent again and its answer returned."""
    with Server(first, OK) as server, client_of(server) as client:
        assert sale(client) == {"success": True, "message": "Done", "data": {}}
        one, two = server.requests
        assert (one.body, one.headers) == (two.body, two.headers)


@pytest.mark.usefixtures("no_wait")
def test_a_409_after_a_refused_connection_is_a_conflict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the first attempt found nobody, the second one's 409 is about another event."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))

        def answer() -> None:
            begun.wait(5)
            client, _ = listener.accept()
            with client:
                client.recv(65536)
                client.sendall(b"HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n")

        begun = threading.Event()
        monkeypatch.setattr(time, "sleep", lambda _: (listener.listen(), begun.set()))
        thread = threading.Thread(target=answer)
        thread.start()
        with CMSClient(TOKEN, f"http://127.0.0.1:{listener.getsockname()[1]}") as client:
            assert lead(client)["type"] == "conflict"
        thread.join()


@pytest.mark.usefixtures("no_wait")
@pytest.mark.parametrize(
    ("step", "changes"),
    [
        (drop, {}),
        (reply(404), {}),
        (reply(503), {}),
        (silence, {}),
        (OK, {"event_name": ""}),
        (OK, {"timeout": -1}),
        (OK, {"customer_email": "x"}),
        (None, {}),
    ],
)
def test_a_failed_call_leaves_no_cycle_of_references(step: Any, changes: Any) -> None:
    """No frame, with the token or the event in it, waits for the garbage collector."""
    configuration = Configuration(request_timeout=(3, 0.1), retries=1)
    with (
        Server(step or OK) as server,
        client_of(server, configuration=configuration) as client,
    ):
        if step is None:
            client.close()
        lead(client, **changes)
        gc.collect()
        gc.disable()
        try:
            lead(client, **changes)
            gc.set_debug(gc.DEBUG_SAVEALL)
            gc.collect()
            frames = [each for each in gc.garbage if isinstance(each, FrameType)]
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()
    assert [f for f in frames if f.f_globals["__name__"].startswith("cutmeshort")] == []


def test_a_bug_after_an_attempt_says_how_many_there_were(monkeypatch: pytest.MonkeyPatch) -> None:
    """So does a signal handler's built-in exception while the call waits for the next attempt."""

    def fail(_seconds: float) -> None:
        raise ValueError

    monkeypatch.setattr(time, "sleep", fail)
    with Server(reply(503)) as server, client_of(server) as client:
        result = lead(client)
    assert (result["type"], result["attempts"], result["retryable"]) == ("internal_error", 1, True)


def test_waits_grow_and_are_random(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between attempts the call sleeps a random part of 0.5, 1 and 2 seconds."""
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    monkeypatch.setattr(random, "random", lambda: 0.5)
    with Server(reply(503)) as server, client_of(server) as client:
        lead(client)
    assert waits == [0.25, 0.5, 1.0]


def test_retry_after_is_obeyed_where_it_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service's wish for a wait replaces the back-off."""
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    steps = [reply(429, headers={"Retry-After": "3"}), OK]
    with Server(*steps) as server, client_of(server) as client:
        assert lead(client)["success"] is True
    assert waits == [3.0]


def test_a_retry_after_of_the_whole_deadline_is_returned_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A wait that would leave no time for an attempt is left to the caller."""
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("waited"))
    with (
        Server(reply(429, headers={"Retry-After": "10"})) as server,
        client_of(server, timeout=10) as client,
    ):
        result = lead(client)
        assert (result["type"], result["retry_after"]) == ("rate_limit_exceeded", 10.0)
        assert result["retryable"] is True
        assert len(server.requests) == 1


@pytest.mark.usefixtures("no_wait")
@pytest.mark.parametrize(
    ("first", "recorded"),
    [
        (drop, True),
        (reset, True),
        (reply(503), True),
        (raw(b"HTTP/1.1 503 -\r\nContent-Length: 9\r\n\r\n{}"), True),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"), True),
        (reply(429), False),
        (raw(b"HTTP/1.1 429 -\r\nContent-Length: 9\r\n\r\n{}"), False),
        (raw(b"HTTP/1.1 409 -\r\nContent-Length: 9\r\n\r\n{}"), False),
    ],
)
def test_a_409_after_an_attempt_that_may_be_recorded_is_success(first: Any, recorded: bool) -> None:
    """A 409 to a retry of a sale means that the earlier attempt was recorded, if it may be."""
    with Server(first, reply(409)) as server, client_of(server) as client:
        result = sale(client)
        assert result["success"] is recorded
        if recorded:
            assert result == {
                "success": True,
                "message": "The event was tracked by an earlier attempt of this call",
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
    ("track", "changes", "body", "recorded"),
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
def test_a_409_is_a_success_only_where_it_can_mean_nothing_else(
    track: Any, changes: Any, body: Any, recorded: bool
) -> None:
    """A 409 to a retry of a lead with a click may be about another click, unless its type says."""
    refusal = reply(409, b"") if body is None else reply(409, json=body)
    with Server(reply(503), refusal) as server, client_of(server) as client:
        result = track(client, **changes)
        assert result["success"] is recorded
        assert len(server.requests) == 2
    assert result.get("request_id") == (body or {}).get("requestId")
    if recorded:
        assert result["duplicate"] is True
    else:
        assert result["error"].endswith("An earlier attempt of this call may have been recorded.")
        assert (result["status_code"], result["attempts"]) == (409, 2)
        assert result["retryable"] is False


@pytest.mark.usefixtures("no_wait")
@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{", b"x" * 2**21])
def test_a_409_that_is_not_the_services_is_no_success(body: bytes) -> None:
    """A gateway's page says nothing of an earlier attempt; an empty body may be the service's."""
    with Server(reply(503), reply(409, body)) as server, client_of(server) as client:
        result = sale(client)
    assert (result["success"], result["type"], result["attempts"]) == (False, "conflict", 2)
    assert "already recorded this event, or" in result["error"]


@pytest.mark.parametrize("track", [lead, sale])
@pytest.mark.parametrize("body", [CONFLICT, DUPLICATE, ATTRIBUTED])
def test_a_409_to_a_first_attempt_is_an_error(track: Any, body: dict[str, str]) -> None:
    """The service's type is passed on, and nothing is said of an earlier attempt."""
    with Server(reply(409, json=body)) as server, client_of(server) as client:
        result = track(client)
    assert (result["success"], result["type"]) == (False, body["type"])
    assert (result["error"], result["attempts"]) == ("Not again", 1)


def test_a_lead_of_a_customer_with_another_click_is_no_success() -> None:
    """A lead that the service can't attribute is an error after a retry, and not recorded."""
    with Sandbox() as sandbox, CMSClient(sandbox.token, sandbox.url) as client:
        assert lead(client, mode="deferred")["success"] is True
        sandbox.fail_next(status=503)
        result = lead(client, event_name="Trial", click_id="click_2")
        assert (result["success"], result["status_code"]) == (False, 409)
        assert len(sandbox.leads) == 1


@pytest.mark.parametrize("retries", [0, 1, 2])
@pytest.mark.usefixtures("no_wait")
def test_max_retries_counts_the_attempts_after_the_first(retries: int) -> None:
    """`max_retries` of a call goes before the client's, 0 too."""
    with Server(reply(500)) as server, client_of(server, max_retries=5) as client:
        lead(client, max_retries=retries)
        assert len(server.requests) == retries + 1


def _seconds(call: Any) -> tuple[Any, float]:
    begin = time.monotonic()
    result = call()
    return result, time.monotonic() - begin


@pytest.mark.usefixtures("no_wait")
def test_one_hung_attempt_leaves_room_for_another() -> None:
    """An attempt that gets no answer in its own time is repeated."""
    configuration = Configuration(request_timeout=(3, 0.2))
    with (
        Server(silence, OK) as server,
        client_of(server, configuration=configuration) as client,
    ):
        assert lead(client)["success"] is True
        assert len(server.requests) == 2


@pytest.mark.usefixtures("no_wait")
def test_connecting_and_answering_have_a_time_of_their_own() -> None:
    """The time to connect doesn't limit an answer over a connection that is there."""
    late = raw([b"HTTP/1.1 200 OK\r\n", b"Content-Length: 2\r\n\r\n{}"], every=0.3)
    configuration = Configuration(request_timeout=(0.1, 5))
    with Server(late) as server, client_of(server, configuration=configuration) as client:
        assert lead(client)["success"] is True
        assert len(server.requests) == 1


LONG_BODY = b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n" + b"x" * (2**20 + 1)


@pytest.mark.parametrize(
    "answer",
    [
        LONG_BODY,
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n{}",
        CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Length: 2\r\n\r\n") + b"2\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n",
        FINE + b"HTTP/1.1 422 -\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_a_connection_that_ends_with_its_answer_is_not_used_again(answer: bytes) -> None:
    """Even if the host leaves it open, as for an answer that is too large to be read whole."""
    with Server(raw(answer, close=False), OK) as server, client_of(server) as client:
        lead(client)
        assert lead(client)["success"] is True
        assert server.connections == 2


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a timer's signal")
def test_an_interrupted_call_leaves_no_connection_open() -> None:
    """KeyboardInterrupt passes, and closes what was under way, though its traceback is kept."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    def begin(connection: Connection) -> bool:
        connection.socket.sendall(b"HTTP/1.1 200 OK\r\n")
        return silence(connection)

    previous = signal.signal(signal.SIGALRM, interrupt)
    try:
        with Server(begin) as server, client_of(server) as client:
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            with pytest.raises(KeyboardInterrupt) as caught:
                lead(client)
            assert server.wait_until_all_closed()
            assert caught.value is not None
    finally:
        signal.signal(signal.SIGALRM, previous)


def test_urllib3_logs_the_answer_without_anything_secret(caplog: pytest.LogCaptureFixture) -> None:
    """Its line for a request has the versions, the path and the status."""
    with Server(OK) as server, client_of(server) as client, caplog.at_level(logging.DEBUG):
        lead(client)
    assert '"POST /track/lead HTTP/1.1" 200' in caplog.text
    assert TOKEN not in caplog.text


def test_the_deadline_of_a_call_goes_before_the_clients() -> None:
    """`timeout` of a call replaces the client's."""
    with Server(silence) as server, client_of(server, timeout=60) as client:
        result, seconds = _seconds(lambda: lead(client, timeout=0.2))
        assert result["type"] == "timeout"
        assert seconds < 2.2


@pytest.mark.usefixtures("no_wait")
def test_a_refused_connection_and_an_unknown_name_are_network_errors() -> None:
    """Where nobody listens, or no such host is, the result names the host."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for host, name in (
        (f"http://127.0.0.1:{port}", f"127.0.0.1:{port}"),
        ("https://nobody.invalid", "nobody.invalid"),
    ):
        with CMSClient(TOKEN, host) as client:
            result = lead(client)
        assert (result["type"], result["status_code"]) == ("network_error", 0)
        assert name in result["error"]
        assert result["retryable"] is True


def test_an_unread_response_was_received_in_time() -> None:
    """The form that returns urllib3's response is bounded like the others."""
    step = raw([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", b"{}"], every=0.3)
    options: RequestOptions = {"_request_timeout": 0.1, "_max_retries": 0}
    with (
        Server(step) as server,
        ApiClient(Configuration(server.url, TOKEN)) as api_client,
        pytest.raises(ApiException) as caught,
    ):
        TrackingApi(api_client).track_lead_without_preload_content(PAYLOAD, **options)
    assert caught.value.type == "timeout"


@pytest.mark.usefixtures("no_wait")
def test_the_exception_below_the_facade_keeps_its_cause() -> None:
    """What urllib3 raised is the cause of what the API raises."""
    with Server(reset) as server:
        configuration = Configuration(server.url, TOKEN, retries=0)
        with ApiClient(configuration) as api_client, pytest.raises(ApiException) as caught:
            TrackingApi(api_client).track_lead(PAYLOAD)
    cause = caught.value.__cause__
    assert type(cause).__module__ == "urllib3.exceptions"
    assert cause is not None
    frames = [frame for frame, _ in traceback.walk_tb(cause.__traceback__)]
    assert frames
    assert not any(TOKEN in str(frame.f_locals.get("headers")) for frame in frames)


@pytest.mark.usefixtures("no_wait")
def test_opentelemetry_sees_each_attempt() -> None:
    """Tools that patch `urlopen` get a span for each attempt, whose id the service gets as well."""
    instrumentation = pytest.importorskip("opentelemetry.instrumentation.urllib3")
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrumentor = instrumentation.URLLib3Instrumentor()
    instrumentor.instrument(tracer_provider=provider)
    try:
        with Server(reply(503), reset, OK) as server, client_of(server) as client:
            assert lead(client)["success"] is True
    finally:
        instrumentor.uninstrument()
        provider.shutdown()
    spans = exporter.get_finished_spans()
    assert [span.name for span in spans] == ["POST"] * 3
    assert [span.attributes.get("http.status_code") for span in spans] == [503, None, 200]
    sent = [request.headers["traceparent"][0].split("-")[2] for request in server.requests]
    assert sent == [f"{span.context.span_id:016x}" for span in spans]
    assert len({request.body for request in server.requests}) == 1
    assert TOKEN not in str([span.to_json() for span in spans])
