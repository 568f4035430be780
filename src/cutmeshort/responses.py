"""Turns a response of the service into an ApiResponse or an ApiException."""

import re
from typing import Optional, TypeVar

from .api_response import ApiResponse
from .exceptions import ApiException, error_spec
from .models import ErrorResponse, EventPayload, LeadPayload, Model, SalePayload, TrackResponse
from .redaction import contains_sent_value, redact_headers, redact_token
from .rest import RESTResponse
from .retry import is_retryable
from .strict_json import read_json

M = TypeVar("M", bound=Model)

# A type or request id of the service that does not match is ignored.
_TYPE = r"[A-Za-z0-9_ .:/-]{1,100}"
_REQUEST_ID = r"[!-~]{1,200}"
_KNOWN_TYPES = frozenset({"duplicate_event", "duplicate_attribution"})

_DUPLICATE_MESSAGE = "An earlier attempt of this call tracked the event"
_MAYBE_RECORDED = "An earlier attempt of this call may have recorded the event."
_NO_CLICK = (
    "The event has no click_id, which is required unless a deferred lead has associated the "
    "customer with a click."
)


def read_response(
    response: RESTResponse, payload: EventPayload, token: str
) -> ApiResponse[TrackResponse]:
    """
    Parse a response, and redact the token that was sent with `payload`.

    Raises:
        ApiException: The service did not track the event, or the response is not usable.
    """
    is_2xx = response.status // 100 == 2
    data = _parse(TrackResponse, response, token) if is_2xx else None
    if data is None or not data.success:
        error = None if is_2xx and data is None else _parse(ErrorResponse, response, token)
        if error is None or not _is_duplicate(response, payload, error):
            raise make_exception(response, payload, token, error)
        data = TrackResponse(message=_DUPLICATE_MESSAGE, request_id=error.request_id)
    request_id = None
    if data.request_id or b"x-request-id" in response.head.lower():  # most responses have none
        request_id = _request_id(data.request_id, response, payload, token)
    secret, headers = token.encode(), response.headers
    body = response.content or b""
    return ApiResponse(
        status_code=response.status,
        headers=redact_headers(headers, token) if secret in response.head else headers,
        data=data,
        raw_data=redact_token(body, token) if secret in body else body,
        attempts=response.attempts,
        duplicate=response.status == 409,
        request_id=request_id,
    )


def make_exception(
    response: RESTResponse, payload: EventPayload, token: str, data: Optional[ErrorResponse]
) -> ApiException:
    """
    Create the exception for a response that is not a success, and redact the token.

    Args:
        response: The response.
        payload: The event that was sent. The exception's text, type and request id contain none of
            its values.
        token: The token that was sent.
        data: The parsed body; None if the body can't be read, or is not the service's.
    """
    status = response.status
    spec = error_spec(status)
    type_, message, hint = spec.type, spec.message, ""
    if data is None and status // 100 == 2:
        type_ = "invalid_response"
        message = (
            "The response is not from the service, or can't be read, so the event may or may not "
            "have been tracked. Check the host argument or CMS_HOST, and the proxy settings."
        )
    retryable = is_retryable(status, type_)
    type_ = _own_type(data, payload, token) or type_
    if status == 409:
        hint = _MAYBE_RECORDED if response.retried else ""
        if data is not None and (type_ == "duplicate_event" or isinstance(payload, SalePayload)):
            message = "The service has already recorded this event."
        elif type_ == "duplicate_attribution":
            message = "A deferred lead has associated the customer with a click: omit click_id."
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


def _parse(model: type[M], response: RESTResponse, token: str) -> Optional[M]:
    """Parse the body, then redact the token; return None if the body is not the service's."""
    body = response.content
    if body is None:
        return None
    try:
        data = model.model_validate(read_json(body) if body.strip() else {})
        # Redacting comes last: a token like `true` or `success` must not change how the body is
        # read. The token may also be written with escapes.
        if token.encode() in body or b"\\" in body:
            for name in model.model_fields:
                setattr(data, name, redact_token(getattr(data, name), token))
            redact_token(data.model_extra, token)
    except (RecursionError, ValueError):
        return None
    return data


def _is_duplicate(response: RESTResponse, payload: EventPayload, error: ErrorResponse) -> bool:
    """Return whether a 409 proves that the service recorded an earlier attempt of this call."""
    return response.status == 409 and response.retried and is_recorded(payload, error.type)


def is_recorded(payload: EventPayload, type_: Optional[str]) -> bool:
    """
    Return whether a 409 of the service can only mean that it has the event.

    A lead with a click may conflict with another click of the customer instead.

    Args:
        payload: The event.
        type_: The type in the response.
    """
    has_click = isinstance(payload, LeadPayload) and payload.click_id is not None
    return not has_click or type_ == "duplicate_event"


def _request_id(
    in_body: Optional[str], response: RESTResponse, payload: EventPayload, token: str
) -> Optional[str]:
    """Return the request id from the body, else from the header; skip one with a sent value."""
    for text in (in_body, response.headers.get("X-Request-Id")):
        if not text or re.fullmatch(_REQUEST_ID, text) is None:
            continue
        if not contains_sent_value(text, payload, token):
            return text
    return None


def _own_type(data: Optional[ErrorResponse], payload: EventPayload, token: str) -> Optional[str]:
    """Return the service's own error type; None without one, or if it contains a sent value."""
    type_ = (data.type or "").strip() if data is not None else ""
    if re.fullmatch(_TYPE, type_) is None:
        return None
    if type_ in _KNOWN_TYPES or not contains_sent_value(type_, payload, token, words=True):
        return type_
    return None
