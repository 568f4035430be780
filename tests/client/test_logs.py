"""What the SDK logs and tells `on_outcome`: metadata only, one WARNING for each lost event."""

import dataclasses
import functools
import logging
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutmeshort import ApiTypeError, CMSClient, Configuration, Outcome
from cutmeshort.sandbox import Sandbox

from ..support.events import CUSTOMER, SECRETS, TOKEN, client_of, lead, sale
from ..support.server import Connection, Server, drop, reply, silence

OK = reply(json={"success": True, "requestId": "req_1"})
TIME = r"[0-9]+\.[0-9]+ s"


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """The SDK's log at DEBUG."""
    with caplog.at_level(logging.DEBUG, "cutmeshort"):
        yield caplog


def lines(log: pytest.LogCaptureFixture, level: int = logging.DEBUG) -> list[str]:
    """The SDK's lines of a level and above."""
    return [
        record.getMessage()
        for record in log.records
        if record.name == "cutmeshort" and record.levelno >= level
    ]


def test_each_attempt_and_each_tracked_call_is_logged_at_debug(
    log: pytest.LogCaptureFixture,
) -> None:
    """The lines of a call that succeeds at its second attempt say what happened and how long."""
    with Server(reply(503), OK) as server, client_of(server) as client:
        assert sale(client)["success"] is True
    first, second, tracked = lines(log)
    wait = r"retrying in [0-9]\.[0-9] s"
    assert re.fullmatch(f"track_sale attempt 1 of 4: 503 in {TIME}, {wait}", first)
    assert re.fullmatch(f"track_sale attempt 2 of 4: 200 in {TIME}", second)
    assert re.fullmatch(f"track_sale tracked: 200 after 2 attempts in {TIME}", tracked)
    assert {record.levelno for record in log.records} == {logging.DEBUG}


@pytest.mark.usefixtures("no_wait")
@pytest.mark.parametrize(
    ("step", "line"),
    [
        (reply(401), "unauthorized (401) after 1 attempt in TIME: The service does not know"),
        (drop, "network_error after 4 attempts in TIME (retryable): 127.0.0.1"),
        (reply(503), "service_unavailable (503) after 4 attempts in TIME (retryable): The service"),
        (silence, "timeout after 4 attempts in TIME (retryable): 127.0.0.1"),
        (reply(200, "<html>"), "invalid_response (200) after 1 attempt in TIME (retryable): The"),
    ],
)
def test_a_call_that_was_not_tracked_is_one_warning(
    step: Any, line: str, log: pytest.LogCaptureFixture
) -> None:
    """The warning says which operation failed, how, after how many attempts, and what to do."""
    configuration = Configuration(request_timeout=(3, 0.1))
    with Server(step) as server, client_of(server, configuration=configuration) as client:
        assert lead(client)["success"] is False
    (warning,) = lines(log, logging.WARNING)
    assert re.match(f"track_lead not tracked: {re.escape(line)}".replace("TIME", TIME), warning)


def test_a_warning_says_what_is_known_of_the_response(log: pytest.LogCaptureFixture) -> None:
    """The host, the wait that the service asks for, and the id of the request for its support."""
    headers = {"Retry-After": "60", "X-Request-Id": "req_2"}
    with Server(reply(429, headers=headers), reply(401)) as server, client_of(server) as client:
        lead(client)
        lead(client)
        host = f"127.0.0.1:{server.port}"
    first, second = lines(log, logging.WARNING)
    assert first.endswith(f"per minute and user. ({host}, retry after 60 s, request id req_2)")
    assert second.endswith(f"or CMS_BEARER_TOKEN. ({host})")
    assert "attempt 1 of 4: 429" in lines(log)[0]
    assert lines(log)[0].endswith(", not retried: the wait would pass the deadline")
    assert re.fullmatch(f"track_lead attempt 1 of 4: 401 in {TIME}", lines(log)[2])


def test_a_call_of_a_closed_client_makes_no_attempt(log: pytest.LogCaptureFixture) -> None:
    """The log has one line, and neither it nor the result speaks of an attempt."""
    with Server() as server:
        client = client_of(server)
        client.close()
        assert lead(client)["attempts"] == 0
    text = (
        "track_lead not tracked: client_closed (retryable): The client is closed: make a new one."
    )
    assert lines(log) == [text]


def test_a_missing_click_is_in_the_log(log: pytest.LogCaptureFixture) -> None:
    """The SDK says so itself, as the service's text isn't logged; the result has the service's."""
    with Sandbox() as sandbox, CMSClient(sandbox.token, sandbox.url) as client:
        result = lead(client, click_id=None)
    assert result["error"].startswith("clickId is required")
    assert "no click_id" not in result["error"]
    (warning,) = lines(log, logging.WARNING)
    assert "The service refused a field. The event has no click_id: it needs one" in warning


