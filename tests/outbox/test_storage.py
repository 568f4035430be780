"""The events in the file: their order, their states, and what is kept of those delivered."""

import time
from pathlib import Path

import pytest

from cutmeshort.outbox import storage as module
from cutmeshort.outbox.policy import MAX_AGE
from cutmeshort.outbox.storage import Storage

from ..support.timing import LONG
from .events import deliver_all, name_of, open_storage, put, queued, take

DAY = 86_400.0


def test_events_are_delivered_in_the_order_of_hand_over(storage: Storage, path: Path) -> None:
    """Another process gets the events in the order in which they were handed over."""
    events = [queued(number) for number in range(5)]
    assert put(storage, *events[:3]) == [False] * 3
    assert put(storage, *events[3:]) == [False] * 2
    other = open_storage(path)
    assert deliver_all(other) == [name_of(event) for event in events]
    other.close()


def test_the_first_hand_over_wins(storage: Storage) -> None:
    """An event with the key of a waiting or delivered one is a duplicate, and not stored."""
    assert put(storage, queued(1), queued(1)) == [False, True]
    assert put(storage, queued(1)) == [True]
    assert deliver_all(storage) == ["Event 1"]
    assert put(storage, queued(1)) == [True]
    assert storage.next(LONG) is None


def test_a_dead_letter_is_replaced_by_its_next_hand_over(storage: Storage) -> None:
    """The event of a dead letter can be handed over again, and keeps the noted attempts."""
    put(storage, queued(1))
    storage.note_attempt(take(storage), LONG)
    storage.dead(take(storage), "not_valid", "", LONG)
    assert put(storage, queued(1)) == [False]
    assert take(storage).may_be_recorded
    assert storage.summary(LONG)["dead"] == 0


def test_an_event_from_elsewhere_may_have_been_sent(storage: Storage) -> None:
    """`may_be_recorded` has the same effect as an attempt whose outcome is not known."""
    put(storage, queued(1), queued(2), may_be_recorded=True)
    assert take(storage).may_be_recorded
    storage.delivered(take(storage), LONG)
    storage.not_recorded(take(storage), LONG)
    assert take(storage).may_be_recorded


def test_the_state_of_a_key_is_known(storage: Storage) -> None:
    """The state of a key is that of its event; an unknown key has none."""
    events = [queued(number) for number in range(4)]
    put(storage, *events[:3])
    storage.delivered(take(storage), LONG)
    storage.dead(take(storage), "not_valid", "", LONG)
    states = storage.states([event.key for event in events], LONG)
    expected = zip(events, ("delivered", "dead", "waiting"))
    assert states == {event.key: state for event, state in expected}


def test_the_events_of_a_customer_wait_for_each_other(storage: Storage) -> None:
    """While a customer's event is deferred, only events of other customers are delivered."""
    put(storage, queued(1, "ann"), queued(2, "ann"), queued(3, "bob"), queued(4, "ann"))
    first = take(storage)
    storage.defer(first, 1, LONG)
    second = take(storage)
    assert name_of(second.event) == "Event 3"
    storage.delivered(second, LONG)
    assert storage.next(LONG) is None
    storage.release([first.id], LONG)
    assert take(storage).failures == 1
    storage.dead(take(storage), "not_valid", "", LONG)
    assert deliver_all(storage) == ["Event 2", "Event 4"]


def test_a_start_makes_deferred_events_ready(storage: Storage) -> None:
    """A new deliverer gets the events that the last one had deferred."""
    put(storage, queued(1))
    storage.defer(take(storage), 1, LONG)
    assert storage.next(LONG) is None
    storage.start(LONG)
    assert name_of(take(storage).event) == "Event 1"


def test_a_retried_dead_letter_keeps_its_place(storage: Storage) -> None:
    """A retried dead letter is delivered before its customer's later events."""
    put(storage, *(queued(number, "ann") for number in range(1, 4)))
    storage.dead(take(storage), "not_valid", "", LONG)
    in_flight = take(storage)
    assert storage.retry(None, LONG) == 1
    storage.defer(in_flight, 1, LONG)
    storage.release([in_flight.id], LONG)
    assert deliver_all(storage) == ["Event 1", "Event 2", "Event 3"]


def test_only_the_given_dead_letters_are_retried(storage: Storage) -> None:
    """Ids that are not those of dead letters are ignored."""
    put(storage, *(queued(number) for number in range(3)))
    storage.dead(take(storage), "not_valid", "", LONG)
    storage.dead(take(storage), "not_valid", "", LONG)
    assert storage.retry([2, 3, 99], LONG) == 1
    assert deliver_all(storage) == ["Event 1", "Event 2"]


