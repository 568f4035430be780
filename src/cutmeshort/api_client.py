"""An operation and a payload become one HTTP request; its response, a model or an exception."""

import sys
import warnings
from collections.abc import Mapping
from types import TracebackType
from typing import Any, ClassVar, Optional, Union
from urllib.parse import SplitResult, urlsplit

import urllib3
from typing_extensions import Self, TypedDict, Unpack

from ._version import __version__
from .api_response import ApiResponse
from .checks import (
    AttemptTimeout,
    check_attempt_timeout,
    check_count,
    check_headers,
    check_seconds,
    check_token,
)
from .configuration import STANDARD_PORTS, Configuration
from .exceptions import ApiException, ApiTypeError, ApiValueError
from .models import EventPayload, TrackResponse
from .operations import Operation
from .responses import make_exception, read_response
from .rest import RESTClientObject, RESTRequest, RESTResponse


class RequestOptions(TypedDict, total=False):
    """
    What can be said for one call alone; None stands for the configuration's setting.

    Attributes:
        _request_timeout: Seconds for one attempt, to connect and for the whole response: a number
            for both or a (connect, read) pair. Never beyond the deadline.
        _deadline: Seconds for the whole call, retries and waits included.
        _max_retries: How often a failed attempt is retried.
        _request_auth: Another bearer token.
        _headers: Headers to add, or to send instead of the SDK's own; compared without case.
    """

    _request_timeout: Optional[AttemptTimeout]
    _deadline: Optional[float]
    _max_retries: Optional[int]
    _request_auth: Optional[str]
    _headers: Optional[Mapping[str, str]]


_OPTION_NAMES = frozenset(RequestOptions.__annotations__)


