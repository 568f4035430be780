"""
The exceptions of the SDK, in one tree.

::

    OpenApiException
    ├── ApiTypeError (TypeError)               an argument of the wrong type
    ├── ApiValueError (ValueError)             an argument or a setting that is not valid
    ├── ApiAttributeError (AttributeError)     a setting that doesn't exist or can't be assigned
    ├── ApiKeyError (KeyError)                 kept for `except` clauses; not raised
    └── ApiException                           the call failed; status 0 without a response
        ├── BadRequestException                400
        ├── UnauthorizedException              401
        ├── ForbiddenException                 403
        ├── NotFoundException                  404
        ├── ConflictException                  409
        ├── UnprocessableEntityException       422
        ├── TooManyRequestsException           429
        └── ServiceException                   5xx

The text of an exception may be logged, so it contains neither the token nor anything that was sent
or received. What the service returned is in the attributes of ApiException.
"""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

if TYPE_CHECKING:
    from .models import ErrorResponse


# The name of an attribute that is set on unexpected exceptions: how many attempts were made.
ATTEMPTS = "_cutmeshort_attempts"


class OpenApiException(Exception):
    """The base class of the SDK's own exceptions."""


class ApiTypeError(OpenApiException, TypeError):
    """An argument is of a type that the method does not accept."""


class ApiValueError(OpenApiException, ValueError):
    """
    An argument or a setting is not valid; the message says which values are.

    Attributes:
        argument: The name of the argument or setting; None if the error is not about a single one.
    """

    def __init__(self, message: str, argument: Optional[str] = None) -> None:
        super().__init__(message)
        self.argument = argument


class ApiKeyError(OpenApiException, KeyError):
    """A key is missing. Not raised; kept so that existing `except` clauses still work."""


class ApiAttributeError(OpenApiException, AttributeError):
    """A setting does not exist, or can no longer be assigned."""


class ApiException(OpenApiException):
    """
    A call failed: the service rejected it, or sent no usable response.

    A copy or pickle omits `reason`, `headers`, `body` and `data`, which may have customers' data.

    Attributes:
        status: The HTTP status code; 0 when there was no response.
        type: Machine-readable reason, such as `unauthorized` or `timeout`.
        message: Human-readable reason: one line from the SDK, without event data.
        hint: Advice for this call, in one line; may be empty.
        reason: The reason phrase of the HTTP status line; None without a response.
        retryable: Whether sending the same event again later may succeed.
        retry_after: Seconds that the service asks the client to wait; None if it does not.
        attempts: The number of attempts; 0 when nothing was sent.
        request_id: The request id, to quote to the service's support; None if it is not known.
        headers: The response's headers, a case-insensitive mapping; None without a response.
        body: The response's body as text; None without a response, or when it can't be read.
        data: The body as an ErrorResponse, if it is one.
    """

    def __init__(
        self,
        status: int = 0,
        type: Optional[str] = None,
        message: Optional[str] = None,
        *,
        hint: str = "",
        reason: Optional[str] = None,
        retryable: bool = False,
        retry_after: Optional[float] = None,
        attempts: int = 0,
        request_id: Optional[str] = None,
        headers: Optional[Mapping[str, str]] = None,
        body: Optional[str] = None,
        data: "Optional[ErrorResponse]" = None,
    ) -> None:
        spec = error_spec(status)
        self.status = status
        self.type = spec.type if type is None else type
        self.message = spec.message if message is None else message
        super().__init__(self.message)
        self.hint = hint
        self.reason = reason
        self.retryable = retryable
        self.retry_after = retry_after
        self.attempts = attempts
        self.request_id = request_id
        self.headers = headers
        self.body = body
        self.data = data

    def __str__(self) -> str:
        text = f"{self.message} {self.hint}".strip()
        return f"{self.status}: {text}" if self.status else text

    def __reduce__(self) -> tuple[Any, ...]:
        kept = {**self.__dict__, "reason": None, "headers": None, "body": None, "data": None}
        return (self.__class__, (self.status, self.type, self.message), kept)


class BadRequestException(ApiException):
    """400: the service could not read the request."""


