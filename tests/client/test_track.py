"""`track`: the method that takes a payload."""

from typing import Any, get_args, get_type_hints

import pytest

from cutmeshort import CMSClient, LeadPayload, Outcome
from cutmeshort.operations import OPERATIONS, Operation

from ..support.events import TOKEN, client_of
from ..support.logs import lines
from ..support.operations import each_operation, full, payload, track
from ..support.server import OK, Server, never_respond, respond
from ..support.timing import SLACK, timed


@each_operation
@pytest.mark.parametrize("status", [200, 401, 409, 422])
def test_track_is_the_same_as_the_operations_method(operation: Operation, status: int) -> None:
    """`track` sends the request of the operation's own method, and returns the same result."""
    step = respond(status, json={"message": "From the service", "requestId": "req_1"})
    with Server(step) as server, client_of(server) as client:
        expected = track(client, operation, **full(operation))
        result = client.track(operation.request_model.from_dict(full(operation)))
        first, second = server.requests
    assert result == expected
    assert (second.target, second.json) == (first.target, first.json)


@each_operation
def test_it_is_logged_and_reported_as_the_operation(
    operation: Operation, log: pytest.LogCaptureFixture
) -> None:
    """The log and `on_outcome` name the method of the operation."""
    outcomes: list[Outcome] = []
    with Server(OK) as server, client_of(server, on_outcome=outcomes.append) as client:
        client.track(payload(operation))
    assert [each.operation for each in outcomes] == [operation.name]
    assert lines(log)[-1].startswith(f"{operation.name} tracked")


def test_the_type_of_the_argument_has_every_payload() -> None:
    """A type checker accepts the payload of each operation."""
    accepted = get_args(get_type_hints(CMSClient.track)["payload"])
    assert accepted == tuple(operation.request_model for operation in OPERATIONS)


@pytest.mark.parametrize("value", [None, {}, "payload", LeadPayload, 7])
def test_only_a_payload_is_accepted(value: Any, log: pytest.LogCaptureFixture) -> None:
    """Anything else is a validation error that names the payloads, and nothing is sent."""
    outcomes: list[Outcome] = []
    with CMSClient(TOKEN, "http://127.0.0.1:9", on_outcome=outcomes.append) as client:
        result: Any = client.track(value)
    assert (result["type"], result["retryable"]) == ("validation_error", False)
    assert result["error"] == "payload must be a LeadPayload or a SalePayload"
    assert [each["field"] for each in result["details"]] == ["payload"]
    assert [(each.operation, each.status_code) for each in outcomes] == [("track", 422)]
    assert len(lines(log)) == 1


@each_operation
def test_the_options_are_checked(operation: Operation) -> None:
    """Both options are checked, with all errors in one result."""
    with CMSClient(TOKEN, "http://127.0.0.1:9") as client:
        result: Any = client.track(payload(operation), timeout=0, max_retries=-1)
    assert [each["field"] for each in result["details"]] == ["timeout", "max_retries"]


def test_the_options_are_those_of_the_call() -> None:
    """`timeout` and `max_retries` take precedence over the settings of the client."""
    event = LeadPayload(event_name="Sign up", customer_external_id="user_42")
    with Server(respond(500), never_respond) as server, client_of(server) as client:
        result: Any = client.track(event, max_retries=0)
        assert (result["status_code"], result["attempts"]) == (500, 1)
        result, seconds = timed(lambda: client.track(event, timeout=0.2))
    assert result["type"] == "timeout"
    assert seconds < SLACK
