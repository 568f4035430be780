"""The dicts that the facade returns, and the functions that make them."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional, Union

from pydantic import ValidationError
from typing_extensions import Literal, NotRequired, TypedDict

from .api_response import ApiResponse
from .exceptions import ATTEMPTS, ApiException, ApiValueError
from .models import EventPayload, TrackResponse

_MAX_ERROR_LENGTH = 500
_MAX_VALUE_LENGTH = 2048  # of what is personal; see the models
_MAX_SEARCHED_LENGTH = 4096  # to search more would take seconds
_PERSONAL = ("customer_external_id", "customer_name", "customer_email", "customer_avatar")


FieldWarnings = list[dict[str, str]]


@dataclass(frozen=True)
class Outcome:
    """
    The outcome of one call, without data of the event: for logs and metrics.

    Attributes:
        operation: `track_lead` or `track_sale`.
        success: Whether the event was tracked.
        type: The result's `type`; None when the event was tracked.
        status_code: The HTTP status; 0 without a response; 422 for a refused argument.
        attempts: How many attempts were made; 0 when nothing was sent.
        seconds: How long the call took, waits between attempts included.
        retryable: Whether the same event, sent again later, may succeed.
        retry_after: Seconds that the service asks to wait, if it does.
        request_id: The service's id of the request, for its support, if it is known.
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
        message: What the service says, human-readable.
        data: What the service adds; often empty.
        duplicate: True, where the service had the event already, from an earlier attempt of this
            call (409).
        request_id: The service's id of the request, for its support, where it is known.
        warnings: What the SDK left out of the event or assumed, where it did: a list of dicts with
            `field` and `message`.
    """

    success: Literal[True]


class TrackError(_ErrorKeys):
    """
    The event was not tracked, or the SDK does not know whether it was.

    Attributes:
        success: False.
        error: One line that a person can act on.
        status_code: The HTTP status; 0 without a response; 422 for a refused argument.
        type: What happened, machine-readable.
        retryable: Whether the same event, sent again later, may succeed. The service deduplicates.
        attempts: How many attempts were made; 0 when nothing was sent.
        details: What is wrong with which field, where known: a list of dicts with `field` and
            `message` when the SDK refused it, else what the service says.
        retry_after: Seconds that the service asks to wait, if it does.
        request_id: The service's id of the request, for its support, where it is known.
        warnings: What the SDK left out of the event or assumed, where it did: a list of dicts with
            `field` and `message`.
    """

    success: Literal[False]


if not TYPE_CHECKING or os.name == "":
    # Mypy looks in here, as it leaves `os.name` open.
    TrackResult = Union[TrackSuccess, TrackError]
else:  # seen by Pyright alone
    # It knows that `os.name` isn't empty and looks in here. By design it tells the two apart
    # by `is True`, but not by `if result["success"]:`; so that both branches of that check there as
    # well, each has the other's keys. A misspelt key is an error for both.
    class _Success(TrackSuccess, _ErrorKeys): ...

    class _Error(TrackError, _SuccessKeys): ...

    TrackResult = Union[_Success, _Error]  # type: ignore[misc]


def success(response: ApiResponse[TrackResponse]) -> TrackSuccess:
    """Make the dict for a response."""
    data = response.data
    result: TrackSuccess = {"success": True, "message": data.message, "data": data.data}
    if response.duplicate:
        result["duplicate"] = True
    if response.request_id is not None:
        result["request_id"] = response.request_id
    return result


def invalid(errors: Sequence[Union[ApiValueError, ValidationError]]) -> TrackError:
    """Make the dict for arguments that were refused before anything was sent."""
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
        error: What was raised.
        payload: What was sent, whose personal data is kept out of the service's text.
        sent: Whether something may have been sent. If so, the event may be recorded, and sending it
            again can't count it twice.
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
    """Say in one line what an exception means, with nothing of the event or of a response."""
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
        operation: `track_lead` or `track_sale`.
        result: The call's dict.
        response: Where the result comes from, if it is a success.
        seconds: How long the call took.
    """
    if result["success"] is False:
        return Outcome(
            operation=operation,
            success=False,
            type=result["type"],
            status_code=result["status_code"],
            attempts=result["attempts"],
            seconds=seconds,
            retryable=result["retryable"],
            retry_after=result.get("retry_after"),
            request_id=result.get("request_id"),
        )
    return Outcome(
        operation=operation,
        success=True,
        type=None,
        status_code=response.status_code if response else 0,
        attempts=response.attempts if response else 0,
        seconds=seconds,
        retryable=False,
        retry_after=None,
        request_id=result.get("request_id"),
    )


def _refused(error: ApiException, payload: Optional[EventPayload]) -> TrackError:
    data = error.data
    texts = [] if data is None else [data.error, data.message]
    lines = (_one_line(text, payload) for text in texts if text)
    line = next(filter(None, lines), None)
    # What the service says of a missing click is better than the SDK's guess.
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


def _one_line(text: str, payload: Optional[EventPayload]) -> str:
    """Make the service's text safe to log: one printable line, without the customer's data."""
    line = _words(text[:_MAX_SEARCHED_LENGTH])
    for name in _PERSONAL:
        given = getattr(payload, name, None)
        # Some versions of pydantic keep an instance of a subclass, whose methods may fail.
        value = "" if given is None else _words(str.__str__(given))
        if value:
            # Inside a word, a short id or name is a coincidence; an address or URL is not.
            inside = "@" in value or "/" in value
            pattern = re.escape(value) if inside else rf"(?<!\w){re.escape(value)}(?!\w)"
            line = re.sub(pattern, "[redacted]", line, flags=re.IGNORECASE)
    if len(text) > _MAX_SEARCHED_LENGTH:
        line = line[:-_MAX_VALUE_LENGTH]  # it may end with a part of a value
    return line


def _words(text: str) -> str:
    """Put one space between words, in place of white space and what can't be printed."""
    return " ".join("".join(part if part.isprintable() else " " for part in text).split())
