"""The retry policy: which attempts are retried, and after how long. It has no clock and no I/O."""

import re
from typing import Optional

_FINAL_SERVER_ERRORS = frozenset({501, 505})  # a retry would fail in the same way
_RETRIED_CLIENT_ERRORS = frozenset({408, 425, 429})
_RETRIED_FAILURES = frozenset({"network_error", "timeout"})
INITIAL_WAIT = 0.5  # seconds
MAX_WAIT = 8.0
_MAX_RETRY_AFTER = 1e9  # seconds; longer numbers would become infinity

_SECONDS = r"[0-9]+(\.[0-9]+)?"


def is_retried(status: int, failure: str = "") -> bool:
    """
    Return whether the SDK retries a failed attempt. That is safe, as the service deduplicates.

    Args:
        status: The HTTP status; 0 without a response.
        failure: Why there was no response, such as `timeout`.
    """
    if status == 0:
        return failure in _RETRIED_FAILURES
    if status // 100 == 5:
        return status not in _FINAL_SERVER_ERRORS
    return status in _RETRIED_CLIENT_ERRORS


def is_retryable(status: int, type_: str) -> bool:
    """
    Return whether sending the same event again later may succeed.

    That includes an `invalid_response`: the service may not have received the event.
    """
    return is_retried(status, type_) or type_ == "invalid_response"


def next_wait(
    attempts: int,
    max_retries: int,
    *,
    remaining: float,
    jitter: float,
    retry_after: Optional[float],
) -> Optional[float]:
    """
    Return how many seconds to wait before the next attempt.

    Args:
        attempts: The number of attempts that have failed, at least 1.
        max_retries: Maximum number of retries.
        remaining: Seconds until the deadline of the call.
        jitter: A random number from 0 to 1, which scales the back-off (full jitter).
        retry_after: Seconds that the service asks the client to wait, instead of the back-off.

    Returns:
        None if no retry is left, or if the wait would extend past the deadline.
    """
    if attempts > max_retries:
        return None
    if retry_after is None:
        # After ten doublings MAX_WAIT applies anyway; many more would overflow a float.
        wait = jitter * min(MAX_WAIT, INITIAL_WAIT * 2 ** min(attempts - 1, 10))
    else:
        wait = retry_after
    return wait if wait < remaining else None


def parse_retry_after(value: Optional[str], now: float) -> Optional[float]:
    """
    Parse a `Retry-After` header.

    Args:
        value: Seconds, with or without decimals, or an HTTP date (RFC 9110, section 10.2.3).
        now: The wall clock, in seconds since the epoch; a date is relative to it.

    Returns:
        Seconds from `now`, never negative; None if the value is not valid.
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
