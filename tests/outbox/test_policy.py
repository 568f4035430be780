"""The delivery policy: what happens to an event after each result."""

from functools import partial
from typing import Any, Callable, NamedTuple, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutmeshort import CMSClient
from cutmeshort.exceptions import error_spec
from cutmeshort.outbox import Action, Decision, Streak, decide
from cutmeshort.outbox.policy import (
    MAX_AGE,
    MAX_EVENT_WAIT,
    MAX_PAUSE,
    MAX_RATE_LIMIT_PAUSE,
    MAX_REJECTED_IN_A_ROW,
    SET_UP_PAUSE,
    is_expired,
)
from cutmeshort.results import make_validation_error
from cutmeshort.retry import is_retryable

from ..support.events import client_of, lead, sale
from ..support.server import Server, respond

follow_up = partial(lead, click_id=None)
SUCCESS: Any = {"success": True, "message": "Done", "data": {}}
DONE, DEAD, RETRY = Action.DONE, Action.DEAD_LETTER, Action.RETRY


def error(status: int, type_: Optional[str] = None, **changes: Any) -> Any:
    """Return the result of a client for a response with an error status, or for no response."""
    usual = error_spec(status).type
    type_ = type_ or usual
    result = {"success": False, "error": "…", "status_code": status, "type": type_, "attempts": 1}
    retryable = is_retryable(status, type_ if status // 100 in (0, 2) else usual)
    return {**result, "retryable": retryable, **changes}


class Case(NamedTuple):
    """A result, and what the policy must decide for a first attempt."""

    result: Any
    action: Action
    flag: str = ""

    def __str__(self) -> str:
        return f"{self.result.get('status_code', 200)} {self.result.get('type', '')}"


CASES = [
    Case(SUCCESS, DONE),
    *(Case(error(status), RETRY, "set_up_wrong") for status in (401, 402, 403, 404, 405, 407)),
    *(Case(error(status), RETRY, "set_up_wrong") for status in (301, 302, 303, 304, 307, 308)),
    Case(error(0, "tls_error"), RETRY, "set_up_wrong"),
    Case(error(0, "disabled", attempts=0), RETRY, "set_up_wrong"),
    Case(error(0, "client_closed", retryable=True, attempts=0), RETRY, "set_up_wrong"),
    Case(error(200, "invalid_response"), RETRY, "set_up_wrong"),
    Case(error(101), RETRY, "set_up_wrong"),
    Case(error(999), RETRY, "set_up_wrong"),
    *(Case(error(status), RETRY, "transient") for status in (408, 425, 500, 501, 502, 503, 504)),
    *(Case(error(status), RETRY, "transient") for status in (505, 507, 520, 529, 599)),
    Case(error(0, "network_error"), RETRY, "transient"),
    Case(error(0, "timeout"), RETRY, "transient"),
    Case(error(0, "internal_error", retryable=True), RETRY, "transient"),
    Case(error(0, "internal_error", attempts=0), RETRY, "transient"),
    Case(error(429), RETRY, "rate_limited"),
    *(Case(error(status), DEAD, "rejected") for status in (400, 409, 410, 413, 422, 451, 499)),
    # Other types of the service do not change what a status means.
    *(Case(error(422, type_), DEAD, "rejected") for type_ in ("disabled", "invalid_response")),
    Case(error(422, "rate_limit_exceeded"), DEAD, "rejected"),
    Case(error(200, "api_error"), DEAD, "rejected"),
    Case(error(200, "invalid_response", retryable=False), DEAD, "rejected"),
    Case(error(503, "validation_error", retryable=True), RETRY, "transient"),
    Case(make_validation_error([]), DEAD, "rejected"),
]
FLAGS = ("transient", "rate_limited", "rejected", "set_up_wrong")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_first_attempt_of_an_event(case: Case) -> None:
    """The policy decides by the status, and by the type if there is no response."""
    decision = decide(case.result)
    assert decision.action is case.action
    assert decision.reason == case.result.get("type")
    may_be_recorded = {"transient": (0, 5), "set_up_wrong": (2,)}.get(case.flag, ())
    assert decision.may_be_recorded is (
        case.result.get("status_code", 200) // 100 in may_be_recorded
    )
    assert [flag for flag in FLAGS if getattr(decision, f"is_{flag}")] == [case.flag][
        : bool(case.flag)
    ]
    waits = {"set_up_wrong": (0, 300), "transient": (5, 0), "rate_limited": (0, 60)}
    assert (decision.wait, decision.pause) == waits.get(case.flag, (0, 0))


@pytest.mark.parametrize(
    ("call", "attempts", "type_", "action"),
    [
        (sale, 0, "duplicate_event", DONE),
        (lead, 0, "duplicate_event", DONE),
        (follow_up, 1, "duplicate_event", DONE),
        (sale, 0, "conflict", DEAD),
        (sale, 1, "conflict", DONE),
        (follow_up, 0, "conflict", DEAD),
        (follow_up, 2, "conflict", DONE),
        (lead, 0, "conflict", DEAD),
        (lead, 1, "conflict", DEAD),
        (lead, 1, "duplicate_attribution", DEAD),
        (sale, 1, None, DEAD),
        (follow_up, 1, None, DEAD),
    ],
)
def test_a_conflict(
    call: Callable[[CMSClient], Any], attempts: int, type_: Optional[str], action: Action
) -> None:
    """A 409 means that an event is recorded only if it can mean nothing else: no gateway's page."""
    page = respond(409, b"<html>Conflict</html>")
    conflict = page if type_ is None else respond(409, json={"type": type_})
    with Server(conflict) as server, client_of(server) as client:
        result = call(client)
    assert decide(result, attempts=attempts).action is action


@pytest.mark.parametrize(
    ("retry_after", "in_a_row", "pause"),
    [(None, 1, 60), (30, 1, 30), (0, 1, 2), (0, 3, 8), (30, 5, 32), (0, 100, 300), (1e9, 1, 3600)],
)
def test_the_pause_after_a_rate_limit(
    retry_after: Optional[float], in_a_row: int, pause: float
) -> None:
    """All events wait for Retry-After or a minute, and longer with each 429 in a row."""
    result = error(429) if retry_after is None else error(429, retry_after=retry_after)
    streak = Streak(rate_limits=in_a_row - 1)
    assert decide(result, streak=streak).pause == pause
    assert decide(result, streak=streak, jitter=1.0).pause == 1.25 * pause


@pytest.mark.parametrize(("failures", "wait"), [(0, 5), (1, 10), (2, 20), (7, 640), (8, 900)])
def test_the_wait_after_a_transient_error(failures: int, wait: float) -> None:
    """An event waits longer with each of its failures."""
    assert decide(error(503), failures=failures).wait == wait


@pytest.mark.parametrize(
    ("in_a_row", "retry_after", "pause"),
    [(1, 0, 0), (2, 0, 1), (3, 0, 2), (10, 0, 256), (11, 0, 300), (1, 30, 30), (3, 1e9, 300)],
)
def test_the_pause_after_transient_errors(in_a_row: int, retry_after: float, pause: float) -> None:
    """All events wait after the second failure in a row, or as long as the service asks."""
    result = error(503, retry_after=retry_after)
    assert decide(result, streak=Streak(failures=in_a_row - 1)).pause == pause


def test_many_rejections_in_a_row_stop_delivery() -> None:
    """The 20th rejection in a row stops delivery, and no later one makes a dead letter."""
    streak, decisions = Streak(), []
    for _ in range(MAX_REJECTED_IN_A_ROW + 2):
        decisions.append(decide(error(422), streak=streak))
        streak = streak.after(decisions[-1])
    *earlier, latest, first_after, second_after = decisions
    assert {each.action for each in [*earlier, latest]} == {DEAD}
    assert {each.pause for each in earlier} == {0}
    assert (latest.pause, latest.is_set_up_wrong) == (SET_UP_PAUSE, True)
    for each in (first_after, second_after):
        assert (each.action, each.pause, each.wait) == (RETRY, SET_UP_PAUSE, MAX_EVENT_WAIT)
        assert not each.is_transient
    assert decide(error(422), streak=streak.after(decide(SUCCESS))).action is DEAD


def test_streaks_end_with_another_outcome() -> None:
    """Each streak counts the latest outcomes of one type; only a success ends the rejections."""
    streak = Streak()
    for status in (422, 503, 503, 422, 503, 429, 429):
        streak = streak.after(decide(error(status), streak=streak))
    assert streak == Streak(failures=0, rate_limits=2, rejections=2)
    assert streak.after(decide(error(401))) == Streak(rejections=2)
    assert streak.after(Decision(DEAD, "expired")) == streak  # there was no attempt
    assert streak.after(decide(SUCCESS)) == Streak()


def test_an_event_expires_after_thirty_days() -> None:
    """An event is not expired at 30 days, but later; nor if the clock was set back."""
    assert MAX_AGE == 30 * 24 * 3600
    assert not is_expired(1000.0, 1000.0 + MAX_AGE)
    assert is_expired(1000.0, 1001.0 + MAX_AGE)
    assert not is_expired(1e9, 0.0)


RESULTS = st.builds(
    lambda status, type_, retry_after: error(
        status, type_, **({} if retry_after is None else {"retry_after": retry_after})
    ),
    st.integers(0, 999),
    st.none() | st.sampled_from(["timeout", "network_error", "conflict", "duplicate_event"]),
    st.none() | st.floats(0, 1e9),
)
COUNTS = st.integers(0, 10**6)


@given(
    RESULTS,
    COUNTS,
    COUNTS,
    st.builds(Streak, failures=COUNTS, rate_limits=COUNTS, rejections=COUNTS),
    st.floats(0, 1),
)
def test_no_event_is_lost(
    result: Any,
    attempts: int,
    failures: int,
    streak: Streak,
    jitter: float,
) -> None:
    """Only an error that a retry can't change makes a dead letter, and all waits are limited."""
    decision: Decision = decide(
        result, attempts=attempts, failures=failures, streak=streak, jitter=jitter
    )
    if decision.action is DEAD:
        assert not result["retryable"]
        assert result["status_code"] // 100 in (2, 4)
    if decision.action is DONE:
        assert result["status_code"] == 409
    assert 0 <= decision.wait <= MAX_EVENT_WAIT
    assert 0 <= decision.pause <= 1.25 * MAX_RATE_LIMIT_PAUSE
    assert decision.action is RETRY or decision.wait == 0
    assert decision.action is not RETRY or decision.wait or decision.pause
    assert max(streak.failures, 0) + 1 >= streak.after(decision).failures


@given(RESULTS, COUNTS, COUNTS)
def test_waits_never_become_shorter(result: Any, failures: int, in_a_row: int) -> None:
    """With more failures, neither the wait of an event nor a pause gets shorter."""
    numbers = range(3)
    by_event = [decide(result, failures=failures + more).wait for more in numbers]
    assert by_event == sorted(by_event)
    streaks = [Streak(failures=in_a_row + more, rate_limits=in_a_row + more) for more in numbers]
    pauses = [decide(result, streak=streak).pause for streak in streaks]
    assert pauses == sorted(pauses)


def test_every_status_has_a_decision() -> None:
    """For every status, an event is done, retried, or rejected, and nothing is done twice."""
    for status in range(1000):
        decision = decide(error(status))
        assert decision.action in ((DEAD,) if decision.is_rejected else (RETRY,))
    assert MAX_PAUSE <= SET_UP_PAUSE