@pytest.mark.parametrize("call", ["retry", "purge"])
def test_many_dead_letters_do_not_lock_the_file_for_long(
    call: str, storage: Storage, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While dead letters are retried or purged in parts, another process can hand events over."""
    put(storage, *(queued(number) for number in range(5)))
    for _ in range(5):
        storage.dead(take(storage), "not_valid", "", LONG)
    other = open_storage(path)
    numbers = iter(range(5, 99))

    def hand_over(_seconds: float) -> None:
        assert other.put([queued(next(numbers))], 0.0) == [False]

    monkeypatch.setattr(module, "_PART", 2)
    monkeypatch.setattr(time, "sleep", hand_over)
    assert getattr(storage, call)(None, LONG) == 5
    other.close()
    first = 0 if call == "retry" else 5
    assert deliver_all(storage) == [f"Event {number}" for number in range(first, 8)]


def test_a_retried_event_that_expired_gets_more_time(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The age of an expired dead letter starts again; that of another one does not."""
    put(storage, queued(1))
    now = time.time()
    storage.dead(take(storage), "not_valid", "", LONG)
    monkeypatch.setattr(time, "time", lambda: now + MAX_AGE - 60)
    storage.retry(None, LONG)
    assert take(storage).event.created_at <= now
    storage.dead(take(storage), "expired", "", LONG)
    monkeypatch.setattr(time, "time", lambda: now + MAX_AGE + 60)
    storage.retry(None, LONG)
    assert take(storage).event.created_at == now + MAX_AGE + 60


@pytest.mark.parametrize("call", ["delivered", "dead", "defer", "note_attempt", "not_recorded"])
def test_an_outcome_does_not_concern_the_event_of_another_file(
    call: str, storage: Storage, path: Path
) -> None:
    """After the file was replaced, an outcome does not change another event with the same id."""
    put(storage, queued(1))
    old = take(storage)
    path.unlink()
    put(storage, queued(2), may_be_recorded=call == "not_recorded")
    arguments = {"dead": ["not_valid", ""], "defer": [1]}.get(call, [])
    getattr(storage, call)(old, *arguments, LONG)
    assert (take(storage).id, take(storage).may_be_recorded) == (old.id, call == "not_recorded")
    assert deliver_all(storage) == ["Event 2"]


def test_an_event_that_was_purged_is_not_sent(storage: Storage) -> None:
    """No attempt is noted for an event that was purged, so the deliverer does not send it."""
    put(storage, queued(1), queued(2, "ann"), queued(3, "ann"))
    stored = take(storage)
    assert storage.note_attempt(stored, LONG)
    assert storage.purge(stored.event.customer, LONG) == 1
    assert not storage.note_attempt(stored, LONG)
    storage.delivered(stored, LONG)
    assert storage.summary(LONG)["delivered"] == 0
    storage.dead(take(storage), "not_valid", "", LONG)
    assert storage.purge(None, LONG) == 1
    assert deliver_all(storage) == ["Event 3"]


@pytest.mark.parametrize(("days", "expected"), [(6, True), (8, False), (-8, True)])
def test_the_keys_of_delivered_events_are_kept_for_some_days(
    days: int, expected: bool, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key is forgotten after the time, not before, and not if the clock is set back."""
    put(storage, queued(1), queued(2))
    storage.delivered(take(storage), LONG)
    now, started = time.time() + days * DAY, time.monotonic()
    monkeypatch.setattr(time, "time", lambda: now)
    monkeypatch.setattr(time, "monotonic", lambda: started + abs(days) * DAY)
    storage.delivered(take(storage), LONG)
    keys = [queued(1).key, queued(2).key]
    states = storage.states(keys, LONG)
    assert states == (dict.fromkeys(keys, "delivered") if expected else {keys[1]: "delivered"})


def test_old_keys_are_searched_for_once_an_hour(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A delivery soon after another one does not search all keys for old ones."""
    put(storage, queued(1), queued(2))
    storage.delivered(take(storage), LONG)
    now = time.time() + 8 * DAY
    monkeypatch.setattr(time, "time", lambda: now)
    storage.delivered(take(storage), LONG)
    assert len(storage.states([queued(1).key, queued(2).key], LONG)) == 2


def test_a_summary_has_the_numbers_and_what_the_deliverer_reports(storage: Storage) -> None:
    """The summary counts the events by state, and has the latest values of the report."""
    assert storage.summary(LONG) == {"delivered": 0, "waiting": 0, "dead": 0, "oldest": None}
    events = [queued(number) for number in range(4)]
    put(storage, *events)
    storage.delivered(take(storage), LONG)
    storage.dead(take(storage), "not_valid", "", LONG)
    storage.report({"reason": "timeout", "per_minute": 60}, LONG)
    storage.report({"reason": None}, LONG)
    assert storage.summary(LONG) == {
        "delivered": 1,
        "waiting": 2,
        "dead": 1,
        "oldest": events[2].created_at,
        "reason": None,
        "per_minute": 60,
    }


def test_long_lists_are_read_in_parts(storage: Storage) -> None:
    """A list continues after an id, and has at most the given number of events."""
    put(storage, *(queued(number) for number in range(1, 6)))
    storage.dead(take(storage), "not_valid", "why", LONG)
    (dead,) = storage.list(LONG, dead=True)
    assert (dead.id, dead.reason, dead.message) == (1, "not_valid", "why")
    assert [event.id for event in storage.list(LONG, dead=False, limit=2)] == [2, 3]
    assert [event.id for event in storage.list(LONG, dead=False, after=3)] == [4, 5]
