"""No log record and no Outcome has event data, whatever the service echoes."""

import logging
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic.alias_generators import to_camel

from cutmeshort import Outcome
from cutmeshort.operations import Operation

from ..support.events import SECRETS, TOKEN, client_of, lead
from ..support.logs import handler
from ..support.operations import each_operation, full, private, track
from ..support.server import Connection, Server, respond


def _echo(status: int, name: str) -> Any:
    """Respond with the whole request, and with one value of it as type and as request id."""

    def step(connection: Connection) -> bool:
        request = connection.request
        assert request is not None
        sent = {**request.json, "token": TOKEN}
        value = str(sent.get(name))
        body = {"error": str(sent), "message": str(sent), "details": [sent], "data": sent}
        body.update(type=value, requestId=value)
        headers = {"X-Request-Id": value} if value.isascii() and value.isprintable() else {}
        return respond(status, json=body, headers=headers)(connection)

    return step


@pytest.mark.parametrize("status", [200, 302, 400, 401, 409, 422, 429, 500, 503])
@each_operation
def test_no_record_and_no_outcome_has_event_data(
    operation: Operation, status: int, log: pytest.LogCaptureFixture
) -> None:
    """Log records and Outcomes have no event data, whatever is invalid and whatever is echoed."""
    outcomes: list[Outcome] = []
    event = full(operation)
    steps = [_echo(status, to_camel(name)) for name in event]
    with (
        Server(*steps) as server,
        client_of(server, max_retries=0, on_outcome=outcomes.append) as client,
    ):
        for _ in steps:
            track(client, operation, **event)
        invalid = {"customer_email": "zoe.secret.example", "customer_name": 7}
        track(client, operation, **{**event, **invalid})
        invalid = {"event_name": "Bought-Elephant" * 99, "timestamp": "Secretson"}
        track(client, operation, **{**event, **invalid})
        assert len(server.requests) == len(steps) + 1
    records = [vars(record) for record in log.records if record.name == "cutmeshort"]
    logged = [[record[name] for name in ("msg", "args", "exc_text")] for record in records]
    text = str(logged) + str([record.get("cms") for record in records]) + str(outcomes)
    assert records
    assert [secret for secret in [*SECRETS, *private(operation)] if secret in text] == []


@pytest.mark.parametrize(
    ("value", "expected"),
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
def test_a_request_id_without_event_data_is_in_the_result(
    value: Any, expected: Any, status: int
) -> None:
    """The result has the body's request id, or else the header's, unless it has event data."""
    with Server(respond(status, json={"requestId": value})) as server, client_of(server) as client:
        assert lead(client).get("request_id") == expected
    step = respond(status, json={"requestId": value}, headers={"X-Request-ID": "header-1"})
    with Server(step) as server, client_of(server) as client:
        assert lead(client).get("request_id") == (expected or "header-1")


@pytest.mark.parametrize(
    ("service_type", "expected"),
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
def test_a_type_without_event_data_is_in_the_result(service_type: str, expected: Any) -> None:
    """The service's type is in the result unless it contains a value of the event."""
    event = {"event_name": "Purchase", "customer_external_id": "u42", "click_id": "click-zebra"}
    with Server(respond(422, json={"type": service_type})) as server, client_of(server) as client:
        result = lead(client, **event, customer_name=" Zoe ")
    assert result["type"] == (expected or "unprocessable_entity")


def test_a_documented_type_is_in_the_result_whatever_the_event_is() -> None:
    """The result has a documented type even if the customer's id or the mode is a part of it."""
    steps = [respond(409, json={"type": name}) for name in ("duplicate_event", "deferred_exists")]
    with Server(*steps) as server, client_of(server) as client:
        assert lead(client, customer_external_id="duplicate")["type"] == "duplicate_event"
        assert lead(client, mode="deferred")["type"] == "deferred_exists"


def _logged(status: int, *event: str) -> str:
    """Return, in lower case, what the client logs of calls whose event is echoed."""
    text: list[str] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            text.append(record.getMessage() + str(getattr(record, "cms", "")))

    logger = logging.getLogger("cutmeshort")
    level = logger.level
    logger.setLevel(logging.DEBUG)
    steps = [_echo(status, name) for name in ("eventName", "customerExternalId", "clickId")]
    try:
        with (
            Server(*steps) as server,
            handler(Collect()),
            client_of(server, max_retries=0) as client,
        ):
            for _ in steps:
                client.track_lead(*event)
    finally:
        logger.setLevel(level)
    assert text
    return " ".join(text).lower()


# Without digits, as the seconds in a log line may contain six zeros, for example.
TEXT = st.text(st.characters(exclude_categories=["Cs", "Nd"]), min_size=6, max_size=60)


@given(event=TEXT, customer=TEXT, click=TEXT, status=st.sampled_from([200, 400, 409, 503]))
@settings(max_examples=40)
def test_no_string_of_an_event_is_logged(
    event: str, customer: str, click: str, status: int
) -> None:
    """The log has no string of the event that it does not have for other events as well."""
    logged = _logged(status, event, customer, click)
    others = _logged(status, "<event>", "<customer>", "<click>")
    for value in (event, customer, click):
        assert value.lower() not in logged or value.lower() in others