def test_a_call_that_was_refused_unsent_is_one_warning(
    log: pytest.LogCaptureFixture, nowhere: CMSClient
) -> None:
    """The warning says which arguments are wrong, and how."""
    sale(nowhere, amount=1.5, currency="dollars")
    (warning,) = lines(log)
    assert warning.startswith(
        "track_sale not tracked: validation_error: amount: Input should be an"
    )
    assert "; currency: Input should be a currency" in warning


def test_arguments_that_were_left_out_are_one_warning(log: pytest.LogCaptureFixture) -> None:
    """Beside the line of the call, a warning names the arguments without their values."""
    with Server(OK) as server, client_of(server) as client:
        lead(client, customer_email="zoe", customer_avatar="zoe.png", timestamp="2026-01-31")
    warning = "track_lead left out customer_email, customer_avatar: not valid, see"
    assert lines(log, logging.WARNING) == [f'{warning} "warnings" in the result']
    assert len(lines(log)) == 3


def test_a_disabled_client_logs_at_debug_only(log: pytest.LogCaptureFixture) -> None:
    """On a development machine, no call is a warning, whatever its arguments are."""
    told: list[Outcome] = []
    with CMSClient(enabled=False, on_outcome=told.append) as client:
        lead(client, customer_email="x")
        sale(client, amount=1.5)
    assert [outcome.type for outcome in told] == ["disabled", "validation_error"]
    assert len(lines(log)) == 2
    assert {record.levelno for record in log.records} == {logging.DEBUG}


def test_the_record_carries_the_outcome(log: pytest.LogCaptureFixture) -> None:
    """`cms` of a call's record is what `on_outcome` gets."""
    told: list[Outcome] = []
    with Server(OK, reply(401)) as server, client_of(server, on_outcome=told.append) as client:
        lead(client, customer_name=7)
        sale(client, customer_name=7)
    records = [record for record in log.records if hasattr(record, "cms")]
    assert [record.cms for record in records] == [told[0], told[0], told[1]]
    assert [record.levelno for record in records] == [logging.DEBUG, *[logging.WARNING] * 2]


def test_an_outcome_has_what_the_result_says() -> None:
    """After each call the hook gets a frozen Outcome, in the caller's thread."""
    told: list[tuple[int, Outcome]] = []

    def note(outcome: Outcome) -> None:
        told.append((threading.get_ident(), outcome))

    steps = [OK, reply(429, headers={"Retry-After": "60", "X-Request-Id": "req_2"})]
    with Server(*steps) as server, client_of(server, on_outcome=note) as client:
        lead(client)
        refused = sale(client)
        lead(client, event_name="")
    assert {thread for thread, _ in told} == {threading.get_ident()}
    first, second, third = (outcome for _, outcome in told)
    assert all(0 <= outcome.seconds < 5 for outcome in (first, second, third))
    lasted = dataclasses.replace(first, seconds=0)
    assert lasted == Outcome("track_lead", True, None, 200, 1, 0, False, None, "req_1")
    lasted = dataclasses.replace(second, seconds=0)
    expected = ("rate_limit_exceeded", 429, 1, 0, True, 60.0, "req_2")
    assert lasted == Outcome("track_sale", False, *expected)
    lasted = dataclasses.replace(third, seconds=0)
    assert lasted == Outcome("track_lead", False, "validation_error", 422, 0, 0, False, None, None)
    assert (refused["attempts"], refused["request_id"]) == (1, "req_2")
    with pytest.raises(dataclasses.FrozenInstanceError):
        first.success = False  # type: ignore[misc]


def test_a_hook_that_fails_is_logged_once(log: pytest.LogCaptureFixture) -> None:
    """What the hook raises changes no result; the log says once per client where it came from."""

    def fail(_outcome: Outcome) -> None:
        raise LookupError("se" + "cret")

    with Server(OK) as server:
        for _ in range(2):
            with client_of(server, on_outcome=fail) as client, ThreadPoolExecutor(4) as threads:
                results = list(threads.map(lambda _: lead(client), range(8)))
                assert all(result["success"] for result in results)
    errors = lines(log, logging.ERROR)
    assert len(errors) == 2
    assert errors[0].startswith("LookupError in on_outcome\n")
    assert "test_logs.py" in errors[0]
    assert "secret" not in log.text


