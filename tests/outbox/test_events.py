"""QueuedEvent, and QueueTracker with a queue of the application."""

import dataclasses
import json
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutmeshort import ApiException, ApiValueError, LeadPayload
from cutmeshort.operations import OPERATIONS, Operation
from cutmeshort.outbox import QueuedEvent, QueueTracker

from ..support.operations import each_operation, full, minimal, payload, payloads, private
from .events import queued


@given(event=st.sampled_from(OPERATIONS).flatmap(payloads))
def test_an_event_survives_a_queue(event: LeadPayload) -> None:
    """Any payload has the same fields after it was sent through a queue as a message."""
    sent = QueuedEvent.create(event)
    received = QueuedEvent.from_json(sent.to_json())
    assert received == sent
    expected = event if event.timestamp else event.model_copy(update={"timestamp": None})
    found = received.payload()
    if event.timestamp is None:
        found = found.model_copy(update={"timestamp": None})
    assert found == expected


@each_operation
def test_a_key_has_the_fields_that_the_service_deduplicates_by(operation: Operation) -> None:
    """The key is a hash of exactly the fields by which the service deduplicates."""
    event = payload(operation, **minimal(operation))
    key = QueuedEvent.create(event).key
    for name, value in full(operation).items():
        if name == "mode":  # needs a click
            continue
        other = QueuedEvent.create(payload(operation, **{name: value}))
        assert (other.key != key) == (name in operation.key), name


def test_a_follow_up_differs_from_its_deferred_lead() -> None:
    """A follow-up with the name of its deferred lead is another event of the same customer."""
    fields = {"event_name": "Sign up", "customer_external_id": "user_42"}
    deferred = QueuedEvent.create(LeadPayload(**fields, click_id="click_1", mode="deferred"))
    follow_up = QueuedEvent.create(LeadPayload(**fields))
    assert deferred.key != follow_up.key
    assert deferred.customer == follow_up.customer


def test_a_timestamp_that_was_given_is_kept() -> None:
    """Only an event without a timestamp gets the current time."""
    stamp = datetime(2026, 1, 31, tzinfo=timezone.utc)
    event = QueuedEvent.create(queued(1).payload().model_copy(update={"timestamp": stamp}))
    assert event.payload().timestamp == stamp


@pytest.mark.parametrize("value", [None, {}, "payload"])
def test_only_a_payload_becomes_an_event(value: Any) -> None:
    """An event of anything except a payload raises ApiValueError."""
    with pytest.raises(ApiValueError, match="must be a LeadPayload or a SalePayload"):
        QueuedEvent.create(value)


@pytest.mark.parametrize(
    ("name", "value"), [("operation", "track_refund"), ("body", "{}"), ("body", "Secretson")]
)
def test_an_event_of_another_version_is_rejected(name: str, value: str) -> None:
    """An event that this version can't read raises ApiValueError, without event data."""
    event = dataclasses.replace(queued(1), **{name: value})
    with pytest.raises(ApiValueError, match="not valid in this version") as caught:
        event.payload()
    assert "Secretson" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "Secretson", "{}", '{"operation": "Secretson"}', "[1]"])
def test_another_message_is_rejected(text: str) -> None:
    """A message that is not an event raises ApiValueError, without the text."""
    with pytest.raises(ApiValueError, match="not a queued event") as caught:
        QueuedEvent.from_json(text)
    assert "Secretson" not in str(caught.value)
    assert caught.value.__cause__ is None


@each_operation
def test_the_representation_shows_no_event_data(operation: Operation) -> None:
    """`repr` shows the operation only."""
    event = QueuedEvent.create(operation.request_model.from_dict(full(operation)))
    assert repr(event) == f"QueuedEvent({operation.name})"
    assert all(part in json.loads(event.to_json())["body"] for part in private(operation))


def test_a_tracker_queues_with_a_function_of_the_application() -> None:
    """The function gets the event and the call's timeout, and tells whether it is a duplicate."""
    calls: list[tuple[QueuedEvent, float]] = []

    def add(event: QueuedEvent, timeout: float) -> bool:
        calls.append((event, timeout))
        return len(calls) > 1

    tracker = QueueTracker(add, timeout=2)
    results = [tracker.track(queued(1).payload()), tracker.track(queued(1).payload(), timeout=3)]
    assert [result["data"]["duplicate"] for result in results] == [False, True]
    assert [timeout for _, timeout in calls] == [2, 3]
    assert calls[0][0].key == queued(1).key


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionError("user-7431"), ("outbox_error", True)),
        (LookupError("user-7431"), ("outbox_error", True)),
        (ApiException(0, "outbox_full", "No space.", retryable=True), ("outbox_full", True)),
    ],
    ids=str,
)
def test_an_exception_of_the_queue_becomes_a_result(
    error: Exception, expected: tuple[str, bool], log: pytest.LogCaptureFixture
) -> None:
    """The result and the log name the exception, without its text, which may have event data."""

    def add(_event: QueuedEvent, _timeout: float) -> bool:
        raise error

    result: Any = QueueTracker(add).track(queued(1).payload())
    assert (result["type"], result["retryable"]) == expected
    assert "user-7431" not in str(result) + log.text
    if result["type"] == "outbox_error":
        assert type(error).__name__ in result["error"]
