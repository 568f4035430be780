"""The sandbox acts like the service, in each of its forms."""

import contextlib
import dataclasses
import gc
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any, Optional

import pytest
import urllib3
import uvicorn
from typing_extensions import get_args

from cutmeshort import ApiValueError, CMSClient, LeadPayload, SalePayload
from cutmeshort.sandbox import Attribution, Refused, Sandbox, bodies
from cutmeshort.sandbox.bodies import MAX_BODY_BYTES
from cutmeshort.sandbox.logs import LOGGER
from cutmeshort.sandbox.replies import ERRORS, REJECTIONS, SUCCESSES
from cutmeshort.sandbox.server import ErrorReply, Reply
from cutmeshort.sandbox.service import RateLimit, Refusal

from .support.events import lead, sale
from .support.forking import forked_child, forks


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    """A sandbox that remembers nothing."""
    running.reset()
    return running


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[CMSClient]:
    with CMSClient(sandbox.token, sandbox.url) as client:
        yield client


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """The records of the sandbox's own log, among others."""
    LOGGER.addHandler(caplog.handler)
    yield caplog
    LOGGER.removeHandler(caplog.handler)


def post(
    sandbox: Sandbox, body: Any, path: str = "/track/lead", retries: Any = None, **headers: str
) -> Any:
    """Send a request by hand; return status, headers and body."""
    sent = {
        "Authorization": f"Bearer {sandbox.token}",
        "Content-Type": "application/json",
        **headers,
    }
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    with urllib3.PoolManager() as pool:
        return pool.request("POST", sandbox.url + path, body=data, headers=sent, retries=retries)


def connect(sandbox: Sandbox) -> socket.socket:
    """Open a connection, on which the test speaks HTTP itself."""
    port = int(sandbox.url.rpartition(":")[2])
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def head(sandbox: Sandbox, *lines: str) -> bytes:
    """Write the head of a request that tracks a lead."""
    lines = (f"Authorization: Bearer {sandbox.token}", "Content-Type: application/json", *lines)
    return "\r\n".join(["POST /track/lead HTTP/1.1", "Host: a", *lines, "", ""]).encode()


def read_to_end(connection: socket.socket) -> bytes:
    """Read until the sandbox closes the connection."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


def test_events_are_recorded_as_they_were_sent(sandbox: Sandbox, client: CMSClient) -> None:
    """`leads` and `sales` are the payloads, in the order of arrival."""
    lead(client, customer_name="Zoë")
    sale(client)
    assert sandbox.leads == [
        LeadPayload(
            event_name="Sign up",
            customer_external_id="user_42",
            click_id="click_1",
            customer_name="Zoë",
        )
    ]
    assert sandbox.sales == [
        SalePayload(
            event_name="Purchase",
            customer_external_id="user_42",
            click_id="click_1",
            invoice_id="inv_1",
            amount=4999,
            currency="USD",
        )
    ]


def test_a_deferred_lead_binds_the_click_to_the_customer(
    sandbox: Sandbox, client: CMSClient
) -> None:
    """After a deferred lead, leads and sales of the customer need no click."""
    first = lead(client, mode="deferred")
    assert first["data"] == {"clickId": "click_1", "deferredAssociationStored": True}
    assert lead(client, click_id=None)["data"] == {"clickId": "click_1"}
    assert lead(client, click_id=None, event_name="Trial")["success"] is True
    assert sale(client, click_id=None)["data"] == {"clickId": "click_1"}
    (chain,) = sandbox.attribution("user_42")
    assert chain.click_id == "click_1"
    events = [(event.event_name, event.mode) for event in chain.leads]
    assert events == [("Sign up", "deferred"), ("Sign up", None), ("Trial", None)]
    assert [event.invoice_id for event in chain.sales] == ["inv_1"]


def test_a_follow_up_with_a_click_is_refused(sandbox: Sandbox, client: CMSClient) -> None:
    """A customer who is bound to a click can't be bound again."""
    lead(client, mode="deferred")
    lead(client, click_id=None)
    result = lead(client)
    assert (result["status_code"], result["type"]) == (409, "duplicate_attribution")
    assert "deferred lead" in result["error"]
    assert "Leave clickId out" in result["error"]
    assert lead(client, mode="deferred")["data"]["duplicate"] is True
    assert len(sandbox.leads) == 2


@pytest.mark.parametrize("track", [lead, sale])
def test_an_event_without_any_click_is_refused(
    track: Any, sandbox: Sandbox, client: CMSClient
) -> None:
    """Without a click and without a deferred lead there is nothing to credit."""
    result = track(client, click_id=None)
    assert (result["status_code"], result["type"]) == (422, "unprocessable_entity")
    assert result["details"][0]["field"] == "clickId"
    assert not sandbox.leads
    assert not sandbox.sales


def test_attribution_follows_the_clicks(sandbox: Sandbox, client: CMSClient) -> None:
    """Each click of a customer has its leads and sales; other customers have their own."""
    lead(client, click_id="a")
    sale(client, click_id="b", invoice_id="1")
    sale(client, click_id="a", invoice_id="2")
    lead(client, click_id="a", customer_external_id="other")
    first, second = sandbox.attribution("user_42")
    assert (first.click_id, len(first.leads), len(first.sales)) == ("a", 1, 1)
    assert (second.click_id, len(second.leads), len(second.sales)) == ("b", 0, 1)
    assert sandbox.attribution("nobody") == []
    assert isinstance(first, Attribution)


@pytest.mark.parametrize("status", [200, 409])
def test_a_duplicate_is_recorded_once(status: Any) -> None:
    """A lead counts once per customer and event, a sale once per invoice."""
    with Sandbox(duplicate_status=status) as sandbox:
        with CMSClient(sandbox.token, sandbox.url) as client:
            for number in range(3):
                for result in (
                    lead(client),
                    sale(client, customer_external_id=f"user_{number}"),
                ):
                    assert result["success"] is (number == 0 or status == 200)
                    assert result.get("status_code", 200) == (status if number else 200)
        assert (len(sandbox.leads), len(sandbox.sales)) == (1, 1)


