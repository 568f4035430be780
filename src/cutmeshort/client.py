"""CMSClient: tracks leads and sales, and returns the outcome as a dict."""

import dataclasses
from typing import Any, Callable, Optional
from urllib.parse import urlsplit

from typing_extensions import Self

from .api import TrackingApi
from .api_client import ApiClient
from .api_response import ApiResponse
from .configuration import Configuration
from .exceptions import ApiTypeError, ApiValueError
from .logs import OutcomeLog
from .models import EventPayload, TrackResponse
from .operations import Operation
from .results import Outcome, make_success
from .tracker import Sent, Tracker


class CMSClient(Tracker):
    """
    Tracks leads and sales. Thread-safe: create one client per process.

    The tracking methods return a dict by the call's deadline, with `success` True or False; the
    time that `on_outcome` and log handlers take comes on top. They raise only KeyboardInterrupt,
    SystemExit, and exceptions of the application's own classes that its signal handlers raise.

    For a setting that is not given, `configuration` takes precedence over the defaults below.

    Args:
        token: Bearer token. Defaults to `CMS_BEARER_TOKEN`.
        host: Base URL of the service, with or without a path. Defaults to `CMS_HOST`, then to
            `https://api.cme.sh`.
        timeout: Seconds for one call, including retries and waits; above 0, at most 86400. Defaults
            to `CMS_TIMEOUT`, then to 10.
        max_retries: Maximum number of retries, 0 or more. Defaults to `CMS_MAX_RETRIES`, then to 3.
        enabled: If False, the client validates, sends nothing and needs no token; calls return an
            error of type `disabled`. Defaults to `CMS_ENABLED` (1 or 0, true or false, yes or no,
            on or off), then to True.
        on_outcome: A function, not async, that is called with an Outcome after each call, in the
            caller's thread. Exceptions that it raises are caught, and the first one is logged.
        configuration: All other settings; the arguments above take precedence. Creating the client
            makes its settings read-only.

    Attributes:
        api_client: The ApiClient that sends the requests.
        tracking_api: The TrackingApi, whose methods raise exceptions.

    Raises:
        ApiValueError: There is no token, or a setting, certificate, key or proxy is not valid. The
            message does not show the token.
        ApiTypeError: `configuration` is not a Configuration, or `on_outcome` is not a function.
    """

    def __init__(
        self,
        token: Optional[str] = None,
        host: Optional[str] = None,
        *,
        timeout: Optional[float] = None,
        max_retries: Optional[int] = None,
        enabled: Optional[bool] = None,
        on_outcome: Optional[Callable[[Outcome], object]] = None,
        configuration: Optional[Configuration] = None,
    ) -> None:
        given: dict[str, Any] = {
            "access_token": token,
            "host": host,
            "timeout": timeout,
            "retries": max_retries,
            "enabled": enabled,
        }
        given = {name: value for name, value in given.items() if value is not None}
        if configuration is None:
            settings = Configuration.from_default(**given)
        elif isinstance(configuration, Configuration):
            settings = dataclasses.replace(configuration, **given)
        else:
            raise ApiTypeError("configuration must be a Configuration")
        if settings.access_token is None and settings.enabled:
            raise ApiValueError("there is no token: pass token=... or set CMS_BEARER_TOKEN")
        self.api_client = ApiClient(settings)
        self.tracking_api = TrackingApi(self.api_client)
        log = OutcomeLog(urlsplit(settings.host).netloc, enabled=settings.enabled)
        super().__init__(log, on_outcome)
        if configuration is not None:
            configuration.freeze()

    def close(self) -> None:
        """Close all connections. Later calls return a TrackError. Can be called more than once."""
        self.api_client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"CMSClient(host={self.api_client.configuration.host!r})"

    def _send(self, operation: Operation, payload: EventPayload, options: dict[str, Any]) -> Sent:
        send = getattr(self.tracking_api, f"{operation.name}_with_http_info")
        response: ApiResponse[TrackResponse] = send(payload, **options)
        return Sent(make_success(response), response.status_code, response.attempts)
