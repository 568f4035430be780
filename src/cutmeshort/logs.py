"""
The SDK's log records, on the logger `cutmeshort`.

They contain metadata only: operation, type, status, counts, times, names of arguments, and messages
of the SDK. They never contain the token, event data, or text of a response.
"""

import logging
import math
import time
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, Optional

from .retry import is_retried

if TYPE_CHECKING:
    from .rest import RESTRequest
    from .results import Outcome

logger = logging.getLogger("cutmeshort")
logger.addHandler(logging.NullHandler())


def log_attempt(
    request: "RESTRequest",
    number: int,
    status: int,
    failure: str,
    started: float,
    wait: Optional[float],
) -> None:
    """
    Log an attempt at DEBUG.

    The number counts from 1. The status is 0 without a response; then, `failure` is the error's
    type, such as `timeout`. The attempt started at `started` on the monotonic clock. The next one
    follows in `wait` seconds; None if this was the last one.
    """
    try:
        if not logger.isEnabledFor(logging.DEBUG):
            return
        limit = request.max_retries + 1
        suffix = ""
        if wait is not None:
            suffix = f", retrying in {wait:.1f} s"
        elif number < limit and is_retried(status, failure):
            suffix = ", not retried: the wait would extend past the deadline"
        text = "%s attempt %d of %d: %s in %s%s"
        seconds = _duration(time.monotonic() - started)
        logger.debug(text, request.operation, number, limit, status or failure, seconds, suffix)
    except Exception:  # noqa: BLE001, S110 - the application's log handlers may raise any
        pass


class OutcomeLog:
    """
    Logs the outcomes of calls.

    Args:
        host: The service's host.
        enabled: Whether the client is enabled. A disabled client logs at DEBUG only.

    Attributes:
        warning_level: The level for an event that was not tracked.
        error_level: The level for an unexpected exception, of the SDK or of `on_outcome`.
    """

    def __init__(self, host: str, *, enabled: bool) -> None:
        self._host = host
        self.warning_level = logging.WARNING if enabled else logging.DEBUG
        self.error_level = logging.ERROR if enabled else logging.DEBUG

    def outcome(self, outcome: "Outcome", explanation: str) -> None:
        """
        Log an outcome: at DEBUG if the event was tracked or queued, else at `warning_level`.

        Args:
            outcome: The outcome, also the attribute `cms` of the log record.
            explanation: Why the event was not tracked, without event data.
        """
        if not logger.isEnabledFor(logging.DEBUG if outcome.success else self.warning_level):
            return
        attempts = f"{outcome.attempts} attempt{'' if outcome.attempts == 1 else 's'}"
        summary = f"after {attempts} in {_duration(outcome.seconds)}"
        if outcome.success and not outcome.attempts:
            text = "%s queued in %s"
            log(logging.DEBUG, text, outcome.operation, _duration(outcome.seconds), cms=outcome)
            return
        if outcome.success:
            text = "%s tracked: %d %s"
            log(logging.DEBUG, text, outcome.operation, outcome.status_code, summary, cms=outcome)
            return
        reason = str(outcome.type)
        response = ""
        if outcome.attempts:
            status = f" ({outcome.status_code})" if outcome.status_code else ""
            reason = f"{reason}{status} {summary}"
            response = self._response(outcome)
        if outcome.retryable:
            reason = f"{reason} (retryable)"
        text = "%s not tracked: %s: %s%s"
        log(self.warning_level, text, outcome.operation, reason, explanation, response, cms=outcome)

    def _response(self, outcome: "Outcome") -> str:
        """Return host, wait and request id; without a response, the explanation has the host."""
        if not outcome.status_code:
            return ""
        parts = [self._host]
        if outcome.retry_after:
            parts.append(f"retry after {math.ceil(outcome.retry_after)} s")
        if outcome.request_id is not None:
            parts.append(f"request id {outcome.request_id}")
        return f" ({', '.join(parts)})"

    def left_out(self, outcome: "Outcome", names: list[str]) -> None:
        """Log the names of arguments that were left out of a tracked event, at WARNING."""
        text = '%s left out %s: not valid, see "warnings" in the result'
        log(self.warning_level, text, outcome.operation, ", ".join(names), cms=outcome)

    def failure(self, where: str, error: Exception) -> None:
        """Log an exception at `error_level`, as `log_failure` does."""
        log_failure(where, error, self.error_level)


def log_failure(where: str, error: Exception, level: int = logging.ERROR) -> None:
    """Log an exception's class and traceback, but not its text, which may have event data."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    log(level, "%s in %s\n%s", type(error).__name__, where, frames)


def _duration(seconds: float) -> str:
    return f"{seconds:.3f} s" if seconds < 1 else f"{seconds:.1f} s"


def log(level: int, text: str, *arguments: object, cms: "Optional[Outcome]" = None) -> None:
    """Log a message, with an Outcome as its attribute `cms`. Raises no exception of a handler."""
    with suppress(Exception):  # the application's log handlers may raise any
        logger.log(level, text, *arguments, extra=None if cms is None else {"cms": cms})