def test_a_duplicate_says_what_makes_it_one() -> None:
    """A 409 for a recorded event has a type of its own, and names the fields that are the key."""
    with (
        Sandbox(duplicate_status=409) as sandbox,
        CMSClient(sandbox.token, sandbox.url) as client,
    ):
        for track, fields in ((lead, "customerExternalId and eventName"), (sale, "invoiceId")):
            assert track(client)["success"] is True
            result = track(client)
            assert (result["status_code"], result["type"]) == (409, "duplicate_event")
            assert f"with this {fields} was recorded before" in result["error"]
            for value in ("user_42", "Sign up", "inv_1", "click_1"):
                assert value not in result["error"]


@pytest.mark.parametrize(
    "reply", ["message", "timestamp", "status_text", "status_ok", "flat", "empty"]
)
def test_a_success_comes_in_any_form(reply: Any) -> None:
    """Each form of success is a success for the SDK, and is recorded."""
    with Sandbox(reply=reply) as sandbox, CMSClient(sandbox.token, sandbox.url) as client:
        assert lead(client)["success"] is sale(client)["success"] is True
        assert (len(sandbox.leads), len(sandbox.sales)) == (1, 1)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ("success_false", "api_error"),
        ("status_false", "api_error"),
        ("status_error", "api_error"),
        ("html", "invalid_response"),
        ("list", "invalid_response"),
    ],
)
def test_a_2xx_that_is_none_comes_in_any_form(reply: Any, kind: str) -> None:
    """Each form of a 2xx that is no success is an error for the SDK, and nothing is recorded."""
    with Sandbox(reply=reply) as sandbox, CMSClient(sandbox.token, sandbox.url) as client:
        result = lead(client)
        assert (result["success"], result["type"], result["status_code"]) == (False, kind, 200)
        assert not sandbox.leads


@pytest.mark.parametrize("form", ["envelope", "message", "code", "html", "empty"])
def test_an_error_comes_in_any_form(form: Any) -> None:
    """Each form of error has its status, and the SDK reads what it says."""
    with Sandbox(error_reply=form) as sandbox, CMSClient("wrong", sandbox.url) as client:
        result = lead(client)
        assert (result["status_code"], result["type"]) == (401, "unauthorized")
        says = "missing or unknown" if form in ("envelope", "message", "code") else "does not know"
        assert says in result["error"]


@pytest.mark.parametrize("status", [301, 403, 500, 503])
def test_an_error_of_any_status_can_be_had(status: int) -> None:
    """`error_status` answers every event with it, and records nothing."""
    with Sandbox(error_status=status) as sandbox:
        with CMSClient(sandbox.token, sandbox.url, max_retries=0) as client:
            result = sale(client)
            assert (result["status_code"], result["retryable"]) == (status, status >= 500)
        assert not sandbox.sales


@pytest.mark.parametrize(
    ("fault", "result", "recorded"),
    [
        ({"status": 503}, "service_unavailable", False),
        ({"status": 503, "recorded": True}, "service_unavailable", True),
        ({"status": 422}, "unprocessable_entity", False),
        ({"status": 304}, "redirect", False),
        ({"drop": True}, "network_error", False),
        ({"drop": True, "recorded": True}, "network_error", True),
        ({"latency": 0.6}, "timeout", True),
        ({"latency": 0.6, "status": 500}, "timeout", False),
        ({"latency": 0.05}, "success", True),
        ({"latency": 0.05, "drop": True}, "network_error", False),
        ({"latency": 0.05, "status": 500}, "internal_server_error", False),
    ],
    ids=str,
)
def test_the_next_request_fails_as_it_is_told(
    fault: Any,
    result: str,
    recorded: bool,
    sandbox: Sandbox,
    client: CMSClient,
    log: pytest.LogCaptureFixture,
) -> None:
    """A fault comes before or after the event is recorded; the request after it is served."""
    sandbox.fail_next(**fault)
    assert sale(client, max_retries=0, timeout=0.3).get("type", "success") == result
    assert len(sandbox.sales) == recorded
    assert sale(client, max_retries=0)["success"] is True
    assert len(sandbox.sales) == 1
    assert {record.name for record in log.records} <= {"cutmeshort"}


def test_faults_queue_up(sandbox: Sandbox, client: CMSClient) -> None:
    """`times` repeats a fault, another call adds one, and `reset` forgets what is left."""
    sandbox.fail_next(2, status=500)
    sandbox.fail_next(status=429, retry_after=7)
    results = [lead(client, max_retries=0) for _ in range(4)]
    assert [result.get("status_code") for result in results] == [500, 500, 429, None]
    assert results[2]["retry_after"] == 7
    sandbox.fail_next(99, drop=True)
    sandbox.reset()
    assert lead(client, max_retries=0)["success"] is True


def test_only_events_fail(sandbox: Sandbox) -> None:
    """A fault waits for a request to an operation; other paths are served meanwhile."""
    sandbox.fail_next(drop=True)
    with urllib3.PoolManager() as pool:
        assert pool.request("GET", sandbox.url + "/openapi.json").status == 200
    assert post(sandbox, {}, "/openapi.json").status == 405
    assert post(sandbox, {}, "/track/lead/").status == 404
    with pytest.raises(urllib3.exceptions.ProtocolError):
        post(sandbox, {}, retries=False)


def test_a_fault_has_the_form_of_other_errors() -> None:
    """`error_reply` says how a status is answered."""
    with Sandbox(error_reply="html") as sandbox:
        sandbox.fail_next(status=503)
        answer = post(sandbox, {})
        assert (answer.status, answer.headers["Content-Type"][:9]) == (503, "text/html")


REQUEST_ID = re.compile(r"req_[0-9a-f]{12}")
EVENT = {"eventName": "a", "customerExternalId": "b", "clickId": "c"}


