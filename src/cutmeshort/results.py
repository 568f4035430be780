"""The dicts that the facade returns, and the functions that make them."""

import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Optional, Union

from pydantic import ValidationError
from typing_extensions import Literal, NotRequired, TypedDict

from .api_response import ApiResponse
from .exceptions import ApiException, ApiValueError
from .models import EventPayload, TrackResponse

_MAX_ERROR_LENGTH = 500
_MAX_VALUE_LENGTH = 2048  # of what is personal; see the models
_MAX_SEARCHED_LENGTH = 4096  # to search more would take seconds
_PERSONAL = ("customer_external_id", "customer_name", "customer_email", "customer_avatar")


class _SuccessKeys(TypedDict):
    message: str
    data: dict[str, Any]


class _ErrorKeys(TypedDict):
    error: str
    status_code: int
    type: str
    retryable: bool
    details: NotRequired[Union[dict[str, Any], list[Any]]]
    retry_after: NotRequired[float]


class TrackSuccess(_SuccessKeys):
    """
    The event was tracked.

    Attributes:
        success: True.
        message: What the service says, for people.
        data: What the service adds; often empty.
    """

    success: Literal[True]


class TrackError(_ErrorKeys):
    """
    The event was not tracked, or nobody knows.

    Attributes:
        success: False.
        error: One line that a person can act on.
        status_code: The HTTP status; 0 when there was no answer.
        type: What happened, for programs.
        retryable: Whether the same event, sent again later, may succeed. It can't count twice.
        details: What is wrong with which field, where known: a list of dicts with `field` and
            `message` when the SDK refused it, else what the service says.
        retry_after: Seconds that the service asks to wait, if it does.
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
    """Make the dict for an answer."""
    return {"success": True, "message": response.data.message, "data": response.data.data}


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
    }


def _refused(error: ApiException, payload: Optional[EventPayload]) -> TrackError:
    data = error.data
    texts = [] if data is None else [data.error, data.message]
    lines = (_one_line(text, payload) for text in texts if text)
    result: TrackError = {
        "success": False,
        "error": next(filter(None, lines), error.message),
        "status_code": error.status,
        "type": error.type,
        "retryable": error.retryable,
    }
    if data is not None and data.details is not None:
        result["details"] = data.details
    if error.retry_after is not None:
        result["retry_after"] = error.retry_after
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
    return line[:_MAX_ERROR_LENGTH]


def _words(text: str) -> str:
    """Put one space between words, in place of white space and what can't be printed."""
    return " ".join("".join(part if part.isprintable() else " " for part in text).split())
