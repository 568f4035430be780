"""What a response means: an ApiResponse or an ApiException, without the token."""

import re
from collections.abc import Mapping
from typing import Any, Optional, TypeVar
from urllib.parse import unquote

import urllib3

from .api_response import ApiResponse
from .exceptions import ApiException, error_spec
from .models import (
    ErrorResponse,
    EventPayload,
    LeadPayload,
    Model,
    SalePayload,
    TrackResponse,
    read_json,
)
from .rest import RESTResponse
from .retry import is_retryable

M = TypeVar("M", bound=Model)

_REDACTED = "[redacted]"
# What a type and a request id of the service may look like in a result.
_TYPE = r"[A-Za-z0-9_ .:/-]{1,100}"
_REQUEST_ID = r"[!-~]{1,200}"
_KNOWN_TYPES = frozenset({"duplicate_event", "duplicate_attribution"})
_MIN_ECHO = 6

_DUPLICATE_MESSAGE = "The event was tracked by an earlier attempt of this call"
_MAYBE_RECORDED = "An earlier attempt of this call may have been recorded."
_NO_CLICK = (
    "The event has no click_id: it needs one, unless a deferred lead has bound a click to the "
    "customer."
)


def read_response(
    response: RESTResponse, payload: EventPayload, token: str
) -> ApiResponse[TrackResponse]:
    """
    Read a response; raise ApiException if it is not a success.

    Args:
        response: What was received.
        payload: What was sent.
        token: What was sent, too; it is taken out of the response.
    """
    body = response.content or b""
    secret = token.encode()
    echoed = min(secret) in body and secret in body  # to find one byte, or none, takes no time
    data: Optional[TrackResponse] = None
    success = response.status // 100 == 2
    if success and response.content is not None:
        data = _read(TrackResponse, token, body, echoed)
    if data is None or not data.success:
        failed = None
        if response.content is not None and (data is not None or not success):
            failed = _read(ErrorResponse, token, body, echoed)
        if not _is_duplicate(response, payload, failed):
            raise make_exception(response, payload, token, failed)
        stated = None if failed is None else failed.request_id
        data = TrackResponse(message=_DUPLICATE_MESSAGE, request_id=stated)
    request_id = None
    if data.request_id or b"x-request-id" in response.head.lower():
        request_id = _request_id(data.request_id, response, payload, token)
    return ApiResponse(
        status_code=response.status,
        headers=_redact_headers(token, response) if secret in response.head else response.headers,
        data=data,
        raw_data=_redact(token, body) if echoed else body,
        attempts=response.attempts,
        duplicate=response.status == 409,
        request_id=request_id,
    )


def make_exception(
    response: RESTResponse, payload: EventPayload, token: str, data: Optional[ErrorResponse]
) -> ApiException:
    """
    Make the exception for a response that is not a success.

    Args:
        response: What was received.
        payload: What was sent, of which nothing gets into the exception's text, type and id.
        token: What was sent, too; it is taken out of the response.
        data: The response's body, where it is one of the service's.
    """
    status = response.status
    spec = error_spec(status)
    name, message, hint = spec.type, spec.message, ""
    if data is None and status // 100 == 2:
        name = "invalid_response"
        message = (
            "The response is not the service's, or can't be read; the event may or may not have "
            "been tracked. Check the host argument or CMS_HOST, and proxies."
        )
    retryable = is_retryable(status, name)
    body = response.content
    name = _type(data, payload, token) or name
    if status == 409:
        message = (_conflict(name, payload) if data is not None else None) or message
        hint = _MAYBE_RECORDED if response.retried else ""
    elif status in (400, 422) and getattr(payload, "click_id", None) is None:
        hint = _NO_CLICK
    return spec.exception(
        status,
        name,
        message,
        hint=hint,
        reason=_redact(token, response.reason),
        retryable=retryable,
        retry_after=response.retry_after(),
        attempts=response.attempts,
        request_id=_request_id(data.request_id if data else None, response, payload, token),
        headers=_redact_headers(token, response),
        body=None if body is None else _redact(token, body).decode("utf-8", "replace"),
        data=data,
    )