@pytest.mark.parametrize("reply", get_args(Reply))
def test_each_response_has_a_request_id(reply: Any) -> None:
    """Every success has an id of its own in a header; `flat` has the same id in the body."""
    with Sandbox(reply=reply) as sandbox:
        responses = [post(sandbox, EVENT) for _ in range(3)]
    ids = [response.headers["X-Request-Id"] for response in responses]
    assert all(REQUEST_ID.fullmatch(request_id) for request_id in ids)
    assert len(set(ids)) == 3
    if reply == "flat":
        assert [response.json()["requestId"] for response in responses] == ids


@pytest.mark.parametrize("form", get_args(ErrorReply))
def test_each_error_has_a_request_id(form: Any) -> None:
    """Errors of every origin have an id of their own, which `code` has in the body as well."""
    with Sandbox(error_reply=form, rate_limit=3) as sandbox:
        sandbox.fail_next(status=503)
        sandbox.fail_next(status=503, recorded=True)
        sandbox.fail_next(latency=0.01)
        large = b" " * (MAX_BODY_BYTES + 1)
        responses = [post(sandbox, body, retries=False) for body in ({}, {}, {}, large, {})]
        responses.append(post(sandbox, {}, Authorization="Bearer wrong"))
        with urllib3.PoolManager() as pool:
            responses.append(pool.request("GET", sandbox.url + "/track/sale"))
    assert [response.status for response in responses] == [503, 503, 422, 413, 429, 401, 405]
    ids = [response.headers["X-Request-Id"] for response in responses]
    assert all(REQUEST_ID.fullmatch(request_id) for request_id in ids)
    assert len(set(ids)) == len(ids)
    if form == "code":
        assert [response.json()["requestId"] for response in responses] == ids


def test_what_is_refused_is_listed() -> None:
    """`refused` has each error response to an operation, with what the response says."""
    with Sandbox(rate_limit=8, duplicate_status=409) as sandbox:
        begin = datetime.now(timezone.utc)
        deferred = {**EVENT, "mode": "deferred"}
        responses = [
            post(sandbox, EVENT, Authorization="Bearer wrong"),
            post(sandbox, b"{", "/track/sale"),
            post(sandbox, {"eventName": ""}),
            post(sandbox, {"event": 1}, "/track/sale"),
            post(sandbox, b" " * (MAX_BODY_BYTES + 1), retries=False),
            post(sandbox, {"eventName": "a", "customerExternalId": "b"}),
            *(post(sandbox, event) for event in (deferred, deferred, EVENT)),
            post(sandbox, EVENT, "/track/%73ale"),
        ]
        with urllib3.PoolManager() as pool:
            responses.append(pool.request("PUT", sandbox.url + "/track/lead"))
        end = datetime.now(timezone.utc)
    errors = [response.json() for response in responses if response.status != 200]
    statuses = [401, 400, 422, 422, 413, 422, 409, 409, 429, 405]
    assert [refused.status for refused in sandbox.refused] == statuses
    assert [(refused.status, refused.type, refused.message) for refused in sandbox.refused] == [
        (error["statusCode"], error["type"], error["error"]) for error in errors
    ]
    operations = [refused.operation.partition("_")[2] for refused in sandbox.refused]
    assert operations == ["lead", "sale", "lead", "sale", *["lead"] * 4, "sale", "lead"]
    times = [refused.time for refused in sandbox.refused]
    assert [begin, *times, end] == sorted([begin, *times, end])
    assert {time.tzinfo for time in times} == {timezone.utc}


def test_what_is_tracked_or_elsewhere_is_not_refused(sandbox: Sandbox, client: CMSClient) -> None:
    """Successes, and errors on other paths, are not in `refused`."""
    assert lead(client)["success"] is sale(client)["success"] is True
    for path in ("/elsewhere", "/track/lead/", "/track/refund", "/docs"):
        assert post(sandbox, {}, path).status in (404, 405)
    assert sandbox.refused == []


def test_refused_is_a_list_of_its_own_each_time(sandbox: Sandbox) -> None:
    """Changing it changes nothing, its items can't be changed, and `reset` empties the next one."""
    post(sandbox, {})
    before = sandbox.refused
    sandbox.refused.clear()
    assert sandbox.refused == before
    sandbox.reset()
    assert sandbox.refused == []
    (refused,) = before
    assert isinstance(refused, Refused)
    with pytest.raises(dataclasses.FrozenInstanceError):
        refused.status = 200  # type: ignore[misc]


@pytest.mark.parametrize(
    ("fault", "status", "recorded"),
    [
        ({"status": 503}, 503, 0),
        ({"status": 304}, 304, 0),
        ({"status": 503, "recorded": True}, 503, 1),
        ({"status": 503, "recorded": True, "click_id": None}, 503, 0),
        ({"latency": 0.05, "status": 500}, 500, 0),
        ({"latency": 0.05, "click_id": None}, 422, 0),
        ({"latency": 0.05}, None, 1),
        ({"drop": True}, None, 0),
        ({"drop": True, "recorded": True, "click_id": None}, None, 0),
        ({"latency": 3600, "status": 500}, None, 0),
        ({"latency": 3600, "click_id": None}, None, 0),
    ],
    ids=str,
)
def test_refused_has_what_the_client_got(fault: Any, status: Optional[int], recorded: int) -> None:
    """A fault is in `refused` with the response that was sent, if one was."""
    fault = dict(fault)
    click_id = fault.pop("click_id", "click_1")
    timeout = 0.2 if fault.get("latency") == 3600 else 10
    with Sandbox() as sandbox, CMSClient(sandbox.token, sandbox.url) as client:
        sandbox.fail_next(**fault)
        result = lead(client, click_id=click_id, max_retries=0, timeout=timeout)
    assert [refused.status for refused in sandbox.refused] == ([status] if status else [])
    assert all(refused.type == result["type"] for refused in sandbox.refused)
    assert len(sandbox.leads) == recorded


