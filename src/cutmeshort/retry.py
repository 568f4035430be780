"""When to repeat an attempt, and after how long: decisions without a clock and without sockets."""

import re
from typing import Optional

_FINAL_SERVER_ERRORS = frozenset({501, 505})  # it can't, and won't be able to a second later
_RETRIED_CLIENT_ERRORS = frozenset({408, 425, 429})
_RETRIED_FAILURES = frozenset({"network_error", "timeout"})
INITIAL_WAIT = 0.5
MAX_WAIT = 8.0
_MAX_RETRY_AFTER = 1e9

_SECONDS = r"[0-9]+(\.[0-9]+)?"


def is_retried(status: int, kind: str = "") -> bool:
    """
    Tell whether the SDK retries a failed attempt; the service deduplicates, so that it is safe.

    Args:
        status: The HTTP status; 0 when there was no response.
        kind: What happened then: `network_error`, `timeout`, `tls_error`, ….
    """
    if status == 0:
        return kind in _RETRIED_FAILURES
    if status // 100 == 5:
        return status not in _FINAL_SERVER_ERRORS
    return status in _RETRIED_CLIENT_ERRORS


def is_retryable(status: int, kind: str) -> bool:
    """
    Tell whether the same event, sent again later, may succeed.

    So it may when what responded was not the service: it may have received the event or not.
    """
    return is_retried(status, kind) or kind == "invalid_response"


class RetryPolicy:
    """
    How often one call is repeated.

    Args:
        max_retries: Attempts after the first one.
    """

    def __init__(self, max_retries: int) -> None:
        self.max_retries = max_retries

    def wait(
        self, attempt: int, *, remaining: float, jitter: float, retry_after: Optional[float]
    ) -> Optional[float]:
        """
        Say how long to wait before the next attempt.

        Args:
            attempt: How many attempts have failed, from 1.
            remaining: Seconds that are left of the call's deadline.
            jitter: A random number from 0 to 1, which spreads the back-off.
            retry_after: Seconds that the service asks to wait, obeyed as they are.

        Returns:
            Seconds, or None to give up: no attempt is left, or the wait would not fit.
        """
        if attempt > self.max_retries:
            return None
        if retry_after is None:
            # Beyond the tenth doubling the cap holds anyway, and a float would overflow.
            wait = jitter * min(MAX_WAIT, INITIAL_WAIT * 2 ** min(attempt - 1, 10))
        else:
            wait = retry_after
        return wait if wait < remaining else None


def parse_retry_after(value: Optional[str], now: float) -> Optional[float]:
    """
    Read a `Retry-After` header.

    Args:
        value: Seconds or an HTTP date (RFC 9110, section 10.2.3).
        now: The wall clock, in seconds since the epoch; a date is relative to it.

    Returns:
        Seconds from `now`, never negative; None where the value can't be read.
    """
    if not value:
        return None
    value = value.strip()
    if re.fullmatch(_SECONDS, value):
        return min(float(value), _MAX_RETRY_AFTER)
    from datetime import timezone
    from email.utils import parsedate_to_datetime

    try:
        date = parsedate_to_datetime(value)
        if date.tzinfo is None:
            date = date.replace(tzinfo=timezone.utc)
        return min(max(0.0, date.timestamp() - now), _MAX_RETRY_AFTER)
    except (TypeError, ValueError, OverflowError, IndexError):
        return None
