"""What a response means: an ApiResponse or an ApiException, without the token."""

import re
from collections.abc import Mapping
from typing import Any, Optional, TypeVar

import urllib3

from .api_response import ApiResponse
from .exceptions import ApiException, kind_of
from .models import ErrorResponse, EventPayload, LeadPayload, Model, TrackResponse, read_json
from .rest import RESTResponse
from .retry import is_retryable

M = TypeVar("M", bound=Model)

_REDACTED = "[redacted]"
# What may stand in a result as the service's own: a type of a few words, and an id.
_TYPE = r"[A-Za-z0-9_ .:/-]{1,100}"
_REQUEST_ID = r"[!-~]{1,200}"
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
        response.status,
        _redact_headers(token, response),
        data,
        _redact(token, body) if echoed else body,
        response.attempts,
        response.status == 409,
        request_id,
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
    kind = kind_of(status)
    name, message, hint = kind.type, kind.message, ""
    if data is None and status // 100 == 2:
        name = "invalid_response"
        message = (
            "The response is not the service's, or can't be read; the event may or may not have "
            "been tracked. Check the host argument or CMS_HOST, and proxies."
        )
    retryable = is_retryable(status, name)
    body = response.content
    if data is not None and data.type and _is_safe(data.type, _TYPE, payload, token):
        name = data.type
    if status == 409 and response.retried:
        hint = _MAYBE_RECORDED
    elif status in (400, 422) and getattr(payload, "click_id", None) is None:
        hint = "" if data and (data.error or data.message) else _NO_CLICK
    return kind.exception(
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


def _is_duplicate(
    response: RESTResponse, payload: EventPayload, data: Optional[ErrorResponse]
) -> bool:
    """
    Tell whether a 409 can only mean that the service recorded an earlier attempt of this call.

    For a lead with a click it can also mean that the customer is bound to another click.
    """
    if response.status != 409 or not response.retried:
        return False
    with_click = isinstance(payload, LeadPayload) and payload.click_id is not None
    return not with_click or (data is not None and data.type == "duplicate_event")


def _request_id(
    stated: Optional[str], response: RESTResponse, payload: EventPayload, token: str
) -> Optional[str]:
    """Return the service's id of the request: the body's, else the header's."""
    for text in (stated, response.headers.get("X-Request-Id")):
        if text and _is_safe(text, _REQUEST_ID, payload, token):
            return text
    return None


def _is_safe(text: str, pattern: str, payload: EventPayload, token: str) -> bool:
    """Tell whether a text of the service may be logged: it has nothing of the event or token."""
    if re.fullmatch(pattern, text) is None or token in text or _REDACTED in text:
        return False
    text = text.lower()
    # Some versions of pydantic keep an instance of a subclass of str, whose methods may fail.
    values = (value for _, value in payload if value is not None)
    sent = [str.__str__(v).lower() if isinstance(v, str) else str(v) for v in values]
    # A short value within a text may be a coincidence.
    return not any(value == text or (len(value) >= _MIN_ECHO and value in text) for value in sent)


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
    headers = response.headers
    if token.encode() not in response.head:
        return headers
    return urllib3.HTTPHeaderDict(
        (_redact(token, name), _redact(token, value)) for name, value in headers.items()
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
