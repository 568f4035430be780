"""No log record and no Outcome has anything of an event, whatever the service echoes."""

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
    """Respond with all that was sent, and with one value of it as type and as request id."""

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
def test_no_record_and_no_outcome_has_anything_of_the_event(
    operation: Operation, status: int, log: pytest.LogCaptureFixture
) -> None:
    """Whatever the service echoes, and whatever is invalid, the log has metadata only."""
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
def test_a_request_id_is_passed_on_where_it_is_safe(value: Any, shown: Any, status: int) -> None:
    """The body's id takes precedence over the header's; an id with data of the event is ignored."""
    with Server(respond(status, json={"requestId": value})) as server, client_of(server) as client:
        assert lead(client).get("request_id") == shown
    step = respond(status, json={"requestId": value}, headers={"X-Request-ID": "header-1"})
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
    """The service's type is used unless it has data of the event; a part of a word is no data."""
    event = {"event_name": "Purchase", "customer_external_id": "u42", "click_id": "click-zebra"}
    with Server(respond(422, json={"type": service_type})) as server, client_of(server) as client:
        result = lead(client, **event, customer_name=" Zoe ")
    assert result["type"] == (shown or "unprocessable_entity")


def test_the_documented_types_are_passed_on_whatever_the_event_is() -> None:
    """A type is passed on although the customer's id, or the mode, is a part of it."""
    steps = [respond(409, json={"type": name}) for name in ("duplicate_event", "deferred_exists")]
    with Server(*steps) as server, client_of(server) as client:
        assert lead(client, customer_external_id="duplicate")["type"] == "duplicate_event"
        assert lead(client, mode="deferred")["type"] == "deferred_exists"


def _logged(status: int, *event: str) -> str:
    """Return what is logged of calls whose event is echoed, in lower case."""
    text: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            text.append(record.getMessage() + str(getattr(record, "cms", "")))

    logger = logging.getLogger("cutmeshort")
    level = logger.level
    logger.setLevel(logging.DEBUG)
    steps = [_echo(status, name) for name in ("eventName", "customerExternalId", "clickId")]
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
    """The log never has a text of the event that it does not have for other events as well."""
    logged = _logged(status, event, customer, click)
    others = _logged(status, "<event>", "<customer>", "<click>")
    for value in (event, customer, click):
        assert value.lower() not in logged or value.lower() in others