def test_an_interruption_in_a_hook_passes() -> None:
    """Ctrl-C in the hook is not swallowed."""

    def interrupt(_outcome: Outcome) -> None:
        raise KeyboardInterrupt

    with (
        Server(OK) as server,
        client_of(server, on_outcome=interrupt) as client,
        pytest.raises(KeyboardInterrupt),
    ):
        lead(client)


async def _later(_outcome: Outcome) -> None: ...


class _Later:
    async def __call__(self, _outcome: Outcome) -> None: ...


@pytest.mark.parametrize("hook", ["text", 7, _later, functools.partial(_later), _Later()])
def test_a_hook_is_a_function(hook: Any) -> None:
    """What can't be called, or would have to be awaited, is refused when the client is made."""
    with pytest.raises(ApiTypeError, match="on_outcome must be a plain function"):
        CMSClient(TOKEN, on_outcome=hook)


class _Raising(logging.Handler):
    """A handler with a bug."""

    def emit(self, record: logging.LogRecord) -> None:
        raise LookupError(record)


@contextmanager
def handler(log_handler: logging.Handler) -> Iterator[None]:
    logger = logging.getLogger("cutmeshort")
    logger.addHandler(log_handler)
    try:
        yield
    finally:
        logger.removeHandler(log_handler)


@pytest.mark.usefixtures("log", "no_wait")
def test_a_log_handler_that_fails_changes_no_result() -> None:
    """Not at an attempt, a call, a warning or an error."""

    def fail(_outcome: Outcome) -> None:
        raise ValueError

    with (
        Server(reply(503), OK) as server,
        handler(_Raising()),
        client_of(server, on_outcome=fail) as client,
    ):
        assert lead(client, customer_email="x")["success"] is True
        assert lead(client, event_name="")["type"] == "validation_error"
        assert len(server.requests) == 2


def test_the_sdk_leaves_logging_alone() -> None:
    """The logger has no level, propagates, and has no handler but a NullHandler."""
    logger = logging.getLogger("cutmeshort")
    assert (logger.level, logger.propagate, logger.disabled) == (logging.NOTSET, True, False)
    assert [type(each) for each in logger.handlers] == [logging.NullHandler]


EVENT = {
    **CUSTOMER,
    "event_name": "Bought-Elephant",
    "click_id": "click-zebra",
    "timestamp": "2026-01-31T12:00:00Z",
}
SALE = {"invoice_id": "invoice-walrus", "amount": 9182736450, "currency": "CHF"}
PRIVATE = [*SECRETS, "Elephant", "zebra", "walrus", "9182736450", "CHF"]


ECHOED = ["eventName", "customerExternalId", "clickId", "invoiceId", "amount", "customerEmail"]


def _echo(status: int, name: str) -> Any:
    """Respond with all that was sent, and with one value of it as type and as request id."""

    def step(connection: Connection) -> bool:
        request = connection.request
        assert request is not None
        sent = {**request.json, "token": TOKEN}
        value = str(sent.get(name))
        body = {"error": str(sent), "message": str(sent), "details": [sent], "data": sent}
        body.update(type=value, requestId=value)
        headers = {"X-Request-Id": value} if value.isascii() and value.isprintable() else {}
        return reply(status, json=body, headers=headers)(connection)

    return step


@pytest.mark.parametrize("status", [200, 302, 400, 401, 409, 422, 429, 500, 503])
@pytest.mark.parametrize("track", [lead, sale])
def test_no_record_and_no_outcome_has_anything_of_the_event(
    track: Any, status: int, log: pytest.LogCaptureFixture
) -> None:
    """Whatever the service echoes, and whatever is invalid, the log has metadata only."""
    told: list[Outcome] = []
    event = {**EVENT, **(SALE if track is sale else {})}
    steps = [_echo(status, name) for name in ECHOED]
    with (
        Server(*steps) as server,
        client_of(server, max_retries=0, on_outcome=told.append) as client,
    ):
        for _ in steps:
            track(client, **event)
        track(client, **{**event, "customer_email": "zoe.secret.example", "customer_name": 7})
        track(client, **{**event, "event_name": "Bought-Elephant" * 99, "timestamp": "Secretson"})
        assert len(server.requests) == len(steps) + 1
    records = [vars(record) for record in log.records if record.name == "cutmeshort"]
    said = [[record[name] for name in ("msg", "args", "exc_text")] for record in records]
    text = str(said) + str([record.get("cms") for record in records]) + str(told)
    assert records
    assert [secret for secret in PRIVATE if secret in text] == []


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("req_8f2", "req_8f2"),
        ("0" * 200, "0" * 200),
        ("0" * 201, None),
        ("two words", None),
        ("", None),
        ("ümlaut", None),
        (7, None),
        (None, None),
        ("user_42", None),
        ("req/USER_42/1", None),
        ("req/user%5F42", None),
        (TOKEN, None),
    ],
)
@pytest.mark.parametrize("status", [200, 400])
def test_a_request_id_is_passed_on_where_it_is_one(value: Any, shown: Any, status: int) -> None:
    """The id of the body takes precedence over the header's; what has data of the event is none."""
    with Server(reply(status, json={"requestId": value})) as server, client_of(server) as client:
        assert lead(client).get("request_id") == shown
    step = reply(status, json={"requestId": value}, headers={"X-Request-ID": "header-1"})
    with Server(step) as server, client_of(server) as client:
        assert lead(client).get("request_id") == (shown or "header-1")


