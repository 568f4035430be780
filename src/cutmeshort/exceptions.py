"""
The exceptions of the SDK, in one tree.

::

    OpenApiException
    ├── ApiTypeError (TypeError)               an argument of a wrong type
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

The text of an exception may end in a log. So it has neither the token, nor what was sent, nor what
the service returned. What the service returned is in attributes.
"""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

if TYPE_CHECKING:
    from .models import ErrorResponse


# An attribute of exceptions that are not the SDK's: how many attempts the call made.
ATTEMPTS = "_cutmeshort_attempts"


class OpenApiException(Exception):
    """The base class of all exceptions that the SDK raises on purpose."""


class ApiTypeError(OpenApiException, TypeError):
    """An argument is of a type that the method does not accept."""


class ApiValueError(OpenApiException, ValueError):
    """
    An argument or a setting is not valid; the message says what is.

    Attributes:
        argument: The name of the argument or setting, if the message is about one.
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

    A copy or pickle has no `reason`, `headers`, `body` and `data`, which may have customers' data.

    Attributes:
        status: The HTTP status code; 0 when there was no response.
        type: Machine-readable reason: `unauthorized`, `timeout`, ….
        message: Human-readable reason: one line from the SDK, without data of the call.
        hint: More about this call, in one line; may be empty.
        reason: The reason phrase of the HTTP status line; None without a response.
        retryable: Whether the same event, sent again later, may succeed.
        retry_after: Seconds that the service asks to wait, if it does.
        attempts: How many attempts were made; 0 when nothing was sent.
        request_id: The service's id of the request, to quote to its support, if it is known.
        headers: The response's headers, a mapping without regard to case; None without a response.
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
    """401: the service does not know the token."""


class ForbiddenException(ApiException):
    """403: the token may not track events."""


class NotFoundException(ApiException):
    """404: there is no tracking API at this host."""


class ConflictException(ApiException):
    """409: the service has recorded this event already, or can't attribute it to this click."""


class UnprocessableEntityException(ApiException):
    """422: the service rejected a field."""


class TooManyRequestsException(ApiException):
    """429: more requests than the service accepts."""


class ServiceException(ApiException):
    """5xx: the service failed."""


class ErrorSpec(NamedTuple):
    """What an HTTP status means: the exception to raise, its `type` and its `message`."""

    exception: type[ApiException]
    type: str
    message: str


_ERROR_SPECS: dict[int, ErrorSpec] = {
    400: ErrorSpec(BadRequestException, "bad_request", "The service could not read the request."),
    401: ErrorSpec(
        UnauthorizedException,
        "unauthorized",
        "The service does not know the token: check the token argument or CMS_BEARER_TOKEN.",
    ),
    403: ErrorSpec(ForbiddenException, "forbidden", "The token may not track events."),
    404: ErrorSpec(
        NotFoundException,
        "not_found",
        "There is no tracking API here: check the host argument or CMS_HOST.",
    ),
    408: ErrorSpec(
        ApiException, "request_timeout", "The request did not reach the service in time."
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
        ApiException, "too_early", "The service does not accept the request this early."
    ),
    429: ErrorSpec(
        TooManyRequestsException,
        "rate_limit_exceeded",
        "Too many requests: the service accepts 60 per minute and user.",
    ),
    500: ErrorSpec(ServiceException, "internal_server_error", "The service failed."),
    502: ErrorSpec(ServiceException, "bad_gateway", "The service's gateway got no valid response."),
    503: ErrorSpec(ServiceException, "service_unavailable", "The service is not available now."),
    504: ErrorSpec(ServiceException, "gateway_timeout", "The service's gateway timed out."),
}


def error_spec(status: int) -> ErrorSpec:
    """Return what an HTTP status outside 2xx means; 0 stands for no response."""
    if status == 0:
        return ErrorSpec(ApiException, "network_error", "There was no response.")
    if status in _ERROR_SPECS:
        return _ERROR_SPECS[status]
    if status // 100 == 5:
        return ErrorSpec(ServiceException, "server_error", "The service failed.")
    if status // 100 == 3:
        return ErrorSpec(
            ApiException,
            "redirect",
            "The host redirects, which the SDK does not follow: check the host argument or "
            "CMS_HOST.",
        )
    return ErrorSpec(ApiException, "api_error", "The service did not track the event.")


# Python 3.9 has no list of its standard library. These modules take part in a call, or limit it.
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
_OUR_PACKAGES = frozenset({"cutmeshort", "pydantic", "pydantic_core", "urllib3"})


def is_application_error(error: BaseException) -> bool:
    """
    Tell whether an exception's class is the application's.

    During a request, a signal handler of the application may raise such an exception, for example
    to end a job that takes too long.
    """
    package = type(error).__module__.partition(".")[0]
    return package not in _STANDARD_LIBRARY and package not in _OUR_PACKAGES
