"""What the SDK logs: each attempt and call at DEBUG, one WARNING for each event not tracked."""

import logging
import re
from typing import Any

import pytest

from cutmeshort import CMSClient, Configuration, Outcome
from cutmeshort.operations import Operation
from cutmeshort.sandbox import Sandbox

from ..support.events import client_of, lead, sale
from ..support.logs import FailingHandler, handler, lines
from ..support.operations import each_operation, track
from ..support.server import Server, drop, never_respond, respond

OK = respond(json={"success": True, "requestId": "req_1"})


TIME = r"[0-9]+\.[0-9]+ s"


@each_operation
@pytest.mark.usefixtures("clock")
def test_each_attempt_and_each_tracked_call_is_logged_at_debug(
    operation: Operation, log: pytest.LogCaptureFixture
) -> None:
    """A call that succeeds at its second attempt logs each attempt, its outcome and duration."""
    with Server(respond(503), OK) as server, client_of(server) as client:
        assert track(client, operation)["success"] is True
    first, second, tracked = lines(log)
    wait = r"retrying in [0-9]\.[0-9] s"
    assert re.fullmatch(f"{operation.name} attempt 1 of 4: 503 in {TIME}, {wait}", first)
    assert re.fullmatch(f"{operation.name} attempt 2 of 4: 200 in {TIME}", second)
    assert re.fullmatch(f"{operation.name} tracked: 200 after 2 attempts in {TIME}", tracked)
    assert {record.levelno for record in log.records} == {logging.DEBUG}


@each_operation
@pytest.mark.usefixtures("no_wait")
@pytest.mark.parametrize(
    ("step", "line"),
    [
        (
            respond(401),
            "unauthorized (401) after 1 attempt in TIME: The service rejected the token",
        ),
        (drop, "network_error after 4 attempts in TIME (retryable): 127.0.0.1"),
        (
            respond(503),
            "service_unavailable (503) after 4 attempts in TIME (retryable): The service",
        ),
        (never_respond, "timeout after 4 attempts in TIME (retryable): 127.0.0.1"),
        (respond(200, "<html>"), "invalid_response (200) after 1 attempt in TIME (retryable): The"),
    ],
)
def test_an_event_that_was_not_tracked_is_one_warning(
    operation: Operation, step: Any, line: str, log: pytest.LogCaptureFixture
) -> None:
    """A warning has the operation, the error, the number of attempts, and what to do."""
    configuration = Configuration(request_timeout=(3, 0.1 if step is never_respond else 5))
    with Server(step) as server, client_of(server, configuration=configuration) as client:
        assert track(client, operation)["success"] is False
    (warning,) = lines(log, logging.WARNING)
    expected = re.escape(f"{operation.name} not tracked: {line}").replace("TIME", TIME)
    assert re.match(expected, warning)


def test_a_warning_describes_the_response(log: pytest.LogCaptureFixture) -> None:
    """A warning has the host, how long the service asks the client to wait, and the request id."""
    headers = {"Retry-After": "60", "X-Request-Id": "req_2"}
    with Server(respond(429, headers=headers), respond(401)) as server, client_of(server) as client:
        lead(client)
        lead(client)
        host = f"127.0.0.1:{server.port}"
    first, second = lines(log, logging.WARNING)
    assert first.endswith(f"per minute per user. ({host}, retry after 60 s, request id req_2)")
    assert second.endswith(f"or CMS_BEARER_TOKEN. ({host})")
    assert "attempt 1 of 4: 429" in lines(log)[0]
    assert lines(log)[0].endswith(", not retried: the wait would extend past the deadline")
    assert re.fullmatch(f"track_lead attempt 1 of 4: 401 in {TIME}", lines(log)[2])


@each_operation
def test_a_call_on_a_closed_client_makes_no_attempt(
    operation: Operation, log: pytest.LogCaptureFixture
) -> None:
    """A call on a closed client logs one line; neither it nor the result counts an attempt."""
    with Server() as server:
        client = client_of(server)
        client.close()
        assert track(client, operation)["attempts"] == 0
    text = "client_closed (retryable): The client is closed: create a new one."
    assert lines(log) == [f"{operation.name} not tracked: {text}"]