@pytest.mark.parametrize(
    ("service_type", "shown"),
    [
        ("wrong_lead", "wrong_lead"),
        ("purchase_rejected", "purchase_rejected"),
        ("duplicate_event", "duplicate_event"),
        ("purchase", None),
        ("no Purchase here", None),
        ("err u42", None),
        ("a/Zoe/b", None),
        ("wrong click-zebra", None),
        ("wrong_click-zebra", None),
        ("  Zoe ", None),
        (" wrong ", "wrong"),
        ("   ", None),
        (TOKEN.upper()[:9], TOKEN.upper()[:9]),
    ],
)
def test_a_type_is_passed_on_where_it_has_nothing_of_the_event(
    service_type: str, shown: Any
) -> None:
    """Else the type is the SDK's; a name of an event that is a part of a word is no echo."""
    event = {"event_name": "Purchase", "customer_external_id": "u42", "click_id": "click-zebra"}
    with Server(reply(422, json={"type": service_type})) as server, client_of(server) as client:
        result = lead(client, **event, customer_name=" Zoe ")
    assert result["type"] == (shown or "unprocessable_entity")


def test_the_contracts_own_types_are_passed_on_whatever_the_event_is() -> None:
    """Neither a customer whose id is a part of `duplicate_event` nor a mode hides a type."""
    steps = [reply(409, json={"type": name}) for name in ("duplicate_event", "deferred_exists")]
    with Server(*steps) as server, client_of(server) as client:
        assert lead(client, customer_external_id="duplicate")["type"] == "duplicate_event"
        assert lead(client, mode="deferred")["type"] == "deferred_exists"


def test_a_logger_that_fails_changes_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even a logger of a class of the application's own can't make a call raise."""

    def fail(_level: int) -> bool:
        raise ValueError

    monkeypatch.setattr(logging.getLogger("cutmeshort"), "isEnabledFor", fail)
    with Server(OK) as server, client_of(server) as client:
        assert lead(client)["success"] is True
        assert lead(client, event_name="")["type"] == "validation_error"


def _said(status: int, *event: str) -> str:
    """What the log says of calls whose event is echoed, in lower case."""
    text: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            text.append(record.getMessage() + str(getattr(record, "cms", "")))

    logger = logging.getLogger("cutmeshort")
    level = logger.level
    logger.setLevel(logging.DEBUG)
    steps = [_echo(status, name) for name in ECHOED[:3]]
    try:
        with (
            Server(*steps) as server,
            handler(Keep()),
            client_of(server, max_retries=0) as client,
        ):
            for _ in steps:
                client.track_lead(*event)
    finally:
        logger.setLevel(level)
    assert text
    return " ".join(text).lower()


# Without digits: six zeros, for example, may be in a time.
TEXT = st.text(st.characters(exclude_categories=["Cs", "Nd"]), min_size=6, max_size=60)


@given(event=TEXT, customer=TEXT, click=TEXT, status=st.sampled_from([200, 400, 409, 503]))
@settings(max_examples=40)
def test_no_text_of_an_event_ever_gets_into_the_log(
    event: str, customer: str, click: str, status: int
) -> None:
    """Whatever the texts of an event are, no line has more of them than it has of other texts."""
    said = _said(status, event, customer, click)
    others = _said(status, "<event>", "<customer>", "<click>")
    for value in (event, customer, click):
        assert value.lower() not in said or value.lower() in others


def test_a_wrong_token_is_one_warning_for_each_lead(caplog: pytest.LogCaptureFixture) -> None:
    """At the default level, an operator sees that nothing was tracked, and why."""
    with Sandbox() as sandbox, CMSClient("wrong", sandbox.url) as client:
        for number in range(3):
            assert lead(client, customer_external_id=number)["success"] is False
    assert len(lines(caplog, logging.WARNING)) == 3
    assert all("check the token argument or CMS_BEARER_TOKEN" in line for line in lines(caplog))
