"""Reads a response of the service into an ApiResponse or an ApiException, without the token."""

import re
from typing import Optional, TypeVar

from .api_response import ApiResponse
from .exceptions import ApiException, error_spec
from .models import (
    ErrorResponse,
    EventPayload,
    LeadPayload,
    Model,
    SalePayload,
    TrackResponse,
)
from .redaction import contains_sent_value, redact_headers, redact_token
from .rest import RESTResponse
from .retry import is_retryable
from .strict_json import read_json

M = TypeVar("M", bound=Model)

# The form of a type and of a request id that are passed on.
_TYPE = r"[A-Za-z0-9_ .:/-]{1,100}"
_REQUEST_ID = r"[!-~]{1,200}"
_KNOWN_TYPES = frozenset({"duplicate_event", "duplicate_attribution"})

_DUPLICATE_MESSAGE = "The event was tracked by an earlier attempt of this call"
_MAYBE_RECORDED = "An earlier attempt of this call may have been recorded."
_NO_CLICK = (
    "The event has no click_id: it needs one, unless a deferred lead has associated the "
    "customer with a click."
)


def read_response(
    response: RESTResponse, payload: EventPayload, token: str
) -> ApiResponse[TrackResponse]:
    """
    Read a response; raise ApiException if it is not a success.

    Args:
        response: The response.
        payload: The event that was sent.
        token: The token that was sent. It is redacted in the result.
    """
    body = response.content or b""
    secret = token.encode()
    has_token = min(secret) in body and secret in body  # most searches end with the first byte
    data: Optional[TrackResponse] = None
    success = response.status // 100 == 2
    if success and response.content is not None:
        data = _read(TrackResponse, token, body, has_token)
    if data is None or not data.success:
        error: Optional[ErrorResponse] = None
        if response.content is not None and (data is not None or not success):
            error = _read(ErrorResponse, token, body, has_token)
        if not _is_duplicate(response, payload, error):
            raise make_exception(response, payload, token, error)
        request_id = None if error is None else error.request_id
        data = TrackResponse(message=_DUPLICATE_MESSAGE, request_id=request_id)
    request_id = None
    if data.request_id or b"x-request-id" in response.head.lower():
        request_id = _request_id(data.request_id, response, payload, token)
    headers = response.headers
    return ApiResponse(
        status_code=response.status,
        headers=redact_headers(headers, token) if secret in response.head else headers,
        data=data,
        raw_data=redact_token(body, token) if has_token else body,
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
        response: The response.
        payload: The event that was sent. The exception's text, type and request id have no value
            of it.
        token: The token that was sent. It is redacted in the exception.
        data: The body, if it is one of the service's.
    """
    status = response.status
    spec = error_spec(status)
    type_, message, hint = spec.type, spec.message, ""
    if data is None and status // 100 == 2:
        type_ = "invalid_response"
        message = (
            "The response is not from the service, or can't be read; the event may have been "
            "tracked or not. Check the host argument or CMS_HOST, and proxies."
        )
    retryable = is_retryable(status, type_)
    type_ = _type(data, payload, token) or type_
    if status == 409:
        message = (_conflict(type_, payload) if data is not None else None) or message
        hint = _MAYBE_RECORDED if response.retried else ""
    elif status in (400, 422) and getattr(payload, "click_id", None) is None:
        hint = _NO_CLICK
    body = response.content
    return spec.exception(
        status,
        type_,
        message,
        hint=hint,
        reason=redact_token(response.reason, token),
        retryable=retryable,
        retry_after=response.retry_after(),
        attempts=response.attempts,
        request_id=_request_id(data.request_id if data else None, response, payload, token),
        headers=redact_headers(response.headers, token),
        body=None if body is None else redact_token(body, token).decode("utf-8", "replace"),
        data=data,
    )


def _conflict(type_: str, payload: EventPayload) -> Optional[str]:
    """Return what a 409 means, if that is known."""
    if type_ == "duplicate_event" or isinstance(payload, SalePayload):
        return "The service has already recorded this event."
    if type_ == "duplicate_attribution":
        return "A deferred lead has associated the customer with a click: leave click_id out."
    return None


def _is_duplicate(
    response: RESTResponse, payload: EventPayload, data: Optional[ErrorResponse]
) -> bool:
    """
    Tell whether a 409 can only mean that the service recorded an earlier attempt of this call.

    For a lead with a click it can also mean that the customer is bound to another click. Without
    `data`, the response is not from the service.
    """
    if response.status != 409 or not response.retried or data is None:
        return False
    has_click = isinstance(payload, LeadPayload) and payload.click_id is not None
    return not has_click or data.type == "duplicate_event"


def _request_id(
    stated: Optional[str], response: RESTResponse, payload: EventPayload, token: str
) -> Optional[str]:
    """Return the service's id of the request: from the body, else from the header."""
    for text in (stated, response.headers.get("X-Request-Id")):
        if not text or re.fullmatch(_REQUEST_ID, text) is None:
            continue
        if not contains_sent_value(text, payload, token):
            return text
    return None


def _type(data: Optional[ErrorResponse], payload: EventPayload, token: str) -> Optional[str]:
    """Return the service's own type of an error, if there is one that may be logged."""
    type_ = (data.type or "").strip() if data is not None else ""
    if re.fullmatch(_TYPE, type_) is None:
        return None
    if type_ in _KNOWN_TYPES or not contains_sent_value(type_, payload, token, words=True):
        return type_
    return None


def _read(model: type[M], token: str, body: bytes, has_token: bool) -> Optional[M]:
    """Read a body; return None if it is not one of the service's."""
    try:
        response = model.model_validate(read_json(body) if body.strip() else {})
        if has_token or b"\\" in body:  # an escape may hide the token
            # Only now, as a token may be any word: the flags must be read before.
            for name in model.model_fields:
                setattr(response, name, redact_token(getattr(response, name), token))
            redact_token(response.model_extra, token)
    except (RecursionError, ValueError):
        return None
    return response
