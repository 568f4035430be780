"""Outbox: the results of hand-overs, and the methods that manage the events."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from cutmeshort import ApiException, ApiTypeError, ApiValueError, Outcome
from cutmeshort.operations import Operation
from cutmeshort.outbox import Outbox, QueuedEvent
from cutmeshort.outbox.lock import DeliveryLock

from ..support.logs import lines
from ..support.operations import each_operation, full, minimal
from ..support.timing import LONG
from .events import deliver_all, put, queued, take

QUEUED = {
    "success": True,
    "message": "Queued for delivery",
    "data": {"queued": True, "duplicate": False},
}


@each_operation
def test_an_event_is_queued_as_it_was_given(operation: Operation, outbox: Outbox) -> None:
    """The methods of the client queue a valid event, once, with all its fields."""
    given = full(operation)
    call = getattr(outbox, operation.name)
    assert call(**given) == QUEUED
    assert call(**given) == {**QUEUED, "data": {"queued": True, "duplicate": True}}
    (event,) = outbox.events(dead=False, with_body=True)
    assert operation.request_model.from_json(event["body"]) == operation.request_model(**given)
    assert event["operation"] == operation.name


@each_operation
def test_an_event_without_timestamp_gets_the_time_of_its_hand_over(
    operation: Operation, outbox: Outbox
) -> None:
    """An event that is delivered later has the time at which it happened."""
    before = time.time()
    assert getattr(outbox, operation.name)(**minimal(operation)) == QUEUED
    timestamp = take(outbox.storage).event.payload().timestamp
    assert timestamp is not None
    assert before - 0.001 <= timestamp.timestamp() <= time.time()


@each_operation
def test_an_invalid_event_is_not_queued(operation: Operation, outbox: Outbox) -> None:
    """A result of type `validation_error` means that nothing was queued."""
    result = getattr(outbox, operation.name)(**{**minimal(operation), "event_name": ""})
    assert (result["type"], result["retryable"]) == ("validation_error", False)
    assert outbox.status()["waiting"] == 0


@pytest.mark.parametrize(
    ("option", "value"), [("timeout", 0), ("timeout", "1"), ("max_retries", -1)]
)
def test_the_options_of_a_call_are_checked(option: str, value: Any, outbox: Outbox) -> None:
    """An option that is not valid is reported as in the client, and nothing is queued."""
    options: Any = {option: value}
    result: Any = outbox.track(queued(1).payload(), **options)
    assert [each["field"] for each in result["details"]] == [option]
    assert outbox.status()["waiting"] == 0
    assert outbox.track(queued(1).payload(), timeout=LONG, max_retries=3)["success"]


def test_outcomes_are_logged_and_passed_to_the_hook(
    path: Path, log: pytest.LogCaptureFixture
) -> None:
    """As in the client: a hand-over is logged at DEBUG, a failure as a warning."""
    outcomes: list[Outcome] = []
    with Outbox(path, on_outcome=outcomes.append) as outbox:
        outbox.track(queued(1).payload())
        path.unlink()
        path.write_bytes(b"x")
        outbox.track(queued(2).payload())
    assert [each.type for each in outcomes] == [None, "outbox_error"]
    assert [record.levelname for record in log.records] == ["DEBUG", "WARNING"]
    assert "outbox_error (retryable): The outbox file can't be used" in lines(log)[1]


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"timeout": 0}, ApiValueError, "timeout must be"),
        ({"enabled": 1}, ApiValueError, "enabled must be"),
        ({"max_bytes": "1 GB"}, ApiValueError, "max_bytes must be"),
        ({"on_outcome": 1}, ApiTypeError, "on_outcome must be"),
    ],
)
def test_invalid_settings_are_rejected(
    settings: Any, error: type[Exception], message: str, path: Path
) -> None:
    """An invalid setting raises when the outbox is created, and no file is created."""
    with pytest.raises(error, match=message):
        Outbox(path, **settings)
    assert not path.exists()


def test_events_from_elsewhere_are_put_in_their_order(outbox: Outbox) -> None:
    """`put` adds events of another queue, and tells which are duplicates."""
    assert outbox.put([queued(1), queued(2), queued(1)]) == [False, False, True]
    assert outbox.put([queued(3)], may_be_recorded=True, timeout=LONG) == [False]
    assert deliver_all(outbox.storage) == ["Event 1", "Event 2", "Event 3"]


def test_a_status_describes_the_file(outbox: Outbox, path: Path) -> None:
    """The status has the numbers of events, and the report of the process that delivers."""
    status = outbox.status()
    assert status == {
        "waiting": 0,
        "oldest_age": None,
        "dead": 0,
        "delivered": 0,
        "is_delivering": False,
        "pause": None,
        "reason": None,
        "per_minute": None,
        "bytes": path.stat().st_size,
    }
    put(outbox.storage, queued(1), queued(2))
    outbox.storage.dead(take(outbox.storage), "not_valid", "", LONG)
    pause = {"pause_until": time.time() + 60, "reason": "timeout", "per_minute": 25}
    outbox.storage.report(pause, LONG)
    status = outbox.status()
    assert (status["waiting"], status["dead"], status["per_minute"]) == (1, 1, None)
    assert status["oldest_age"] is not None
    assert 0 <= status["oldest_age"] <= LONG
    lock = DeliveryLock(outbox.storage.path)
    assert lock.acquire()
    status = outbox.status()
    assert (status["is_delivering"], status["reason"], status["per_minute"]) == (
        True,
        "timeout",
        25,
    )
    assert status["pause"] is not None
    assert 60 - LONG <= status["pause"] <= 60
    outbox.storage.report({"pause_until": time.time() - 1}, LONG)
    status = outbox.status()
    assert (status["pause"], status["reason"]) == (None, None)
    lock.release()


def test_events_are_listed_with_the_reason_why_they_wait(outbox: Outbox) -> None:
    """A list has no event data, unless the caller requests the payloads."""
    events = [queued(1), queued(2), queued(3, "ann"), queued(4, "ann"), queued(5)]
    assert outbox.put(events) == [False] * 5
    storage = outbox.storage
    storage.note_attempt(take(storage), LONG)
    storage.dead(take(storage), "not_valid", "The service rejected a field.", LONG)
    storage.defer(take(storage), 1, LONG)
    (dead,) = outbox.events(dead=True)
    assert dead == {
        "id": 1,
        "operation": "track_lead",
        "state": "dead",
        "created_at": events[0].created_at,
        "attempts": 1,
        "reason": "not_valid",
        "message": "The service rejected a field.",
    }
    waiting = outbox.events(dead=False)
    assert [(each["state"], each["message"]) for each in waiting] == [
        ("waiting", "It waits for its next attempt."),
        ("waiting", "It is due."),
        ("waiting", "It waits for an earlier event of the customer."),
        ("waiting", "It is due."),
    ]
    assert "ann" not in str(waiting)
    (event,) = outbox.events(dead=False, after=2, limit=1, with_body=True)
    assert (event["id"], event["body"]) == (3, events[2].body)


@pytest.mark.parametrize("name", ["after", "limit"])
def test_the_part_of_a_list_is_checked(name: str, outbox: Outbox) -> None:
    """Any whole number of 0 or more can be given, however large."""
    outbox.put([queued(1)])
    assert len(outbox.events(dead=False, **{name: 2**70})) == (name == "limit")
    for value in (-1, 1.5, "1"):
        with pytest.raises(ApiValueError, match=name):
            outbox.events(dead=False, **{name: value})


def test_dead_letters_are_retried(outbox: Outbox) -> None:
    """`retry` returns how many dead letters wait again: all, or those with the ids."""
    outbox.put([queued(number) for number in range(3)])
    for _ in range(3):
        outbox.storage.dead(take(outbox.storage), "not_valid", "", LONG)
    assert outbox.retry([2]) == 1
    assert outbox.retry() == 2
    assert outbox.retry() == 0
    assert deliver_all(outbox.storage) == ["Event 0", "Event 1", "Event 2"]


def test_the_events_of_a_customer_are_erased(outbox: Outbox, path: Path) -> None:
    """`purge` erases what waits and the dead letters of a customer, and leaves no byte of it."""
    outbox.put([queued(1, "ann", size=2000), queued(2, "bob"), queued(3, "ann", size=900)])
    outbox.storage.dead(take(outbox.storage), "not_valid", "", LONG)
    assert b"ann" in path.read_bytes()
    assert outbox.purge(customer="ann") == 2
    assert outbox.purge(customer="ann") == 0
    for file in path.parent.iterdir():
        assert b"ann" not in file.read_bytes()
        assert b"xxxxx" not in file.read_bytes()
    assert deliver_all(outbox.storage) == ["Event 2"]


def test_dead_letters_are_erased(outbox: Outbox) -> None:
    """`purge` erases all dead letters, and no other event; it needs to know which."""
    outbox.put([queued(1), queued(2)])
    outbox.storage.dead(take(outbox.storage), "not_valid", "", LONG)
    wrong: list[dict[str, Any]] = [{}, {"customer": "ann", "dead": True}]
    for arguments in wrong:
        with pytest.raises(ApiValueError, match="either"):
            outbox.purge(**arguments)
    assert outbox.purge(dead=True) == 1
    assert deliver_all(outbox.storage) == ["Event 2"]


def test_the_management_of_a_file_that_is_locked_raises(path: Path) -> None:
    """Each method that manages events raises ApiException if it can't use the file."""
    with Outbox(path, timeout=0.05) as outbox, closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        for call in (
            outbox.status,
            outbox.retry,
            lambda: outbox.events(dead=True),
            lambda: outbox.purge(dead=True),
            lambda: outbox.put([QueuedEvent.create(queued(1).payload())]),
        ):
            with pytest.raises(ApiException, match="locked") as caught:
                call()
            assert caught.value.type == "outbox_error"