@pytest.mark.parametrize("reply", tuple(REJECTIONS))
def test_a_2xx_that_is_none_is_refused(reply: Any) -> None:
    """It is in `refused` with status 200, the type that the SDK reports, and the `reply`."""
    with Sandbox(reply=reply) as sandbox, CMSClient(sandbox.token, sandbox.url) as client:
        results = [lead(client), sale(client)]
    assert [(refused.operation, refused.status, refused.type) for refused in sandbox.refused] == [
        ("track_lead", 200, results[0]["type"]),
        ("track_sale", 200, results[1]["type"]),
    ]
    assert all(f'reply="{reply}"' in refused.message for refused in sandbox.refused)


@pytest.mark.parametrize("form", get_args(ErrorReply))
def test_refused_says_why_in_every_form(form: Any) -> None:
    """Type and message are there even if the response has none."""
    with Sandbox(error_reply=form, error_status=418) as sandbox:
        assert post(sandbox, {}).status == 418
    (refused,) = sandbox.refused
    assert (refused.operation, refused.status, refused.type) == ("track_lead", 418, "api_error")
    assert "did not track" in refused.message


def test_refused_keeps_the_newest_thousand() -> None:
    """A sandbox that runs for long does not grow with what it refuses, however long the names."""
    wrong = json.dumps({f"{number}{'x' * 10_000}": 1 for number in range(20)}).encode()
    with Sandbox() as sandbox, urllib3.PoolManager() as pool:
        for number in range(1002):
            token = "wrong" if number < 3 else sandbox.token
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            pool.request("POST", sandbox.url + "/track/lead", body=wrong, headers=headers)
    statuses = [refused.status for refused in sandbox.refused]
    assert statuses == [401] + [422] * 999
    assert max(len(refused.message) for refused in sandbox.refused) < 2000


def test_refused_has_no_values_of_the_request() -> None:
    """Neither a customer's data nor a token is in what `refused` shows."""
    secret = "zoe@secret.example"
    names = [
        field.alias for model in (LeadPayload, SalePayload) for field in model.model_fields.values()
    ]
    values = [secret, [secret], {secret: secret}, f"{secret}\n", secret * 999]
    bodies = [{**EVENT, name: value} for name in names for value in values]
    with Sandbox(token=f"tok_{secret}", duplicate_status=409) as sandbox:
        post(sandbox, EVENT, Authorization=f"Bearer {secret}")
        for body in bodies:
            for path in ("/track/lead", "/track/sale"):
                post(sandbox, body, f"{path}?email={secret}")
        event = {"eventName": secret, "customerExternalId": secret, "clickId": secret}
        sale = {**event, "invoiceId": secret, "amount": 1, "currency": "usd"}
        for changes in ({}, {}, {"mode": "deferred"}, {}):
            post(sandbox, {**event, **changes})
            post(sandbox, sale, "/track/sale")
    types = {refused.type for refused in sandbox.refused}
    assert types > {"unauthorized", "unprocessable_entity", "duplicate_event"}
    assert "duplicate_attribution" in types
    assert "secret" not in repr(sandbox.refused)


def test_a_bug_of_the_sandbox_is_an_error_like_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is 500, in the form of other errors, and in `refused`."""
    with Sandbox() as sandbox:
        monkeypatch.setattr(sandbox._service, "track_lead", lambda _lead: 1 // 0)
        response = post(sandbox, EVENT)
    assert (response.status, response.json()["type"]) == (500, "internal_server_error")
    assert response.headers["X-Request-Id"]
    assert [refused.status for refused in sandbox.refused] == [500]


LIBRARIES = ("uvicorn.error", "uvicorn.access", "uvicorn.asgi", "asyncio")


def settings_of_loggers() -> list[Any]:
    """Tell how the loggers of the libraries, and the root logger, are set."""
    loggers = [logging.getLogger(), *map(logging.getLogger, LIBRARIES)]
    return [
        (logger.level, logger.handlers[:], logger.filters[:], logger.propagate, logger.disabled)
        for logger in loggers
    ]


@contextlib.contextmanager
def application_log() -> Iterator[list[logging.LogRecord]]:
    """Log as an application may: all levels, and handlers on the libraries' own loggers too."""
    records: list[logging.LogRecord] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record not in records:  # it passes the handlers of several loggers
                records.append(record)

    root, handler = logging.getLogger(), Keep()
    level = root.level
    loggers = [root, *map(logging.getLogger, LIBRARIES)]
    for logger in loggers:
        logger.addHandler(handler)
    root.setLevel(1)
    try:
        yield records
    finally:
        root.setLevel(level)
        for logger in loggers:
            logger.removeHandler(handler)


def exercise(sandbox: Sandbox) -> None:
    """Let the sandbox log whatever it can: an access, a warning and a bug."""
    assert post(sandbox, EVENT).status == 200
    with connect(sandbox) as connection:
        connection.sendall(b"nonsense\r\n\r\n")
        assert read_to_end(connection).startswith(b"HTTP/1.1 400")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sandbox._service, "track_lead", lambda _lead: 1 // 0)
        assert post(sandbox, EVENT).status == 500


