"""QueueTracker: the tracking methods, which queue the event instead of sending it."""

from typing import Any, Callable, Optional

from ..checks import check_flag, check_seconds
from ..environment import read_flag
from ..exceptions import ApiException
from ..logs import OutcomeLog
from ..models import EventPayload
from ..operations import Operation
from ..results import Outcome
from ..tracker import Sent, Tracker
from .events import QueuedEvent

DEFAULT_TIMEOUT = 1.0  # seconds
_DISABLED = "Nothing was queued: tracking is disabled (enabled=False or CMS_ENABLED=0)."


class QueueTracker(Tracker):
    """
    Queues events for delivery, with the tracking methods of CMSClient. Needs no token.

    Each event is validated as in CMSClient. If it has no timestamp, it gets the current time. The
    result of an event that was queued has the message "Queued for delivery". Its `data` is a dict
    with `queued`, which is True, and `duplicate`: whether the queue already had the event.

    The methods never raise an exception of the queue. If the event can't be queued, the result has
    the type `outbox_full` (no space is left) or `outbox_error` (any other reason); both are
    retryable.

    Args:
        put: A function that adds an event to the queue. It is called with the event, and with the
            call's timeout in seconds. It returns True if the queue already had the event. If it
            raises an exception, the event was not queued.
        timeout: Seconds for one call; above 0, at most 86400.
        enabled: If False, the methods validate, queue nothing, and return an error of type
            `disabled`. Defaults to `CMS_ENABLED`, then to True.
        on_outcome: A function, not async, that is called with an Outcome after each call. The
            Outcome says whether the event was queued, not whether it was delivered.

    Raises:
        ApiValueError: A setting is not valid.
        ApiTypeError: `on_outcome` is not a function.
    """

    # The exceptions of `put` that mean that the event was not queued. Others are bugs, or come from
    # a signal handler of the application.
    _queue_errors: tuple[type[Exception], ...] = (Exception,)

    def __init__(
        self,
        put: Callable[[QueuedEvent, float], object],
        *,
        timeout: float = DEFAULT_TIMEOUT,
        enabled: Optional[bool] = None,
        on_outcome: Optional[Callable[[Outcome], object]] = None,
    ) -> None:
        self._put = put
        self._timeout = check_seconds("timeout", timeout)
        if enabled is None:
            self._enabled = read_flag("CMS_ENABLED")
        else:
            self._enabled = check_flag("enabled", enabled)
        super().__init__(OutcomeLog("", enabled=self._enabled), on_outcome)

    def _send(
        self,
        operation: Operation,  # noqa: ARG002
        payload: EventPayload,
        options: dict[str, Any],
    ) -> Sent:
        if not self._enabled:
            raise ApiException(0, "disabled", _DISABLED)
        event = QueuedEvent.create(payload)
        try:
            duplicate = self._put(event, options.get("_deadline", self._timeout))
        except ApiException:
            raise
        except self._queue_errors as error:
            reason = f"The event could not be queued ({type(error).__name__})."
            raise outbox_error(reason) from error
        data = {"queued": True, "duplicate": duplicate is True}
        return Sent({"success": True, "message": "Queued for delivery", "data": data})


def outbox_error(reason: str) -> ApiException:
    """Create the exception for an event that was not queued; the reason has no event data."""
    return ApiException(0, "outbox_error", reason, retryable=True)


def outbox_full(reason: str) -> ApiException:
    """Create the exception for an event that was not queued because no space is left."""
    return ApiException(0, "outbox_full", reason, retryable=True)
