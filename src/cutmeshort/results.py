"""The dicts that the facade returns, and the functions that make them."""

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

_MAX_ERROR_LENGTH = 500

FieldWarnings = list[dict[str, str]]


@dataclass(frozen=True)
class Outcome:
    """
    The outcome of one call, for logs and metrics. It has no data of the event.

    Attributes:
        operation: The name of the method: `track_lead` or `track_sale`.
        success: Whether the event was tracked.
        type: The result's `type`; None when the event was tracked.
        status_code: The HTTP status; 0 without a response; 422 for a rejected argument.
        attempts: How many attempts were made; 0 when nothing was sent.
        seconds: How long the call took, waits between attempts included.
        retryable: Whether the same event, sent again later, may succeed.
        retry_after: Seconds that the service asks to wait, if it does.
        request_id: The service's id of the request, to quote to its support, if it is known.
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
    details: NotRequired[Union[dict[str, Any], list[Any]]]
    retry_after: NotRequired[float]
    request_id: NotRequired[str]
    warnings: NotRequired[FieldWarnings]


class TrackSuccess(_SuccessKeys):
    """
    The event was tracked.

    Attributes:
        success: True.
        message: Human-readable message of the service.
        data: What else the service returned; often empty.
        duplicate: True if the service had already recorded an earlier attempt of this call (409);
            else absent.
        request_id: The service's id of the request, to quote to its support, if it is known.
        warnings: What the SDK left out of the event or assumed, if anything: a list of dicts with
            `field` and `message`.
    """

    success: Literal[True]


class TrackError(_ErrorKeys):
    """
    The event was not tracked, or the SDK does not know whether it was.

    Attributes:
        success: False.
        error: Human-readable reason, in one line.
        status_code: The HTTP status; 0 without a response; 422 for a rejected argument.
        type: Machine-readable reason.
        retryable: Whether the same event, sent again later, may succeed. The service deduplicates
            it.
        attempts: How many attempts were made; 0 when nothing was sent.
        details: The invalid fields and the reasons, if known: a list of dicts with `field` and
            `message` from the SDK, any list or dict from the service.
        retry_after: Seconds that the service asks to wait, if it does.
        request_id: The service's id of the request, to quote to its support, if it is known.
        warnings: What the SDK left out of the event or assumed, if anything: a list of dicts with
            `field` and `message`.
    """

    success: Literal[False]


if not TYPE_CHECKING or os.name == "":
    # Mypy checks this branch, as it does not evaluate `os.name == ""`.
    TrackResult = Union[TrackSuccess, TrackError]
else:  # pragma: no cover - for Pyright
    # Pyright evaluates it and checks this branch. It distinguishes the two types by `is True`, but
    # not by `if result["success"]:`. So that both branches of the latter pass its check, each type
    # has the other's keys, too. A misspelt key is still an error.
    class _Success(TrackSuccess, _ErrorKeys): ...

    class _Error(TrackError, _SuccessKeys): ...

    TrackResult = Union[_Success, _Error]  # type: ignore[misc]


def success(response: ApiResponse[TrackResponse]) -> TrackSuccess:
    """Make the dict for a tracked event."""
    data = response.data
    result: TrackSuccess = {"success": True, "message": data.message, "data": data.data}
    if response.duplicate:
        result["duplicate"] = True
    if response.request_id is not None:
        result["request_id"] = response.request_id
    return result


def invalid(errors: Sequence[Union[ApiValueError, ValidationError]]) -> TrackError:
    """Make the dict for arguments that the SDK rejected, before anything was sent."""
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


def failure(error: Exception, payload: Optional[EventPayload], *, sent: bool) -> TrackError:
    """
    Make the dict for an exception.

    Args:
        error: The exception.
        payload: The event, if there is one. The dict's `error` has none of the customer's data.
        sent: Whether the event may have been sent, and so may have been recorded.
    """
    if isinstance(error, ApiException):
        return _refused(error, payload)
    return {
        "success": False,
        "error": f"The SDK failed ({type(error).__name__}); its log has the details.",
        "status_code": 0,
        "type": "internal_error",
        "retryable": sent,
        "attempts": vars(error).get(ATTEMPTS, 0),
    }


def explain(error: Exception, result: TrackError) -> str:
    """Return a line for the log: why a call failed, without data of the event or the response."""
    if isinstance(error, ApiException):
        return f"{error.message} {error.hint}".strip()
    return result["error"]


def make_outcome(
    operation: str,
    result: Union[TrackSuccess, TrackError],
    response: Optional[ApiResponse[TrackResponse]],
    seconds: float,
) -> Outcome:
    """
    Make the outcome of a call.

    Args:
        operation: The name of the operation.
        result: The dict that the call returns.
        response: The response, if the event was tracked.
        seconds: How long the call took.
    """
    failed: Any = {} if result["success"] else result
    return Outcome(
        operation=operation,
        success=result["success"],
        type=failed.get("type"),
        status_code=failed.get("status_code", getattr(response, "status_code", 0)),
        attempts=failed.get("attempts", getattr(response, "attempts", 0)),
        seconds=seconds,
        retryable=failed.get("retryable", False),
        retry_after=failed.get("retry_after"),
        request_id=result.get("request_id"),
    )


def _refused(error: ApiException, payload: Optional[EventPayload]) -> TrackError:
    data = error.data
    texts = [] if data is None else [data.error, data.message]
    lines = (redact_customer(text, payload) for text in texts if text)
    line = next(filter(None, lines), None)
    # What the service says about a missing click is better than the SDK's hint.
    hint = error.hint if line is None or error.status == 409 else ""
    line = error.message if line is None else line[: _MAX_ERROR_LENGTH - len(hint) - bool(hint)]
    result: TrackError = {
        "success": False,
        "error": f"{line} {hint}".strip(),
        "status_code": error.status,
        "type": error.type,
        "retryable": error.retryable,
        "attempts": error.attempts,
    }
    if data is not None and data.details is not None:
        result["details"] = data.details
    if error.retry_after is not None:
        result["retry_after"] = error.retry_after
    if error.request_id is not None:
        result["request_id"] = error.request_id
    return result
