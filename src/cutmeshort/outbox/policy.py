"""
The delivery policy: what to do with an event after an attempt. It has no clock and no I/O.

All engines use it: the outbox, Celery, and your own code for another queue.
"""

from dataclasses import dataclass, replace
from enum import Enum
from typing import Optional

from ..results import TrackError, TrackResult

PER_MINUTE = 50  # requests; the service accepts 60 per user
EVENT_WAIT = 5.0  # seconds, doubled with each failure of the event
MAX_EVENT_WAIT = 900.0
PAUSE = 1.0  # seconds, doubled with each failure in a row
MAX_PAUSE = 300.0
RATE_LIMIT_PAUSE = 60.0  # seconds, without a Retry-After
MAX_RATE_LIMIT_PAUSE = 3600.0
JITTER = 0.25  # the maximum random part that is added to a pause for the rate limit
SET_UP_PAUSE = 300.0  # seconds between two attempts while the set-up is wrong
MAX_AGE = 30 * 86_400.0  # seconds
MAX_REJECTED_IN_A_ROW = 20

_MAX_DOUBLINGS = 30  # the limits apply long before that; many more would overflow a float
_SET_UP_STATUSES = frozenset({401, 402, 403, 404, 405, 407})


class Action(Enum):
    """What to do with an event."""

    DONE = "done"
    DEAD_LETTER = "dead_letter"
    RETRY = "retry"


@dataclass(frozen=True)
class Decision:
    """
    What to do after an attempt to deliver an event.

    Attributes:
        action: What to do with the event.
        reason: The result's `type`; None if the event was tracked.
        message: The result's `error`, one line without the customer's data; None if the event was
            tracked.
        wait: Seconds until the event may be sent again; 0 unless `action` is RETRY.
        pause: Seconds until any event may be sent; 0 for no pause.
        may_be_recorded: Whether the service may have recorded the event although the attempt
            failed. Only then does it count as one of the earlier `attempts`.
        is_transient: Whether the attempt failed with a transient error, which counts as a failure
            of the event.
        is_rate_limited: Whether the service limited the rate (429).
        is_rejected: Whether the service rejected the event itself.
        is_set_up_wrong: Whether a person must correct the set-up, such as the token or the host.
    """

    action: Action
    reason: Optional[str] = None
    message: Optional[str] = None
    wait: float = 0.0
    pause: float = 0.0
    may_be_recorded: bool = False
    is_transient: bool = False
    is_rate_limited: bool = False
    is_rejected: bool = False
    is_set_up_wrong: bool = False


@dataclass(frozen=True)
class Streak:
    """
    How the latest attempts ended, over all events.

    Attributes:
        failures: The number of transient errors in a row.
        rate_limits: The number of 429s in a row.
        rejections: The number of rejected events since an event was last tracked.
    """

    failures: int = 0
    rate_limits: int = 0
    rejections: int = 0

    def after(self, decision: Decision) -> "Streak":
        """Return the streak after one more decision. An event that expired was not sent."""
        if decision.action is Action.DEAD_LETTER and not decision.is_rejected:
            return self
        rejections = 0 if decision.action is Action.DONE else self.rejections
        return Streak(
            failures=self.failures + 1 if decision.is_transient else 0,
            rate_limits=self.rate_limits + 1 if decision.is_rate_limited else 0,
            rejections=rejections + 1 if decision.is_rejected else rejections,
        )


def decide(
    result: TrackResult,
    *,
    attempts: int = 0,
    failures: int = 0,
    streak: Streak = Streak(),
    jitter: float = 0.0,
) -> Decision:
    """
    Decide what to do with an event after an attempt.

    Args:
        result: The result of `CMSClient.track`, called with `max_retries=0`.
        attempts: In how many earlier attempts the service may have recorded this event. Note each
            attempt before it is sent: if the process dies during one, it counts.
        failures: The number of earlier attempts of this event that were transient errors.
        streak: How the latest attempts ended, over all events. Without it, no pause is longer than
            that of a first failure.
        jitter: A random number from 0 to 1, which extends a pause for the rate limit, so that
            several senders do not continue at the same time.
    """
    if result["success"] is True:
        return Decision(Action.DONE)
    decision = _decide(result, attempts, failures, streak, jitter)
    return replace(decision, reason=result["type"], message=result["error"])


def is_expired(created_at: float, now: float) -> bool:
    """Return whether an event is too old to be sent; both times are seconds since the epoch."""
    return now - created_at > MAX_AGE


def _decide(
    error: TrackError,
    attempts: int,
    failures: int,
    streak: Streak,
    jitter: float,
) -> Decision:
    status = error["status_code"]
    if status == 409 and _is_recorded(error, attempts):
        return Decision(Action.DONE)
    if status == 429:
        retry_after = error.get("retry_after", RATE_LIMIT_PAUSE)
        pause = _rate_limit_pause(retry_after, streak.rate_limits + 1, jitter)
        return Decision(Action.RETRY, pause=pause, is_rate_limited=True)
    if _is_set_up_wrong(error):
        return Decision(
            Action.RETRY,
            pause=SET_UP_PAUSE,
            may_be_recorded=status // 100 == 2,
            is_set_up_wrong=True,
        )
    if status // 100 in (0, 5) or error["retryable"]:
        wait = _doubled(EVENT_WAIT, failures, MAX_EVENT_WAIT)
        pause = min(error.get("retry_after", 0.0), MAX_PAUSE)
        if streak.failures:
            pause = max(pause, _doubled(PAUSE, streak.failures - 1, MAX_PAUSE))
        may_be_recorded = status // 100 != 4
        return Decision(
            Action.RETRY,
            wait=wait,
            pause=pause,
            may_be_recorded=may_be_recorded,
            is_transient=True,
        )
    return _reject(streak.rejections + 1)


def _is_recorded(error: TrackError, attempts: int) -> bool:
    """Return whether a 409 proves that the service has the event; `attempts` may have sent it."""
    return "duplicate" in error and (attempts > 0 or error["type"] == "duplicate_event")


def _is_set_up_wrong(error: TrackError) -> bool:
    """Return whether a person must correct the set-up; the event is not the reason."""
    status, type_ = error["status_code"], error["type"]
    if status == 0:  # nothing was sent, or there was no response
        return type_ == "client_closed" or not (error["retryable"] or type_ == "internal_error")
    if status // 100 == 2:  # not from the service: the host or a proxy is wrong
        return error["retryable"]
    return status in _SET_UP_STATUSES or status // 100 not in (4, 5)


def _rate_limit_pause(retry_after: float, in_a_row: int, jitter: float) -> float:
    pause = max(retry_after, _doubled(2.0, in_a_row - 1, MAX_PAUSE))
    return min(pause, MAX_RATE_LIMIT_PAUSE) * (1 + jitter * JITTER)


def _reject(in_a_row: int) -> Decision:
    if in_a_row < MAX_REJECTED_IN_A_ROW:
        return Decision(Action.DEAD_LETTER, is_rejected=True)
    # So many rejections probably have a common cause. Later rejections defer the event, and the
    # next attempt uses another event, in case this one is invalid.
    action = Action.DEAD_LETTER if in_a_row == MAX_REJECTED_IN_A_ROW else Action.RETRY
    wait = MAX_EVENT_WAIT if action is Action.RETRY else 0.0
    return Decision(action, wait=wait, pause=SET_UP_PAUSE, is_rejected=True, is_set_up_wrong=True)


def _doubled(seconds: float, times: int, limit: float) -> float:
    return min(seconds * 2.0 ** min(times, _MAX_DOUBLINGS), limit)