def test_the_application_does_not_see_what_the_sandbox_logs(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """The server's lines reach no handler of the application; its warnings are on stderr."""
    with caplog.at_level(1), application_log() as records, Sandbox() as sandbox:
        exercise(sandbox)
    for record in records + caplog.records:
        assert record.threadName != "cutmeshort-sandbox"
        assert record.name not in LIBRARIES
    assert "urllib3.connectionpool" in {record.name for record in records}
    warning, *traceback = capfd.readouterr().err.splitlines()
    assert warning == "Invalid HTTP request received."
    assert traceback[0] == "Exception in ASGI application"
    assert traceback[-1].startswith("ZeroDivisionError")


def test_the_sandbox_has_a_log_of_its_own(log: pytest.LogCaptureFixture) -> None:
    """Whatever the libraries log in the sandbox's thread goes to the sandbox's logger."""
    with application_log(), Sandbox() as sandbox:
        exercise(sandbox)
    own = [record for record in log.records if record.threadName == "cutmeshort-sandbox"]
    assert {record.name for record in own} == set(LIBRARIES)
    lines = [record.getMessage() for record in own]
    for line in ("Started server", "Using selector", "Invalid HTTP", 'lead HTTP/1.1" 200'):
        assert any(line in seen for seen in lines)


def test_an_application_with_a_uvicorn_of_its_own_sees_its_lines() -> None:
    """While sandboxes start, run and stop, its own server logs as ever."""

    async def serve_elsewhere(scope: Any, _receive: Any, send: Any) -> None:
        logging.getLogger("uvicorn.error").warning("called %s", scope["path"])
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    config = uvicorn.Config(serve_elsewhere, port=0, log_config=None, ws="none", lifespan="off")
    server = uvicorn.Server(config)
    with application_log() as records, socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        own = threading.Thread(target=lambda: server.run(sockets=[listener]), name="application")
        own.start()
        try:
            with urllib3.PoolManager() as pool:
                assert pool.request("GET", f"{url}/before").status == 204
                with Sandbox() as first, Sandbox() as second:
                    exercise(first)
                    assert pool.request("GET", f"{url}/during").status == 204
                    first.__exit__(None, None, None)
                    exercise(second)
                assert pool.request("GET", f"{url}/after").status == 204
        finally:
            server.should_exit = True
            own.join()
    assert not [record for record in records if record.threadName == "cutmeshort-sandbox"]
    lines = [record.getMessage() for record in records if record.threadName == "application"]
    for path in ("before", "during", "after"):
        assert lines.count(f"called /{path}") == 1
        assert len([line for line in lines if f'"GET /{path} HTTP/1.1" 204' in line]) == 1
    for line in ("Using selector", "Started server process", "Finished server process"):
        assert any(seen.startswith(line) for seen in lines)


def test_the_libraries_loggers_are_left_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    """While it runs, the sandbox sets no level or handler; afterwards, there is no trace of it."""

    async def leave(_server: Any, sockets: Any = None) -> None:
        assert sockets
        sys.exit(3)

    before = settings_of_loggers()
    with Sandbox() as sandbox, Sandbox():
        exercise(sandbox)
        for old, new in zip(before, settings_of_loggers()):
            assert new[:2] + new[3:] == old[:2] + old[3:]
        sandbox.__exit__(None, None, None)
        assert settings_of_loggers() != before
    assert settings_of_loggers() == before
    monkeypatch.setattr(uvicorn.Server, "startup", leave)
    with pytest.raises(OSError, match="could not start"), Sandbox():
        pytest.fail("it started")
    assert settings_of_loggers() == before


def test_a_late_answer_does_not_hold_the_sandbox() -> None:
    """It ends at once, though an answer is due much later."""
    with Sandbox() as sandbox, CMSClient(sandbox.token, sandbox.url) as client:
        sandbox.fail_next(latency=3600)
        assert lead(client, timeout=0.2)["type"] == "timeout"
        assert len(sandbox.leads) == 1
        begin = time.monotonic()
    assert time.monotonic() - begin < 5


def test_starting_and_ending_take_no_time() -> None:
    """Each start and end takes milliseconds, so that each test can have its own sandbox."""
    sandbox = Sandbox()
    begin = time.monotonic()
    for _ in range(50):
        with sandbox:
            pass
    assert time.monotonic() - begin < 5


@pytest.mark.parametrize("kind", ["idle", "half a head", "half a body", "pending"])
def test_open_connections_do_not_hold_the_sandbox(
    kind: str, log: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Whatever a client waits for, leaving the block closes its connection and logs nothing."""
    with contextlib.ExitStack() as connections, Sandbox() as sandbox:
        connection = connections.enter_context(connect(sandbox))
        if kind == "pending":
            sandbox.fail_next(status=503, latency=3600)
        # The sandbox asks for the body when it waits for it, or for the time to respond.
        half_body = head(sandbox, "Content-Length: 9", "Expect: 100-continue") + b"{"
        request = b"GET /elsewhere HTTP/1.1\r\nHost: a\r\n\r\n"
        sent = {"idle": request, "half a head": request + half_body[:99]}.get(kind, half_body)
        connection.sendall(sent)
        response = connection.recv(65536)
        assert response.startswith(b"HTTP/1.1 404" if request in sent else b"HTTP/1.1 100")
        begin = time.monotonic()
        sandbox.__exit__(None, None, None)
        assert time.monotonic() - begin < 3
        read_to_end(connection)
    assert not log.records
    assert capfd.readouterr().err == ""


def test_connections_that_have_just_been_opened_are_closed() -> None:
    """Leaving the block may come at any moment of a new connection."""
    sandbox = Sandbox()
    for number in range(40):
        with contextlib.ExitStack() as connections, sandbox:
            for _ in range(number):
                connections.enter_context(connect(sandbox))
    gc.collect()  # warns of what is still open


def test_a_client_may_leave_during_its_request(
    sandbox: Sandbox, client: CMSClient, log: pytest.LogCaptureFixture
) -> None:
    """A body that is only a part of what was announced is not an event, and not an error."""
    event = b'{"eventName": "a", "customerExternalId": "b", "clickId": "c"}'
    for _ in range(9):
        with connect(sandbox) as connection:
            connection.sendall(head(sandbox, "Content-Length: 99", "Expect: 100-continue"))
            assert connection.recv(65536).startswith(b"HTTP/1.1 100")
            connection.sendall(event)
    assert lead(client)["success"] is True
    assert len(sandbox.leads) == 1
    assert not log.records


def test_it_can_be_started_again() -> None:
    """What was recorded is still there, and late answers are late again."""
    sandbox = Sandbox()
    for number in (1, 2):
        with sandbox, CMSClient(sandbox.token, sandbox.url) as client:
            sandbox.fail_next(latency=3600)
            late = lead(client, timeout=0.2, customer_external_id=str(number))
            assert late["type"] == "timeout"
            assert len(sandbox.leads) == number


@pytest.mark.parametrize(
    ("fault", "argument"),
    [
        ({}, "status"),
        ({"status": 503, "drop": True}, "status"),
        ({"status": 200}, "status"),
        ({"status": "503"}, "status"),
        ({"latency": -1}, "latency"),
        ({"latency": "1"}, "latency"),
        ({"drop": "no"}, "drop"),
        ({"drop": True, "recorded": 1}, "recorded"),
        ({"latency": 1, "recorded": False}, "recorded"),
        ({"drop": True, "retry_after": 1}, "retry_after"),
        ({"status": 503, "retry_after": 1.5}, "retry_after"),
        ({"status": 503, "times": 0}, "times"),
        ({"status": 503, "times": True}, "times"),
    ],
    ids=str,
)
def test_a_fault_that_can_not_be_played_is_refused(
    fault: Any, argument: str, sandbox: Sandbox, client: CMSClient
) -> None:
    """A wrong argument is an error at once, and nothing fails."""
    with pytest.raises(ApiValueError) as caught:
        sandbox.fail_next(**fault)
    assert caught.value.argument == argument
    assert lead(client, max_retries=0)["success"] is True


def test_the_forms_have_the_names_that_type_checkers_know() -> None:
    """The types of `reply` and `error_reply` list the forms that there are."""
    assert get_args(Reply) == (*SUCCESSES, *REJECTIONS)
    assert get_args(ErrorReply) == tuple(ERRORS)


def test_the_token_is_checked_first(sandbox: Sandbox) -> None:
    """Without the token, even a body that can't be read is answered with 401."""
    for token in ("", "Bearer", "Bearer wrong", f"bearer {sandbox.token}", "Bearer \xff"):
        answer = post(sandbox, b"{", Authorization=token)
        assert answer.status == 401
        assert answer.json()["type"] == "unauthorized"


@pytest.mark.parametrize(
    ("body", "content_type", "status", "says"),
    [
        (b"", "application/json", 400, "JSON object"),
        (b"{", "application/json", 400, "JSON object"),
        (b"[]", "application/json", 400, "JSON object"),
        (b"\xff", "application/json", 400, "JSON object"),
        (b"{}", "text/plain", 400, "Content-Type"),
        (b"{}", "Application/JSON; charset=utf-8", 422, "eventName: Field required"),
        (b'{"\\ud800": "x"}', "application/json", 400, "JSON object"),
        (b'{"event_name": "x"}', "application/json", 422, "Unknown fields: event_name"),
        (b'{"eventName": 7, "customerExternalId": ""}', "application/json", 422, "valid string"),
    ],
)
def test_json_and_fields_are_checked(
    body: bytes, content_type: str, status: int, says: str, sandbox: Sandbox
) -> None:
    """What can't be read is 400, a wrong field 422, in the service's envelope with its names."""
    answer = post(sandbox, body, **{"Content-Type": content_type})
    assert answer.status == status
    envelope = answer.json()
    assert set(envelope) - {"details"} == {"success", "error", "type", "statusCode"}
    assert says in envelope["error"]
    for detail in envelope.get("details", []):
        assert set(detail) == {"field", "message"}


def test_other_paths_and_methods_have_the_envelope_too(sandbox: Sandbox) -> None:
    """Never FastAPI's own shape."""
    for path in ("/elsewhere", "/track/lead/"):
        assert post(sandbox, {}, path).json()["statusCode"] == 404
    with urllib3.PoolManager() as pool:
        answer = pool.request("GET", sandbox.url + "/track/lead")
    assert (answer.status, answer.json()["success"]) == (405, False)
    assert answer.headers["Allow"] == "POST"


@pytest.mark.parametrize("form", ["envelope", "message", "code", "html", "empty"])
def test_a_body_that_is_too_large_is_refused(form: Any) -> None:
    """It is 413, in the form of other errors."""
    with Sandbox(error_reply=form) as sandbox:
        response = post(sandbox, b" " * (MAX_BODY_BYTES + 1), retries=False)
    assert response.status == 413
    expected = {"html": b"<!doctype html>", "empty": b""}.get(form, b"more than 1048576 bytes")
    assert expected in response.data


def test_the_sandbox_does_not_wait_for_a_body_that_is_too_large(sandbox: Sandbox) -> None:
    """The Content-Length suffices for 413; then the connection is closed."""
    with connect(sandbox) as connection:
        connection.sendall(head(sandbox, f"Content-Length: {MAX_BODY_BYTES + 1}"))
        response = read_to_end(connection)
    assert response.startswith(b"HTTP/1.1 413 ")
    assert b"\r\nconnection: close\r\n" in response


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_may_have_the_largest_size(chunked: bool, sandbox: Sandbox) -> None:
    """Up to the limit an event is recorded; one byte more is refused."""
    event = b'{"eventName": "a", "customerExternalId": "b", "clickId": "c"}'
    framing = {"Transfer-Encoding": "chunked"} if chunked else {}
    for size, status in ((MAX_BODY_BYTES + 1, 413), (MAX_BODY_BYTES, 200)):
        response = post(sandbox, event.ljust(size), retries=False, **framing)
        assert (response.status, len(sandbox.leads)) == (status, status == 200)


@pytest.mark.parametrize("framing", ["Content-Length: 25165824", "Transfer-Encoding: chunked"])
def test_a_large_body_is_not_kept_in_memory(framing: str, sandbox: Sandbox) -> None:
    """The client can send all of it, and reads the response then, but the sandbox discards it."""
    piece = b"a" * 65536
    chunk = b"10000\r\n%b\r\n" % piece if "chunked" in framing else piece
    tracemalloc.start()
    try:
        with connect(sandbox) as connection:
            connection.sendall(head(sandbox, framing))
            for _ in range(384):
                connection.sendall(chunk)
            assert read_to_end(connection).startswith(b"HTTP/1.1 413 ")
        assert tracemalloc.get_traced_memory()[1] < 12 * 1024 * 1024
    finally:
        tracemalloc.stop()


def test_a_body_without_end_ends_the_connection(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sandbox discards for a limited time what a client sends after the limit."""
    monkeypatch.setattr(bodies, "_DISCARD_SECONDS", 0.2)

    def send_chunks(connection: socket.socket) -> None:
        end = time.monotonic() + 10
        while time.monotonic() < end:
            connection.sendall(b"10000\r\n%b\r\n" % (b"a" * 65536))

    with connect(sandbox) as connection:
        connection.sendall(head(sandbox, "Transfer-Encoding: chunked"))
        with pytest.raises(ConnectionError):
            send_chunks(connection)


def test_token_and_rate_limit_are_checked_before_the_size() -> None:
    """A body that is too large is 401 or 429 where a small one is."""
    large = b" " * (MAX_BODY_BYTES + 1)
    with Sandbox(rate_limit=1) as sandbox:
        assert post(sandbox, large, Authorization="Bearer wrong").status == 401
        assert post(sandbox, large).status == 413
        assert post(sandbox, large).status == 429


def test_the_description_names_the_wires_fields(sandbox: Sandbox) -> None:
    """`/openapi.json` and `/docs` describe the two operations, their models and their errors."""
    with urllib3.PoolManager() as pool:
        api = pool.request("GET", sandbox.url + "/openapi.json").json()
        assert pool.request("GET", sandbox.url + "/docs").status == 200
    assert set(api["paths"]) == {"/track/lead", "/track/sale"}
    operation = api["paths"]["/track/sale"]["post"]
    assert set(operation["responses"]) == {"200", "400", "401", "409", "422", "429"}
    schemas = api["components"]["schemas"]
    assert set(schemas) == {"LeadPayload", "SalePayload", "TrackResponse", "ErrorResponse"}
    assert set(schemas["SalePayload"]["required"]) == {
        "eventName",
        "customerExternalId",
        "invoiceId",
        "amount",
        "currency",
    }
    assert operation["operationId"] == "track_sale"
    assert schemas["SalePayload"]["properties"]["currency"]["pattern"] == "^[A-Za-z]{3}$"
    amount = schemas["SalePayload"]["properties"]["amount"]
    assert (amount["type"], amount["minimum"], amount["maximum"]) == ("integer", 0, 2**53 - 1)
    assert schemas["LeadPayload"]["properties"]["timestamp"]["anyOf"][0]["format"] == "date-time"


def test_too_many_requests_are_answered_with_429() -> None:
    """Beyond the limit the answer is 429 and says when to come back."""
    with Sandbox(rate_limit=2) as sandbox, CMSClient(sandbox.token, sandbox.url) as client:
        assert [sale(client, invoice_id=str(n))["success"] for n in range(2)] == [True, True]
        result = sale(client, invoice_id="2")
        assert result["type"] == "rate_limit_exceeded"
        assert 50 < result["retry_after"] <= 60
        assert len(sandbox.sales) == 2


def test_reset_starts_the_rate_limit_again() -> None:
    """After `reset`, a client has all requests of the minute again, and no more than these."""
    with Sandbox(rate_limit=2) as sandbox:
        for _ in range(2):
            assert [post(sandbox, {}).status for _ in range(3)] == [422, 422, 429]
            sandbox.reset()


def test_the_rate_limit_is_per_minute_and_token() -> None:
    """A request is taken again when the one that filled the minute is a minute old."""
    limit = RateLimit(2)
    limit.check("a", 100.0)
    limit.check("a", 130.5)
    limit.check("b", 131.0)
    with pytest.raises(Refusal) as caught:
        limit.check("a", 131.0)
    assert (caught.value.status, caught.value.headers) == (429, {"Retry-After": "29"})
    limit.check("a", 160.0)
    with pytest.raises(Refusal) as caught:
        limit.check("a", 160.0)
    assert caught.value.headers == {"Retry-After": "31"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("duplicate_status", 500),
        ("reply", "nonsense"),
        ("error_reply", "list"),
        ("error_status", 200),
        ("error_status", 600),
        ("token", "a b"),
        ("port", -1),
        ("port", 65536),
        ("rate_limit", -1),
        ("rate_limit", 0),
    ],
)
def test_a_wrong_setting_is_refused(name: str, value: Any) -> None:
    """A form or status that there isn't is refused, by name."""
    with pytest.raises(ApiValueError, match=name):
        Sandbox(**{name: value})


def test_the_url_is_known_once_it_runs() -> None:
    """Before that, asking for it says how to run it."""
    with pytest.raises(RuntimeError, match="with Sandbox"):
        _ = Sandbox().url


def test_it_runs_once_at_a_time() -> None:
    """A second `with` on a running sandbox is refused; the first still works."""
    sandbox = Sandbox()
    for number in (1, 2):
        with sandbox, CMSClient(sandbox.token, sandbox.url) as client:
            url = sandbox.url
            with pytest.raises(RuntimeError, match="leave its `with` block first"), sandbox:
                pytest.fail("it runs twice")
            assert sandbox.url == url
            assert lead(client, event_name=str(number))["success"] is True
            assert len(sandbox.leads) == number
        with pytest.raises(ConnectionRefusedError):
            connect(sandbox)


def _run(program: str) -> str:
    """Run a program in a process of its own, where every warning is an error."""
    warnings = ["-W", "error", "-W", "ignore:This process:DeprecationWarning"]
    command = [sys.executable, *warnings, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


NO_START = """
import os, resource, threading
from cutmeshort.sandbox import Sandbox

with Sandbox() as sandbox:
    pass  # whatever a start imports is there
threading.stack_size(STACK)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


def take_descriptors():
    taken = []
    try:
        while True:
            taken.append(os.dup(0))
    except OSError:
        return taken


taken = take_descriptors()
for _ in range(FREE):
    os.close(taken.pop())
try:
    with sandbox:
        print("started")
except OSError as error:
    print(error)
try:
    print(sandbox.url)
except RuntimeError:
    left = take_descriptors()
    print(threading.active_count(), len(left) - FREE)
for descriptor in taken + left:
    os.close(descriptor)
"""


@pytest.mark.parametrize(
    ("free", "stack", "says"),
    [(1, 0, "OSError(24"), (2, 0, "OSError(24"), (3, 0, "OSError(24"), (9, 2**60, "new thread")],
)
def test_a_start_that_fails_is_an_error(free: int, stack: int, says: str) -> None:
    """Without descriptors or threads, the start fails at once, and nothing of it is left."""
    pytest.importorskip("resource")
    program = NO_START.replace("FREE", str(free)).replace("STACK", str(stack))
    first, second = _run(program).splitlines()
    assert first.startswith("the sandbox could not start: ")
    assert says in first
    assert second == "1 0"


def test_a_start_that_exits_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """If uvicorn exits in the sandbox's thread, the start fails; the sandbox can be used later."""

    async def leave(_server: Any, sockets: Any = None) -> None:
        assert sockets
        sys.exit(3)

    sandbox = Sandbox()
    with monkeypatch.context() as patch:
        patch.setattr(uvicorn.Server, "startup", leave)
        with pytest.raises(OSError, match=r"could not start: SystemExit\(3\)"), sandbox:
            pytest.fail("it started")
    with pytest.raises(RuntimeError, match="once it runs"):
        _ = sandbox.url
    with sandbox, CMSClient(sandbox.token, sandbox.url) as client:
        assert lead(client)["success"] is True


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="needs signals of a thread")
def test_a_start_may_be_interrupted(caplog: pytest.LogCaptureFixture) -> None:
    """Ctrl+C during a start leaves no thread, and the sandbox can be started again."""

    class Interrupt(logging.Handler):
        def emit(self, _record: logging.LogRecord) -> None:
            LOGGER.removeHandler(self)
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    LOGGER.addHandler(Interrupt())
    sandbox = Sandbox()
    before = settings_of_loggers()
    with caplog.at_level("INFO", "uvicorn.error"), pytest.raises(KeyboardInterrupt), sandbox:
        pytest.fail("it started")
    assert settings_of_loggers() == before
    with sandbox, CMSClient(sandbox.token, sandbox.url) as client:
        assert lead(client)["success"] is True


@forks
def test_a_child_does_not_keep_the_port() -> None:
    """Port and connections are the parent's alone, though a forked child had copies of them."""
    with contextlib.ExitStack() as stack:
        with Sandbox() as other, CMSClient(other.token, other.url) as client:
            connection = stack.enter_context(connect(other))
            connection.sendall(b"GET /elsewhere HTTP/1.1\r\nHost: a\r\n\r\n")
            assert connection.recv(65536).startswith(b"HTTP/1.1 404")
            stack.enter_context(forked_child())
            assert lead(client)["success"] is True
            other.fail_next(drop=True)
            assert lead(client, max_retries=0)["type"] == "network_error"
        read_to_end(connection)
        with pytest.raises(ConnectionRefusedError):
            connect(other)
        with Sandbox(port=int(other.url.rpartition(":")[2])) as again:
            assert post(again, {}).status == 422


@forks
def test_a_child_may_leave_the_block() -> None:
    """The parent's server still works, and the child can start the sandbox itself."""
    program = """
import os
from cutmeshort import CMSClient
from cutmeshort.sandbox import Sandbox

sandbox = Sandbox()
with sandbox:
    child = os.fork()
    if child != 0:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        print(len(sandbox.leads))
    with CMSClient(sandbox.token, sandbox.url) as client:
        print(client.track_lead("Sign up", "user_42", "click_1")["success"])
with sandbox:
    with CMSClient(sandbox.token, sandbox.url) as client:
        print(client.track_lead("Trial", "user_42", "click_1")["success"])
print(len(sandbox.leads), flush=True)
"""
    assert _run(program) == "True\nTrue\n1\n1\nTrue\nTrue\n2\n"


def _has_ipv6_loopback() -> bool:
    with contextlib.suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        return True
    return False


@pytest.mark.skipif(not _has_ipv6_loopback(), reason="needs IPv6")
def test_it_listens_where_it_is_told() -> None:
    """An IPv6 address stands in brackets in the URL."""
    with Sandbox(host="::1") as sandbox, CMSClient(sandbox.token, sandbox.url) as client:
        assert sandbox.url.startswith("http://[::1]:")
        assert lead(client)["success"] is True


def _command(*arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "cutmeshort.sandbox", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_says_where_it_listens_until_it_is_interrupted(number: int) -> None:
    """The command prints address and token, serves, limits the rate, and ends cleanly."""
    with _command("--port", "0", "--token", "mine", "--rate-limit", "1") as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("CutMeShort sandbox listens on http://127.0.0.1:")
        assert line.endswith(", token mine\n")
        assert "/openapi.json" in process.stdout.readline()
        assert "At most 1 requests a minute" in process.stdout.readline()
        url = line.split()[4].rstrip(",")
        with CMSClient("mine", url) as client:
            assert lead(client)["success"] is True
            assert lead(client)["type"] == "rate_limit_exceeded"
        begin = time.monotonic()
        os.kill(process.pid, number)
        _, errors = process.communicate(timeout=10)
        assert process.returncode == 0
        assert [line.split(" - ")[1] for line in errors.splitlines()] == [
            '"POST /track/lead HTTP/1.1" 200',
            '"POST /track/lead HTTP/1.1" 429',
        ]
        assert time.monotonic() - begin < 5


@pytest.mark.parametrize("port", ["in use", "99999"])
def test_the_command_says_when_it_can_not_listen(port: str, sandbox: Sandbox) -> None:
    """A port in use, or that there isn't, ends the command with one line."""
    port = port.replace("in use", sandbox.url.rpartition(":")[2])
    with _command("--port", port) as process:
        _, errors = process.communicate(timeout=10)
    assert process.returncode == 1
    assert errors.startswith("cutmeshort.sandbox: ")
    assert errors.count("\n") == 1


def test_without_the_extra_it_says_what_to_install() -> None:
    """Where FastAPI is missing, the import names the extra; the core works without it."""
    code = (
        "import sys; sys.modules['fastapi'] = None\n"
        "import cutmeshort\n"
        "try: import cutmeshort.sandbox\n"
        "except ModuleNotFoundError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == 'the sandbox needs fastapi: pip install "cutmeshort[sandbox]"\n'
