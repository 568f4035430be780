"""
What the SDK writes to the logger `cutmeshort`.

Metadata only: an operation, a type, a status, counts, times, names of arguments, and sentences of
the SDK's own. Never the token, and nothing of an event or of a response's text.
"""

import logging
import time
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    from .rest import RESTRequest
    from .results import Outcome

logger = logging.getLogger("cutmeshort")
logger.addHandler(logging.NullHandler())


def log_attempt(
    request: "RESTRequest", number: int, result: object, started: float, wait: Optional[float]
) -> None:
    """
    Log an attempt at DEBUG.

    Args:
        request: The call.
        number: Which of its attempts it was, from 1.
        result: The HTTP status, or the type of the failure.
        started: When the attempt began, on the monotonic clock.
        wait: Seconds until the next one; None if it was the last.
    """
    seconds = _duration(time.monotonic() - started)
    retry = "" if wait is None else f", retrying in {wait:.1f} s"
    text, limit = "%s attempt %d of %d: %s in %s%s", request.max_retries + 1
    _log(logging.DEBUG, text, request.operation, number, limit, result, seconds, retry)


class OutcomeLog:
    """
    Logs what came of calls.

    Args:
        enabled: Whether the client is: the log of a disabled one is at DEBUG only.

    Attributes:
        warning: The level of a call whose event was not tracked.
        error: The level of a bug.
    """

    def __init__(self, *, enabled: bool) -> None:
        self.warning = logging.WARNING if enabled else logging.DEBUG
        self.error = logging.ERROR if enabled else logging.DEBUG

    def outcome(self, outcome: "Outcome", explanation: str) -> None:
        """
        Log a call: at DEBUG if the event was tracked, else at WARNING.

        Args:
            outcome: What came of the call; the record has it as `cms`.
            explanation: Why the event was not tracked, without data of the event.
        """
        if not logger.isEnabledFor(logging.DEBUG if outcome.success else self.warning):
            return  # there is a hook, or a warning
        attempts = f"{outcome.attempts} attempt{'' if outcome.attempts == 1 else 's'}"
        course = f"after {attempts} in {_duration(outcome.seconds)}"
        if outcome.success:
            text = "%s tracked: %d %s"
            _log(logging.DEBUG, text, outcome.operation, outcome.status_code, course, cms=outcome)
            return
        what = str(outcome.type)
        if outcome.attempts:
            status = f" ({outcome.status_code})" if outcome.status_code else ""
            what = f"{what}{status} {course}"
        if outcome.retryable:
            what = f"{what} (retryable)"
        text = "%s not tracked: %s: %s"
        _log(self.warning, text, outcome.operation, what, explanation, cms=outcome)

    def left_out(self, outcome: "Outcome", names: list[str]) -> None:
        """Log the names of arguments that were left out of an event, at WARNING."""
        text = "%s left out %s, as not valid: the result's warnings say why"
        _log(self.warning, text, outcome.operation, ", ".join(names), cms=outcome)

    def failure(self, what: str, error: Exception) -> None:
        """Log where an exception came from, and not its text, which may have data of an event."""
        frames = "".join(traceback.format_tb(error.__traceback__))
        _log(self.error, "%s in %s\n%s", type(error).__name__, what, frames)


def _duration(seconds: float) -> str:
    return f"{seconds:.3f} s" if seconds < 1 else f"{seconds:.1f} s"


def _log(level: int, text: str, *arguments: object, cms: "Optional[Outcome]" = None) -> None:
    with suppress(Exception):  # a log handler is the application's code
        logger.log(level, text, *arguments, extra=None if cms is None else {"cms": cms})
