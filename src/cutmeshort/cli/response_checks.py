"""The checks of `cutmeshort doctor` that judge the response to an empty event."""

import math
import time
from email.utils import mktime_tz, parsedate_tz
from typing import Optional, Union

from ..api_response import ApiResponse
from ..exceptions import ApiException
from ..models import TrackResponse
from .report import Check

_MAX_CLOCK_DIFFERENCE = 60  # seconds
_NOT_THE_SERVICE = "Check CMS_HOST, and whether a proxy or gateway responds instead of the service."
_LATER = "Run the command again later. If the problem persists, contact CutMeShort."
_REJECTED_ADVICE = {
    401: "Set CMS_BEARER_TOKEN to the token from your CutMeShort account.",
    403: "Use a token that has permission to track events.",
}

Outcome = Union[ApiResponse[TrackResponse], ApiException]


def check_clock(outcome: Outcome) -> Check:
    """Compare this machine's clock with the response's Date header."""
    now = time.time()
    date = _parse_date((outcome.headers or {}).get("Date", ""))
    if date is None:
        return Check("clock", "skipped", "There was no response with a valid Date header.")
    ahead = int(now - date)  # the date has no fraction
    direction = "behind" if ahead < 0 else "ahead of"
    message = f"This machine's clock is {abs(ahead)} s {direction} the service's."
    if abs(ahead) > _MAX_CLOCK_DIFFERENCE:
        advice = "Set the clock, for example with NTP. Timestamps of events are wrong until then."
        return Check("clock", "failed", message, advice)
    return Check("clock", "ok", message)


def check_token(outcome: Outcome, token: Optional[str]) -> Check:
    """Check from the response whether the service accepts the token; None if there is none."""
    if isinstance(outcome, ApiResponse):
        message = f"Unknown: the host accepted an empty event, with status {outcome.status_code}."
        return Check("token_accepted", "failed", message, _NOT_THE_SERVICE)
    status = outcome.status
    # Below, if `data` is None, the body is not the service's.
    if token is None and status in (400, 401, 403, 422):
        return Check("token_accepted", "skipped", "There is no valid token.")
    if status in (400, 422) and outcome.data is not None:
        message = f"The service accepts the token: it rejected only the empty event, with {status}."
        return Check("token_accepted", "ok", message)
    if status in (401, 403):
        message = f"The service rejects the token, with status {status}."
        advice = _REJECTED_ADVICE[status]
        if outcome.data is None:
            advice = f"{advice} {_NOT_THE_SERVICE}"
        return Check("token_accepted", "failed", message, advice)
    message = f"Unknown: {outcome.message}"
    if status:
        request_id = f", request id {outcome.request_id}" if outcome.request_id else ""
        message = f"Unknown: the response has status {status} ({outcome.type}{request_id})."
    return Check("token_accepted", "failed", message, _advice(outcome))


def _parse_date(text: str) -> Optional[float]:
    """Return an HTTP date in seconds since the epoch; None if it is invalid."""
    parts = parsedate_tz(text)
    try:
        return None if parts is None else float(mktime_tz(parts))
    except (ValueError, OverflowError):
        return None


def _advice(error: ApiException) -> str:
    if error.retry_after is not None:
        return f"Run the command again in {math.ceil(error.retry_after)} s."
    return _LATER if error.retryable and error.type != "invalid_response" else _NOT_THE_SERVICE
