"""The dicts that CMSClient returns, and the functions that create them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional, Union

from pydantic import ValidationError
from typing_extensions import Literal, NotRequired, TypedDict

from .api_response import ApiResponse
from .exceptions import ATTEMPTS, ApiException, ApiValueError
from .models import EventPayload, TrackResponse
from .redaction import redact_customer
from .responses import is_recorded

_MAX_ERROR_LENGTH = 500

FieldWarnings = list[dict[str, str]]


@dataclass(frozen=True)
class Outcome:
    """
    The outcome of one call, for logs and metrics, without event data.

    Attributes:
        operation: The name of the method: `track_lead` or `track_sale`; `track` if its argument was
            not a payload.
        success: Whether the event was tracked, or queued by an outbox.
        type: The result's `type`; None when `success` is True.
        status_code: The HTTP status; 0 without a response; 422 if the SDK rejected an argument.
        attempts: The number of attempts; 0 when nothing was sent.
        seconds: How long the call took, including the waits between attempts.
        retryable: Whether sending the same event again later may succeed.
        retry_after: Seconds that the service asks the client to wait; None if it does not.
        request_id: The request id, to quote to the service's support; None if it is not known.
    """

    operation: str
    success: bool
    type: Optional[str]
    status_code: int
    attempts: int
    seconds: float
    retryable: bool
    retry_after: Optional[float]
    request_id: Optional[str]


class _SuccessKeys(TypedDict):
    message: str
    data: dict[str, Any]
    duplicate: NotRequired[Literal[True]]
    request_id: NotRequired[str]
    warnings: NotRequired[FieldWarnings]


class _ErrorKeys(TypedDict):
    error: str
    status_code: int
    type: str
    retryable: bool
    attempts: int
    duplicate: NotRequired[Literal[True]]
    details: NotRequired[Union[dict[str, Any], list[Any]]]
    retry_after: NotRequired[float]
    request_id: NotRequired[str]
    warnings: NotRequired[FieldWarnings]


class TrackSuccess(_SuccessKeys):
    """
    The event was tracked, or queued by an outbox.

    Attributes:
        success: True.
        message: Human-readable message, from the service if it sent one.
        data: The other data that the service returned; often empty. From an outbox or another
            queue: `queued`, which is True, and `duplicate`.
        duplicate: True if the service had already recorded an earlier attempt of this call (409);
            absent otherwise.
        request_id: The request id, to quote to the service's support; absent if it is not known.
        warnings: Absent unless the SDK left fields out of the event, or took the timestamp as UTC:
            a list of dicts with `field` and `message`.
    """

    success: Literal[True]


class TrackError(_ErrorKeys):
    """
    The event was not tracked, or the SDK does not know whether it was.

    Attributes:
        success: False.
        error: Human-readable reason in one line, without the customer's data. If it is from the
            service, it has at most 500 characters.
        status_code: The HTTP status; 0 without a response; 422 if the SDK rejected an argument.
        type: Machine-readable reason, such as `unauthorized` or `timeout`.
        retryable: Whether sending the same event again later may succeed. That is safe, as the
            service deduplicates events.
        attempts: The number of attempts; 0 when nothing was sent.
        duplicate: True if the service, and not a gateway, responded with a 409 that can only mean
            that it has recorded the event already; absent otherwise.
        details: The invalid fields and the reasons; absent if not known. From the SDK, a list of
            dicts with `field` and `message`; from the service, any list or dict.
        retry_after: Seconds that the service asks the client to wait; absent if it does not.
        request_id: The request id, to quote to the service's support; absent if it is not known.
        warnings: Absent unless the SDK left fields out of the event, or took the timestamp as UTC:
            a list of dicts with `field` and `message`.
    """

    success: Literal[False]


# Pyright takes the second definition, because it knows that `os.name` is never "". Mypy does not
# know, and takes the first one, like Python. Pyright tells the two types apart after `is True`, but
# not after `if result["success"]:`. In the second definition, each type also has the other's keys,
# so that Pyright accepts both branches of such an `if`. A misspelt key is still an error.
if not TYPE_CHECKING or os.name == "":
    TrackResult = Union[TrackSuccess, TrackError]
else:  # pragma: no cover

    class _Success(TrackSuccess, _ErrorKeys): ...

    class _Error(TrackError, _SuccessKeys): ...

    TrackResult = Union[_Success, _Error]  # type: ignore[misc]


def make_success(response: ApiResponse[TrackResponse]) -> TrackSuccess:
    """Create the dict for a tracked event."""
    data = response.data
    result: TrackSuccess = {"success": True, "message": data.message, "data": data.data}
    if response.duplicate:
        result["duplicate"] = True
    if response.request_id is not None:
        result["request_id"] = response.request_id
    return result


def make_validation_error(errors: Sequence[Union[ApiValueError, ValidationError]]) -> TrackError:
    """Create the dict for arguments that the SDK rejected. Nothing was sent."""
    lines: list[str] = []
    details: list[dict[str, Any]] = []
    for error in errors:
        if isinstance(error, ApiValueError):
            lines.append(str(error))
            details.append({"field": error.argument, "message": str(error)})
        else:
            for part in error.errors(include_url=False):
                field = ".".join(map(str, part["loc"]))
                lines.append(f"{field}: {part['msg']}")
                details.append({"field": field, "message": part["msg"]})
    return {
        "success": False,
        "error": "; ".join(lines),
        "status_code": 422,
        "type": "validation_error",
        "retryable": False,
        "attempts": 0,
        "details": details,
    }


def make_error(error: Exception, payload: Optional[EventPayload], *, sent: bool) -> TrackError:
    """
    Create the dict for an exception. The customer's data is redacted in its `error`.

    `sent` tells whether the event may have been sent, and so may have been recorded.
    """
    if isinstance(error, ApiException) and not hasattr(error, ATTEMPTS):
        return _make_api_error(error, payload)
    return {
        "success": False,
        "error": f"The SDK failed ({type(error).__name__}); see the log of `cutmeshort`.",
        "status_code": 0,
        "type": "internal_error",
        "retryable": sent,  # an error before that would occur again
        "attempts": vars(error).get(ATTEMPTS, 0),
    }


def make_outcome(
    operation: str,
    result: Union[TrackSuccess, TrackError],
    *,
    status_code: int,
    attempts: int,
    seconds: float,
) -> Outcome:
    """Create the Outcome of a call. An error has its own status code and number of attempts."""
    error: Any = {} if result["success"] else result
    return Outcome(
        operation=operation,
        success=result["success"],
        type=error.get("type"),
        status_code=error.get("status_code", status_code),
        attempts=error.get("attempts", attempts),
        seconds=seconds,
        retryable=error.get("retryable", False),
        retry_after=error.get("retry_after"),
        request_id=result.get("request_id"),
    )


def _make_api_error(error: ApiException, payload: Optional[EventPayload]) -> TrackError:
    data = error.data
    texts = [] if data is None else [data.error, data.message]
    lines = (redact_customer(text, payload) for text in texts if text)
    line = next(filter(None, lines), None)
    # The service's own reason makes the hint superfluous, except that an earlier attempt may have
    # recorded the event (409), which only the SDK knows.
    hint = f" {error.hint}" if error.hint and (line is None or error.status == 409) else ""
    line = error.message if line is None else line[: _MAX_ERROR_LENGTH - len(hint)]
    result: TrackError = {
        "success": False,
        "error": f"{line}{hint}".strip(),
        "status_code": error.status,
        "type": error.type,
        "retryable": error.retryable,
        "attempts": error.attempts,
    }
    if (
        error.status == 409
        and data is not None
        and payload is not None
        and is_recorded(payload, error.type)
    ):
        result["duplicate"] = True
    if data is not None and data.details is not None:
        result["details"] = data.details
    if error.retry_after is not None:
        result["retry_after"] = error.retry_after
    if error.request_id is not None:
        result["request_id"] = error.request_id
    return result
