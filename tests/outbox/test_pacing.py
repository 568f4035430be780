"""When requests may be sent, and when events that failed are sent again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutmeshort.outbox.pacing import Deferred, Pacing
from cutmeshort.outbox.policy import MAX_PAUSE, Action, Decision

RATE_LIMITED = Decision(Action.RETRY, "rate_limit_exceeded", pause=10.0, is_rate_limited=True)


@pytest.mark.parametrize("idle", [0.0, 3600.0])
def test_requests_are_spaced_evenly(idle: float) -> None:
    """A sender may send one request per interval, even after an idle hour."""
    pacing = Pacing(50)
    assert pacing.wait(idle) == 0
    pacing.sent(idle)
    assert pacing.wait(idle) == pytest.approx(1.2)
    assert pacing.wait(idle + 1.0) == pytest.approx(0.2)
    assert pacing.wait(idle + 2.0) == 0


def test_a_rate_limit_halves_the_rate_which_grows_back() -> None:
    """After a 429, the rate is half, and grows by one request per minute in a minute."""
    pacing = Pacing(50)
    pacing.after(RATE_LIMITED, 100.0)
    assert pacing.rate(100.0) == 25
    assert pacing.rate(160.0) == 26
    assert pacing.rate(100.0 + 60 * 60) == 50
    pacing.after(RATE_LIMITED, 160.0)
    assert pacing.rate(160.0) == 13


def test_the_rate_has_a_lower_limit() -> None:
    """After any number of 429s, a sender still sends one request per minute."""
    pacing = Pacing(50)
    for _ in range(2000):
        pacing.after(RATE_LIMITED, 0.0)
    assert pacing.rate(0.0) == 1
    pacing.sent(0.0)
    assert pacing.wait(0.0) == 60


def test_a_pause_holds_requests_back() -> None:
    """During a pause, no request may be sent."""
    pacing = Pacing(0)
    pacing.after(Decision(Action.RETRY, "bad_gateway", pause=8.0, is_transient=True), 1.0)
    assert pacing.wait(3.0) == 6.0
    assert pacing.wait(9.0) == 0


def test_without_a_limit_only_pauses_hold_requests_back() -> None:
    """With a limit of 0, requests follow each other at once, except during a pause."""
    pacing = Pacing(0)
    pacing.sent(5.0)
    assert (pacing.wait(5.0), pacing.rate(5.0)) == (0, 0)
    pacing.after(RATE_LIMITED, 5.0)
    assert (pacing.wait(5.0), pacing.rate(5.0)) == (10.0, 0)


@given(
    st.floats(1, 1000),
    st.lists(st.tuples(st.floats(0, 100), st.sampled_from(["send", "limit"])), max_size=50),
)
def test_the_rate_is_never_exceeded(per_minute: float, steps: list[tuple[float, str]]) -> None:
    """Whatever happens, requests are never closer together than the highest rate permits."""
    pacing = Pacing(per_minute)
    now, latest = 0.0, -1e9
    for seconds, step in steps:
        now += seconds
        assert 0 < pacing.rate(now) <= per_minute
        if step == "limit":
            pacing.after(RATE_LIMITED, now)
        elif pacing.wait(now) == 0:
            assert now - latest >= 60 / per_minute * 0.999
            pacing.sent(now)
            latest = now


def test_events_are_due_after_their_waits() -> None:
    """An event that failed is returned once, when its latest wait is over."""
    deferred = Deferred()
    deferred.add(1, 20.0, 0.0)
    deferred.add(2, 5.0, 0.0)
    assert deferred.pop_due(4.9) == []
    assert deferred.pop_due(5.0) == [2]
    deferred.add(2, 10.0, 6.0)
    assert deferred.pop_due(30.0) == [2, 1]
    assert deferred.pop_due(1e9) == []


def test_an_event_is_due_early_if_no_other_is_ready() -> None:
    """Without other events, the event that failed first is returned after the longest pause."""
    deferred = Deferred()
    assert deferred.pop_idle(1e9) == []
    deferred.add(1, 900.0, 0.0)
    deferred.add(2, 900.0, 1.0)
    assert deferred.pop_idle(MAX_PAUSE - 1) == []
    assert deferred.pop_idle(MAX_PAUSE) == [1]
    assert deferred.pop_idle(MAX_PAUSE) == []
    deferred.add(1, 900.0, MAX_PAUSE)
    assert deferred.pop_idle(MAX_PAUSE + 1) == [2]
    assert deferred.pop_due(900.0) == []
    assert deferred.pop_due(900.0 + MAX_PAUSE) == [1]