class UnauthorizedException(ApiException):
    """401: the service rejected the token."""


class ForbiddenException(ApiException):
    """403: the token does not have permission to track events."""


class NotFoundException(ApiException):
    """404: there is no tracking API at this host."""


class ConflictException(ApiException):
    """409: the service has recorded this event already, or can't attribute it to this click."""


class UnprocessableEntityException(ApiException):
    """422: the service rejected a field."""


class TooManyRequestsException(ApiException):
    """429: the rate limit was exceeded."""


class ServiceException(ApiException):
    """5xx: the service failed."""


class ErrorSpec(NamedTuple):
    """How a status is reported: the exception to raise, its `type` and its `message`."""

    exception: type[ApiException]
    type: str
    message: str


_ERROR_SPECS: dict[int, ErrorSpec] = {
    0: ErrorSpec(ApiException, "network_error", "There was no response."),
    400: ErrorSpec(BadRequestException, "bad_request", "The service could not read the request."),
    401: ErrorSpec(
        UnauthorizedException,
        "unauthorized",
        "The service rejected the token: check the token argument or CMS_BEARER_TOKEN.",
    ),
    403: ErrorSpec(
        ForbiddenException, "forbidden", "The token does not have permission to track events."
    ),
    404: ErrorSpec(
        NotFoundException,
        "not_found",
        "There is no tracking API at this host: check the host argument or CMS_HOST.",
    ),
    408: ErrorSpec(
        ApiException, "request_timeout", "The service did not receive the whole request in time."
    ),
    409: ErrorSpec(
        ConflictException,
        "conflict",
        "The service has already recorded this event, or a deferred lead has bound the customer "
        "to a click.",
    ),
    422: ErrorSpec(
        UnprocessableEntityException, "unprocessable_entity", "The service rejected a field."
    ),
    425: ErrorSpec(
        ApiException, "too_early", "The service does not process a request that may be replayed."
    ),
    429: ErrorSpec(
        TooManyRequestsException,
        "rate_limit_exceeded",
        "Too many requests: the service accepts 60 per minute per user.",
    ),
    500: ErrorSpec(ServiceException, "internal_server_error", "The service failed."),
    502: ErrorSpec(ServiceException, "bad_gateway", "The gateway received an invalid response."),
    503: ErrorSpec(
        ServiceException, "service_unavailable", "The service is temporarily unavailable."
    ),
    504: ErrorSpec(ServiceException, "gateway_timeout", "The gateway timed out."),
}


_OTHER_3XX = ErrorSpec(
    ApiException,
    "redirect",
    "The host sent a redirect, which the SDK does not follow: check the host argument or CMS_HOST.",
)
_OTHER_5XX = ErrorSpec(ServiceException, "server_error", "The service failed.")
_OTHER = ErrorSpec(ApiException, "api_error", "The service did not track the event.")
_BY_CLASS = {3: _OTHER_3XX, 5: _OTHER_5XX}


def error_spec(status: int) -> ErrorSpec:
    """Return how to report a status; 0 means no response, and 2xx a body that reports a failure."""
    return _ERROR_SPECS.get(status) or _BY_CLASS.get(status // 100, _OTHER)


# Python 3.9 has no list of its standard library. These modules raise exceptions during a call.
_STANDARD_LIBRARY: frozenset[str] = getattr(
    sys,
    "stdlib_module_names",
    frozenset(
        {
            *("_queue", "_socket", "_ssl", "asyncio", "binascii", "builtins", "codecs"),
            *("concurrent", "email", "encodings", "http", "json", "multiprocessing", "queue"),
            *("re", "select", "selectors", "socket", "ssl", "struct", "subprocess", "zlib"),
        }
    ),
)
_SDK_PACKAGES = frozenset({"cutmeshort", "pydantic", "pydantic_core", "urllib3"})


def is_application_error(error: BaseException) -> bool:
    """
    Return whether an exception's class is defined by the application.

    A signal handler of the application may raise such an exception during a request, for example to
    end a job that takes too long. It must reach the application.
    """
    package = type(error).__module__.partition(".")[0]
    return package not in _STANDARD_LIBRARY and package not in _SDK_PACKAGES
