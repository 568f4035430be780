"""ApiClient: sends the payload of an operation as an HTTP request, and parses the response."""

import sys
import warnings
from collections.abc import Mapping
from typing import Any, ClassVar, Optional, Union
from urllib.parse import urlsplit

import urllib3
from typing_extensions import Self, Unpack

from .api_response import ApiResponse
from .checks import (
    AttemptTimeout,
    check_attempt_timeout,
    check_count,
    check_headers,
    check_seconds,
    check_token,
)
from .configuration import Configuration
from .exceptions import ApiException, ApiTypeError, ApiValueError
from .headers import merge_headers, sdk_headers
from .models import EventPayload, TrackResponse
from .operations import Operation
from .request_options import RequestOptions
from .responses import make_exception, read_response
from .rest import RESTClientObject, RESTRequest, RESTResponse


class ApiClient:
    """
    Sends events to the service. Thread-safe, except for setting headers.

    Use it as a context manager, or call `close`, to close its connections.

    Args:
        configuration: The settings; by default, a copy of Configuration.get_default(). Creating the
            client makes them read-only.

    Raises:
        ApiTypeError: `configuration` is not a Configuration.
        ApiValueError: A setting, certificate, key or proxy is not valid.
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
        # A disabled client reads no certificates, which a development machine may not have.
        self._rest: Optional[RESTClientObject] = None
        if configuration.enabled:
            if not configuration.verify_ssl:
                warnings.warn(
                    "verify_ssl=False: anyone on the network can read the token and the events. "
                    "To trust a private certificate authority, pass ssl_ca_cert=...",
                    stacklevel=_stack_level(),
                )
            self._rest = RESTClientObject(configuration)
        url = urlsplit(configuration.host)
        self._forwarded = self._rest is not None and self._rest.forwarded
        # The target of a request that a proxy forwards is the whole URL.
        self._base = configuration.host if self._forwarded else url.path
        self._headers = self._sdk_headers = sdk_headers(url)
        self._default_headers: Mapping[str, str] = {}
        configuration.freeze()

    def call_api(
        self,
        operation: Operation,
        payload: Union[EventPayload, Mapping[str, Any]],
        **options: Unpack[RequestOptions],
    ) -> ApiResponse[TrackResponse]:
        """
        Send a payload and return the parsed response, with the token redacted.

        Args:
            operation: The operation of the API.
            payload: The operation's model, or a mapping of its fields in snake_case or camelCase.
            options: See RequestOptions.

        Raises:
            pydantic.ValidationError: The mapping is not a valid payload.
            TypeError: An option has an unknown name.
            ApiTypeError: The payload is neither a model of the operation nor a mapping.
            ApiValueError: An option is not valid, or there is no token.
            ApiException: The service rejected the payload or sent no usable response, or the client
                is disabled or closed.
        """
        response, payload, token = self._send(operation, payload, options)
        return read_response(response, payload, token)

    def call_api_without_preload_content(
        self,
        operation: Operation,
        payload: Union[EventPayload, Mapping[str, Any]],
        **options: Unpack[RequestOptions],
    ) -> urllib3.BaseHTTPResponse:
        """
        Send a payload and return urllib3's response, of any status, with an unread body.

        Arguments and exceptions are those of `call_api`, but a status outside 2xx is not an error.
        The body was received and decompressed; if it is larger than 1 MiB or can't be decompressed,
        that is an ApiException. The token is not redacted in the response.
        """
        response, payload, token = self._send(operation, payload, options)
        if response.content is None:
            raise make_exception(response, payload, token, None)
        return response.unread()

    def set_default_header(self, name: str, value: Optional[str]) -> None:
        """
        Set a header for every call. It replaces the SDK's own header of that name.

        Set headers before other threads use the client. A call's `_headers` take precedence.

        `Authorization` is ignored here, as every call sends the token in it. For another token,
        use `_request_auth`. Only an `Authorization` in a call's `_headers` replaces the token.

        Args:
            name: The header's name, case-insensitive.
            value: Its value. None removes the header, or restores the SDK's own.

        Raises:
            ApiValueError: The name or the value is not valid in HTTP.
        """
        header = check_headers("header", {name: "" if value is None else value})
        if name.lower() == "authorization":
            return
        others = {k: v for k, v in self._default_headers.items() if k.lower() != name.lower()}
        self._default_headers = others if value is None else {**others, **header}
        self._headers = merge_headers(self._sdk_headers, self._default_headers)

    @property
    def user_agent(self) -> str:
        """The default User-Agent header. Assigning to it calls `set_default_header`."""
        return urllib3.HTTPHeaderDict(self._headers)["User-Agent"]

    @user_agent.setter
    def user_agent(self, value: str) -> None:
        self.set_default_header("User-Agent", value)

    def close(self) -> None:
        """Close all connections. Later calls raise ApiException. Can be called more than once."""
        if self._rest is not None:
            self._rest.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @classmethod
    def get_default(cls) -> "ApiClient":
        """Return the client of `TrackingApi()`, which the first call creates."""
        if cls._default is None:
            cls._default = cls()
        return cls._default

    @classmethod
    def set_default(cls, default: Optional["ApiClient"]) -> None:
        """Set the client of `TrackingApi()`. None removes it."""
        cls._default = default

    def _send(
        self,
        operation: Operation,
        payload: Union[EventPayload, Mapping[str, Any]],
        options: RequestOptions,
    ) -> tuple[RESTResponse, EventPayload, str]:
        """Send a payload; return the response, the payload as a model, and the token."""
        token = options.get("_request_auth")
        if token is not None:
            token = check_token("_request_auth", token)
        elif self.configuration.access_token is None and self.configuration.enabled:
            raise ApiValueError(
                "there is no token: set CMS_BEARER_TOKEN, or pass "
                "Configuration(access_token=...) or _request_auth=..."
            )
        else:
            token = self.configuration.access_token or ""
        model = operation.request_model
        if not isinstance(payload, model):
            if not isinstance(payload, Mapping):
                raise ApiTypeError(f"payload must be a {model.__name__} or a mapping")
            payload = model.from_dict(payload)
        request = self._make_request(operation, payload, token, **options)
        if self._rest is None:
            message = "Nothing was sent: the client is disabled (enabled=False or CMS_ENABLED=0)."
            raise ApiException(0, "disabled", message)
        return self._rest.request(request), payload, token

    def _make_request(
        self,
        operation: Operation,
        payload: EventPayload,
        token: str,
        /,
        *,
        _request_timeout: Optional[AttemptTimeout] = None,
        _deadline: Optional[float] = None,
        _max_retries: Optional[int] = None,
        _request_auth: Optional[str] = None,  # already in `token`
        _headers: Optional[Mapping[str, str]] = None,
    ) -> RESTRequest:
        settings = self.configuration
        timeout, max_retries = settings.timeout, settings.retries
        attempt_timeout = self._attempt_timeout
        headers = {**self._headers, "Authorization": f"Bearer {token}"}
        if _request_timeout is not None:
            attempt_timeout = check_attempt_timeout("_request_timeout", _request_timeout)
        if _deadline is not None:
            timeout = check_seconds("_deadline", _deadline)
        if _max_retries is not None:
            max_retries = check_count("_max_retries", _max_retries)
        if _headers is not None:
            headers = merge_headers(headers, check_headers("_headers", _headers))
        return RESTRequest(
            operation=operation.name,
            method=operation.method,
            target=self._base + operation.path,
            # urllib3 adds the proxy's headers: to this class without duplicates of another case.
            headers=urllib3.HTTPHeaderDict(headers) if self._forwarded else headers,
            body=payload.to_json().encode(),
            timeout=timeout,
            attempt_timeout=attempt_timeout,
            max_retries=max_retries,
        )


def _stack_level() -> int:
    """Return the level at which `warnings.warn` names the first caller outside this package."""
    level, frame = 0, sys._getframe(1)  # noqa: SLF001 - as warnings.warn does
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == __package__:
        level, frame = level + 1, frame.f_back
    return level + 1