def test_a_missing_click_is_logged(log: pytest.LogCaptureFixture) -> None:
    """A warning about a missing click has the SDK's own message, and not the service's."""
    with Sandbox() as sandbox, CMSClient(sandbox.token, sandbox.url) as client:
        result = lead(client, click_id=None)
    assert result["error"].startswith("clickId is required")
    assert "no click_id" not in result["error"]
    (warning,) = lines(log, logging.WARNING)
    assert "The service rejected a field. The event has no click_id, which is required" in warning


def test_a_call_with_invalid_arguments_is_one_warning(
    log: pytest.LogCaptureFixture, offline_client: CMSClient
) -> None:
    """One warning names the invalid arguments of a call and says what is wrong with each."""
    sale(offline_client, amount=1.5, currency="dollars")
    (warning,) = lines(log)
    assert warning.startswith(
        "track_sale not tracked: validation_error: amount: Input should be an"
    )
    assert "; currency: Input should be a three-letter" in warning


@each_operation
def test_arguments_that_were_left_out_are_one_warning(
    operation: Operation, log: pytest.LogCaptureFixture
) -> None:
    """One warning names the arguments that the client left out, without their values."""
    with Server(OK) as server, client_of(server) as client:
        invalid = {"customer_email": "zoe", "customer_avatar": "zoe.png"}
        track(client, operation, **invalid, timestamp="2026-01-31")
    warning = 'left out customer_email, customer_avatar: not valid, see "warnings" in the result'
    assert lines(log, logging.WARNING) == [f"{operation.name} {warning}"]
    assert len(lines(log)) == 3


@each_operation
def test_a_disabled_client_logs_at_debug_only(
    operation: Operation, log: pytest.LogCaptureFixture
) -> None:
    """A disabled client logs no warning, whatever its arguments are."""
    outcomes: list[Outcome] = []
    with CMSClient(enabled=False, on_outcome=outcomes.append) as client:
        track(client, operation, customer_email="x")
        track(client, operation, event_name=1.5)
    assert [outcome.type for outcome in outcomes] == ["disabled", "validation_error"]
    assert len(lines(log)) == 2
    assert {record.levelno for record in log.records} == {logging.DEBUG}


@pytest.mark.usefixtures("log", "no_wait")
def test_a_failing_log_handler_changes_no_result() -> None:
    """A log handler that fails does not change a result, whichever message it handles."""

    def fail(_outcome: Outcome) -> None:
        raise ValueError

    with (
        Server(respond(503), OK) as server,
        handler(FailingHandler()),
        client_of(server, on_outcome=fail) as client,
    ):
        assert lead(client, customer_email="x")["success"] is True
        assert lead(client, event_name="")["type"] == "validation_error"
        assert len(server.requests) == 2


def test_the_sdk_does_not_configure_logging() -> None:
    """The SDK's logger has no level, propagates, and has no handler except a NullHandler."""
    logger = logging.getLogger("cutmeshort")
    assert (logger.level, logger.propagate, logger.disabled) == (logging.NOTSET, True, False)
    assert [type(each) for each in logger.handlers] == [logging.NullHandler]


def test_a_failing_logger_changes_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """A logger whose methods fail can't make a call raise."""

    def fail(_level: int) -> bool:
        raise ValueError

    monkeypatch.setattr(logging.getLogger("cutmeshort"), "isEnabledFor", fail)
    with Server(OK) as server, client_of(server) as client:
        assert lead(client)["success"] is True
        assert lead(client, event_name="")["type"] == "validation_error"


def test_an_unknown_token_is_one_warning_for_each_lead(caplog: pytest.LogCaptureFixture) -> None:
    """With an unknown token, each lead logs a warning that says to check the token."""
    with Sandbox() as sandbox, CMSClient("wrong", sandbox.url) as client:
        for number in range(3):
            assert lead(client, customer_external_id=number)["success"] is False
    assert len(lines(caplog, logging.WARNING)) == 3
    assert all("check the token argument or CMS_BEARER_TOKEN" in line for line in lines(caplog))
