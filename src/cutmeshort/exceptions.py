"""
Everything that the SDK raises, in one tree.

::

    OpenApiException
    ├── ApiTypeError (TypeError)               an argument of a wrong type
    ├── ApiValueError (ValueError)             an argument or a setting that can't be used
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

No text of an exception holds the token, what was sent, or what the service
wrote: they may end in a log. What the service wrote is in attributes.
"""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

if TYPE_CHECKING:
    from .models import ErrorResponse


# Where an exception that isn't the SDK's says how many attempts its call has made.
ATTEMPTS = "_cutmeshort_attempts"


class OpenApiException(Exception):
    """The root of everything that this package raises on purpose."""


class ApiTypeError(OpenApiException, TypeError):
    """An argument is of a type that the method doesn't take, or has an unknown name."""


class ApiValueError(OpenApiException, ValueError):
    """
    An argument or a setting can't be used; the message says what to write.

    Attributes:
        argument: The name of the argument or setting, where it is one.
    """

    def __init__(self, message: str, argument: Optional[str] = None) -> None:
        super().__init__(message)
        self.argument = argument


class ApiKeyError(OpenApiException, KeyError):
    """A key is missing. Not raised; kept so that existing `except` clauses still work."""


class ApiAttributeError(OpenApiException, AttributeError):
    """A setting doesn't exist, or can't be assigned any more."""


class ApiException(OpenApiException):
    """
    A call failed: the service refused it, or sent no usable response.

    A copy or pickle has no `reason`, `headers`, `body` and `data`: they may have a customer's data.

    Attributes:
        status: The HTTP status code; 0 when there was no response.
        type: What happened, machine-readable: `unauthorized`, `timeout`, ….
        message: What happened, human-readable: one line from the SDK, without data of the call.
        hint: What else the SDK knows about this call: one line, or empty.
        reason: The reason phrase of the HTTP status line; None without a response.
        retryable: Whether the same event, sent again later, may succeed.
        retry_after: Seconds that the service asks to wait, if it does.
        attempts: How many attempts were made; 0 when nothing was sent.
        request_id: The service's id of the request, for its support, if it is known.
        headers: The response's headers, looked up without case; None without a response.
        body: The response's body as text; None without a response, or when it can't be read.
        data: The body as ErrorResponse, where it is one.
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
    """401: the service doesn't know the token."""


class ForbiddenException(ApiException):
    """403: the token may not track events."""


class NotFoundException(ApiException):
    """404: there is no tracking API at this host."""


class ConflictException(ApiException):
    """409: the service has recorded this event already, or can't attribute it to this click."""


class UnprocessableEntityException(ApiException):
    """422: the service refused a field."""


class TooManyRequestsException(ApiException):
    """429: more requests than the service takes."""


class ServiceException(ApiException):
    """5xx: the service failed."""


class ErrorSpec(NamedTuple):
    """What a status means: the class to raise, its `type` and its sentence."""

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
        UnprocessableEntityException, "unprocessable_entity", "The service refused a field."
    ),
    425: ErrorSpec(ApiException, "too_early", "The service does not take the request this early."),
    429: ErrorSpec(
        TooManyRequestsException,
        "rate_limit_exceeded",
        "Too many requests: the service takes 60 per minute and user.",
    ),
    500: ErrorSpec(ServiceException, "internal_server_error", "The service failed."),
    502: ErrorSpec(ServiceException, "bad_gateway", "The service's gateway got no valid response."),
    503: ErrorSpec(ServiceException, "service_unavailable", "The service is not available now."),
    504: ErrorSpec(ServiceException, "gateway_timeout", "The service's gateway timed out."),
}


def error_spec(status: int) -> ErrorSpec:
    """Tell what an HTTP status that isn't a success means; 0 stands for no response."""
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
            "The host redirects elsewhere, which is never followed: check the host argument "
            "or CMS_HOST.",
        )
    return ErrorSpec(ApiException, "api_error", "The service did not track the event.")


# Python 3.9 can't name its standard library: these take part in a call, or limit its time.
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
    Tell whether an exception is the application's.

    While a request is under way, the application's signal handlers may run, and raise: to end a job
    that takes too long, for example. Then the class is none of those that a call knows.
    """
    package = type(error).__module__.partition(".")[0]
    return package not in _STANDARD_LIBRARY and package not in _OUR_PACKAGES
