"""The request of one call, and what logging and tracing tools see of it."""

import gc
import logging
import socket
import sys
from types import FrameType
from typing import Any

import pytest
from pydantic.alias_generators import to_camel

from cutmeshort import (
    CMSClient,
    Configuration,
    __version__,
)
from cutmeshort.operations import Operation

from ..support.events import TOKEN, client_of, lead, sale
from ..support.operations import each_operation, full, track
from ..support.server import OK, Server, drop, never_respond, reset, respond


def test_a_lead_is_sent_as_documented() -> None:
    """The client sends a lead in one POST, with those fields that are set, in camelCase."""
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


def test_a_sale_is_sent_as_documented() -> None:
    """The client sends a sale with an integer amount, and its currency in upper case."""
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


@each_operation
def test_a_request_has_all_fields_in_camel_case(operation: Operation) -> None:
    """The client sends each field of each operation under its name in camelCase."""
    with Server() as server, client_of(server) as client:
        assert track(client, operation, **full(operation))["success"] is True
        (request,) = server.requests
    assert (request.method, request.target) == (operation.method, operation.path)
    assert request.json == {to_camel(name): value for name, value in full(operation).items()}
    assert request.headers["authorization"] == [f"Bearer {TOKEN}"]
    assert request.headers["content-type"] == ["application/json"]


@each_operation
def test_a_request_is_sent_in_one_write(operation: Operation) -> None:
    """The client sends head and body in one write, as a second packet may be delayed."""
    sent: list[str] = []

    def record_send(_frame: Any, event: str, what: Any) -> None:
        if event == "c_call" and "send" in what.__name__:
            sent.append(what.__name__)

    with Server(respond()) as server, client_of(server) as client:
        track(client, operation)
        sys.setprofile(record_send)
        try:
            track(client, operation)
        finally:
            sys.setprofile(None)
    assert sent == ["sendall"]


@each_operation
def test_the_hosts_path_is_kept(operation: Operation) -> None:
    """The client puts the path of the host before the path of the operation."""
    with Server() as server, CMSClient(TOKEN, server.url + "/cms/") as client:
        track(client, operation)
        assert server.requests[0].target == "/cms" + operation.path


@pytest.mark.usefixtures("no_wait")
@pytest.mark.parametrize(
    ("step", "changes"),
    [
        (drop, {}),
        (respond(404), {}),
        (respond(503), {}),
        (never_respond, {}),
        (OK, {"event_name": ""}),
        (OK, {"timeout": -1}),
        (OK, {"customer_email": "x"}),
        (None, {}),
    ],
)
def test_a_call_leaves_no_reference_cycle(step: Any, changes: Any) -> None:
    """A call leaves no reference cycle, which would keep the token and the event in memory."""
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


def test_urllib3_does_not_log_the_token(caplog: pytest.LogCaptureFixture) -> None:
    """urllib3 logs the path, the version and the status of a request, but not the token."""
    with Server(OK) as server, client_of(server) as client, caplog.at_level(logging.DEBUG):
        lead(client)
    assert '"POST /track/lead HTTP/1.1" 200' in caplog.text
    assert TOKEN not in caplog.text


@pytest.mark.usefixtures("no_wait")
def test_a_refused_connection_and_an_unknown_name_are_network_errors() -> None:
    """The result names the host if it refuses the connection, or if its name does not exist."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for host, name in (
        (f"http://127.0.0.1:{port}", f"127.0.0.1:{port}"),
        ("https://unknown.invalid", "unknown.invalid"),
    ):
        with CMSClient(TOKEN, host) as client:
            result = lead(client)
        assert (result["type"], result["status_code"]) == ("network_error", 0)
        assert name in result["error"]
        assert result["retryable"] is True


@pytest.mark.usefixtures("no_wait")
def test_opentelemetry_records_each_attempt() -> None:
    """OpenTelemetry records a span for each attempt, and the service gets the span's id."""
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
        with Server(respond(503), reset, OK) as server, client_of(server) as client:
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