def _conflict(name: str, payload: EventPayload) -> Optional[str]:
    """Say what a 409 means, where that is known."""
    if name == "duplicate_event" or isinstance(payload, SalePayload):
        return "The service has already recorded this event."
    if name == "duplicate_attribution":
        return "A deferred lead has bound the customer to a click: leave click_id out."
    return None


def _is_duplicate(
    response: RESTResponse, payload: EventPayload, data: Optional[ErrorResponse]
) -> bool:
    """
    Tell whether a 409 can only mean that the service recorded an earlier attempt of this call.

    For a lead with a click it can also mean that the customer is bound to a click already. Without
    `data`, what responded was not the service.
    """
    if response.status != 409 or not response.retried or data is None:
        return False
    with_click = isinstance(payload, LeadPayload) and payload.click_id is not None
    return not with_click or data.type == "duplicate_event"


def _request_id(
    stated: Optional[str], response: RESTResponse, payload: EventPayload, token: str
) -> Optional[str]:
    """Return the service's id of the request: the body's, else the header's."""
    for text in (stated, response.headers.get("X-Request-Id")):
        if text and re.fullmatch(_REQUEST_ID, text) and not _has_echo(text, payload, token):
            return text
    return None


def _type(data: Optional[ErrorResponse], payload: EventPayload, token: str) -> Optional[str]:
    """Return the service's own type of an error, where it has one that may be logged."""
    name = (data.type or "").strip() if data is not None else ""
    if re.fullmatch(_TYPE, name) is None:
        return None
    if name in _KNOWN_TYPES:
        return name
    return None if _has_echo(name, payload, token, words=True) else name


def _has_echo(text: str, payload: EventPayload, token: str, *, words: bool = False) -> bool:
    """
    Tell whether a text of the service has a value of the event, or the token, in it.

    A value counts if it is the whole text, or with `words`, a word of it; in an id, a short one may
    be there by coincidence. From six characters on it counts wherever it is, except for the event
    name: `purchase_rejected` is not about an event that is called "Purchase".
    """
    text = _normal(text)
    values = {**payload.to_dict(), "token": token, "redacted token": _REDACTED}
    values.pop("mode", None)  # not data of the customer, but a word of the service's own types
    for name, value in values.items():
        sent = _normal(str(value))
        inside = name != "eventName" and len(sent) >= _MIN_ECHO
        if sent == text or (inside and sent in text):
            return True
        if words and sent and re.search(rf"(?<!\w){re.escape(sent)}(?!\w)", text):
            return True
    return False


def _normal(text: str) -> str:
    return " ".join(unquote(text).lower().split())


def _read(model: type[M], token: str, body: bytes, echoed: bool) -> Optional[M]:
    """Read a body, which may have the token; None where it is not one of the service's."""
    try:
        response = model.model_validate(read_json(body) if body.strip() else {})
        if echoed or b"\\" in body:  # an escape may hide it
            # After the flags were read: a token may be any word.
            for name in model.model_fields:
                setattr(response, name, _redact(token, getattr(response, name)))
            _redact(token, response.model_extra)
    except (RecursionError, ValueError):
        return None
    return response


def _redact_headers(token: str, response: RESTResponse) -> Mapping[str, str]:
    headers = response.headers.items()
    return urllib3.HTTPHeaderDict(
        (_redact(token, name), _redact(token, value)) for name, value in headers
    )


def _redact(token: str, value: Any) -> Any:
    """Take the token out of a response that echoes it; lists and dicts are changed in place."""
    if isinstance(value, str):
        return value.replace(token, _REDACTED)
    if isinstance(value, bytes):
        return value.replace(token.encode(), _REDACTED.encode())
    if isinstance(value, list):
        value[:] = [_redact(token, item) for item in value]
    elif isinstance(value, dict):
        items = [(_redact(token, key), _redact(token, item)) for key, item in value.items()]
        value.clear()
        value.update(items)
    return value