class ApiClient:
    """
    Sends operations to the service. Any number of threads may use one client.

    Use it as a context manager, or call `close`, to give its connections back.

    Args:
        configuration: The settings; by default, a copy of Configuration.get_default(). Once the
            client is made, they can't be assigned.

    Raises:
        ApiTypeError: `configuration` is not a Configuration.
        ApiValueError: A certificate, key or proxy of the configuration can't be used.
    """

    _default: ClassVar[Optional["ApiClient"]] = None

    def __init__(self, configuration: Optional[Configuration] = None) -> None:
        if configuration is None:
            configuration = Configuration.from_default()
        elif not isinstance(configuration, Configuration):
            raise ApiTypeError("configuration must be a Configuration")
        configuration.check()
        self.configuration = configuration
        self._attempt_timeout = check_attempt_timeout(
            "request_timeout", configuration.request_timeout
        )
        url = urlsplit(configuration.host)
        # A disabled client reads no certificates: they may not exist on a development machine.
        self._rest: Optional[RESTClientObject] = None
        if configuration.enabled:
            if not configuration.verify_ssl:
                warnings.warn(
                    "verify_ssl=False: anyone on the network can read the token and the events. "
                    "To trust a private certificate authority, pass ssl_ca_cert=...",
                    stacklevel=_stack_level(),
                )
            self._rest = RESTClientObject(configuration)
        self._forwarded = self._rest is not None and self._rest.forwarded
        self._base = configuration.host if self._forwarded else url.path
        runtime = "{}.{}.{}".format(*sys.version_info)
        self._own_headers = {
            "Host": _host_header(url),
            "Accept-Encoding": "identity",
            "Accept": "application/json",
            "Content-Type": "application/json",
            "User-Agent": f"cutmeshort-python/{__version__} "
            f"({sys.implementation.name} {runtime}; {sys.platform})",
            "X-CMS-SDK-Version": __version__,
            "X-CMS-SDK-Runtime": "python",
        }
        self._headers = self._own_headers
        configuration.freeze()

    def call_api(
        self,
        operation: Operation,
        payload: Union[EventPayload, Mapping[str, Any]],
        **options: Unpack[RequestOptions],
    ) -> ApiResponse[TrackResponse]:
        """
        Send a payload and read the response.

        Args:
            operation: Where to send it.
            payload: The operation's model, or a mapping that becomes one.
            options: See RequestOptions.

        Raises:
            pydantic.ValidationError: The mapping is not a valid payload.
            ApiTypeError: The payload is neither, or an option has an unknown name.
            ApiValueError: An option can't be used, or there is no token.
            ApiException: The service refused the payload or sent no usable response, or the client
                is disabled.
        """
        token = self._token(options)
        if not isinstance(payload, operation.request_model):
            payload = _as_model(operation, payload)
        return read_response(self._send(operation, payload, token, options), payload, token)

    def call_api_without_preload_content(
        self,
        operation: Operation,
        payload: Union[EventPayload, Mapping[str, Any]],
        **options: Unpack[RequestOptions],
    ) -> urllib3.BaseHTTPResponse:
        """
        Send a payload and return urllib3's response, of whatever status, with its body to be read.

        The body was received, and decompressed, within the limits of `call_api`; it is not searched
        for the token. Arguments and errors are those of `call_api`, except that a status outside
        2xx is an error only where the body is too large or can't be decompressed.
        """
        token = self._token(options)
        if not isinstance(payload, operation.request_model):
            payload = _as_model(operation, payload)
        response = self._send(operation, payload, token, options)
        if response.content is None:
            raise make_exception(response, payload, token, None)
        return response.unread()

    def set_default_header(self, name: str, value: Optional[str]) -> None:
        """
        Send a header with every call, instead of the one of that name if there is one.

        Set headers before other threads use the client.

        Authorization is always the token's; a call's own `_headers` take precedence.

        Args:
            name: The header's name, compared without case.
            value: Its value; None removes what was set before, so that the SDK's own header of that
                name, if there is one, is sent again.

        Raises:
            ApiValueError: The name or value can't stand in a request.
        """
        header = check_headers("header", {name: "" if value is None else value})
        if name.lower() == "authorization":
            return
        if value is None:
            header = {k: v for k, v in self._own_headers.items() if k.lower() == name.lower()}
            others = {k: v for k, v in self._headers.items() if k.lower() != name.lower()}
            self._headers = {**others, **header}
        else:
            self._headers = _merge(self._headers, header)

    @property
    def user_agent(self) -> str:
        """The User-Agent header of every call."""
        return urllib3.HTTPHeaderDict(self._headers)["User-Agent"]

    @user_agent.setter
    def user_agent(self, value: str) -> None:
        self.set_default_header("User-Agent", value)

    def close(self) -> None:
        """Close all connections; calls after that fail. Closing twice is fine."""
        if self._rest is not None:
            self._rest.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: Optional[type[BaseException]],
        exc_value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()

    @classmethod
    def get_default(cls) -> "ApiClient":
        """Return the client that APIs without one of their own share; it is made when asked for."""
        if cls._default is None:
            cls._default = cls()
        return cls._default

    @classmethod
    def set_default(cls, default: Optional["ApiClient"]) -> None:
        """Set the client that APIs without one of their own share; None undoes it."""
        cls._default = default

    def _token(self, options: RequestOptions) -> str:
        token = options.get("_request_auth")
        if token is not None:
            return check_token("_request_auth", token)
        if self.configuration.access_token is None and self.configuration.enabled:
            raise ApiValueError(
                "there is no token: set CMS_BEARER_TOKEN, or pass "
                "Configuration(access_token=...) or _request_auth"
            )
        return self.configuration.access_token or ""

    def _send(
        self, operation: Operation, payload: EventPayload, token: str, options: RequestOptions
    ) -> RESTResponse:
        request = self._request(operation, payload, token, options)
        if self._rest is None:
            message = "Nothing was sent: the client is disabled (enabled=False or CMS_ENABLED)."
            raise ApiException(0, "disabled", message)
        return self._rest.request(request)

    def _request(
        self, operation: Operation, payload: EventPayload, token: str, options: RequestOptions
    ) -> RESTRequest:
        configuration = self.configuration
        if options:
            _check_names(options)
        headers = {**self._headers, "Authorization": f"Bearer {token}"}
        own = options.get("_headers")
        if own is not None:
            headers = _merge(headers, check_headers("_headers", own))
        timeout = options.get("_request_timeout")
        deadline = options.get("_deadline")
        retries = options.get("_max_retries")
        return RESTRequest(
            operation=operation.name,
            method=operation.method,
            target=self._base + operation.path,
            # urllib3 replaces headers for a proxy whatever their case in this alone.
            headers=urllib3.HTTPHeaderDict(headers) if self._forwarded else headers,
            body=payload.to_json().encode(),
            timeout=configuration.timeout
            if deadline is None
            else check_seconds("_deadline", deadline),
            attempt_timeout=self._attempt_timeout
            if timeout is None
            else check_attempt_timeout("_request_timeout", timeout),
            max_retries=configuration.retries
            if retries is None
            else check_count("_max_retries", retries),
        )


def _stack_level() -> int:
    """Tell `warnings.warn` which caller is the first outside this package."""
    level, frame = 0, sys._getframe(1)  # noqa: SLF001 - as warnings.warn does
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == __package__:
        level, frame = level + 1, frame.f_back
    return level + 1


def _host_header(url: SplitResult) -> str:
    name = (url.hostname or "").rstrip(".")
    name = f"[{name}]" if ":" in name else name
    return name if url.port in (None, STANDARD_PORTS[url.scheme]) else f"{name}:{url.port}"


def _merge(headers: dict[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """Add headers, in place of those whose names differ in case alone."""
    merged = urllib3.HTTPHeaderDict(headers)
    for name, value in own.items():
        merged[name] = value
    return dict(merged)


def _check_names(options: RequestOptions) -> None:
    unknown = options.keys() - _OPTION_NAMES
    if unknown:
        raise ApiTypeError(
            f"unknown option {', '.join(sorted(unknown))}; "
            f"there are {', '.join(sorted(_OPTION_NAMES))}"
        )


def _as_model(
    operation: Operation, payload: Union[EventPayload, Mapping[str, Any]]
) -> EventPayload:
    if isinstance(payload, Mapping):
        return operation.request_model.from_dict(payload)
    raise ApiTypeError(f"payload must be a {operation.request_model.__name__} or a dict")
