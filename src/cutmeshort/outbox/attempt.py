"""One attempt to deliver an event: the step that all engines share."""

import logging
import time
from typing import Any

from ..client import CMSClient
from ..exceptions import ApiValueError
from ..results import TrackResult, make_validation_error
from .events import QueuedEvent
from .policy import Action, Decision, Streak, decide, is_expired

_EXPIRED = "The event is older than 30 days."
_NO_STREAK = Streak()


class QuietClient(CMSClient):
    """
    A client with the settings of the environment, for delivery.

    It logs a failed attempt at DEBUG, as the event is not lost.
    """

    def __init__(self) -> None:
        super().__init__()
        self._log.warning_level = logging.DEBUG


def deliver_once(
    client: CMSClient,
    event: QueuedEvent,
    *,
    attempts: int = 0,
    failures: int = 0,
    streak: Streak = _NO_STREAK,
    jitter: float = 0.0,
) -> Decision:
    """
    Send an event once, without retries, and decide what to do with it next.

    An event that is older than 30 days is not sent: it becomes a dead letter with the reason
    `expired`. Nor is one that is not valid in this version of the SDK: its reason is
    `validation_error`.

    Args:
        client: The client.
        event: The event.
        attempts: In how many earlier attempts the service may have recorded it, as in `decide`.
        failures: The number of earlier attempts that were transient errors.
        streak: How the latest attempts ended, over all events.
        jitter: A random number from 0 to 1, as in `decide`.
    """
    if is_expired(event.created_at, time.time()):
        return Decision(Action.DEAD_LETTER, "expired", _EXPIRED)
    result: TrackResult
    try:
        payload: Any = event.payload()
    except ApiValueError as error:
        result = make_validation_error([error])  # pyright: ignore[reportAssignmentType]
    else:
        result = client.track(payload, max_retries=0)
    return decide(result, attempts=attempts, failures=failures, streak=streak, jitter=jitter)
