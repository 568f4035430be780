"""CMSClient: tracks leads and sales, and returns the outcome as a dict."""

import dataclasses
import logging
import threading
import time
from datetime import datetime
from typing import Any, Callable, Optional, Union
from urllib.parse import urlsplit

from typing_extensions import Literal, Self

from .api import TrackingApi
from .api_client import ApiClient
from .api_response import ApiResponse
from .arguments import Arguments, read_arguments
from .checks import is_sync_callable
from .configuration import Configuration
from .exceptions import ApiException, ApiTypeError, ApiValueError, is_application_error
from .logs import OutcomeLog, logger
from .models import DROPPABLE_FIELDS, ExternalId, TrackResponse
from .operations import TRACK_LEAD, TRACK_SALE, Operation
from .results import (
    Outcome,
    TrackError,
    TrackResult,
    TrackSuccess,
    make_error,
    make_outcome,
    make_success,
    make_validation_error,
)


class CMSClient:
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
        if on_outcome is not None and not is_sync_callable(on_outcome):
            raise ApiTypeError("on_outcome must be a function, not async, that takes an Outcome")
        self.api_client = ApiClient(settings)
        self.tracking_api = TrackingApi(self.api_client)
        self._log = OutcomeLog(urlsplit(settings.host).netloc, enabled=settings.enabled)
        self._on_outcome = on_outcome
        self._first_hook_failure = threading.Lock()  # logged by the call that acquires it
        if configuration is not None:
            configuration.freeze()

    def track_lead(
        self,
        event_name: str,
        customer_external_id: ExternalId,
        click_id: Optional[str] = None,
        customer_name: Optional[str] = None,
        customer_email: Optional[str] = None,
        customer_avatar: Optional[str] = None,
        timestamp: Union[datetime, str, None] = None,
        mode: Optional[Literal["deferred"]] = None,
        *,
        timeout: Optional[float] = None,
        max_retries: Optional[int] = None,
    ) -> TrackResult:
        """
        Track a lead: a visitor who clicked a link signed up, or did something else of value.

        The service deduplicates leads by customer and event name, so it is safe to call again.
        For an optional argument, `None` and `""` mean "not set".

        Args:
            event_name: What happened, as free text such as "Sign up". 1 to 255 characters.
            customer_external_id: The customer's id in your own system. 1 to 255 characters; an int
                or a UUID is sent as a string.
            click_id: The id of the click to credit, at most 255 characters. Required, except in
                leads that follow a deferred lead, which must not have one.
            customer_name: At most 255 characters. A name, email address or avatar that is not
                valid is left out of the event, and the result's `warnings` list it.
            customer_email: Like ann@example.com, without spaces, at most 255 characters.
            customer_avatar: `http://` or `https://` URL of an image, at most 2048 characters.
            timestamp: When the event happened; by default, when the service receives it. A datetime
                or an ISO 8601 string of at most 64 characters. Without a UTC offset it is taken as
                UTC, and the result's `warnings` list it.
            mode: "deferred" associates the customer with the click, to credit it with the
                customer's later leads, which have neither `mode` nor `click_id`.
            timeout: Seconds for this call, instead of the client's; above 0, at most 86400.
            max_retries: Maximum number of retries, instead of the client's.

        Returns:
            A TrackSuccess if `success` is True, else a TrackError.
        """
        fields = {
            "event_name": event_name,
            "customer_external_id": customer_external_id,
            "click_id": click_id,
            "customer_name": customer_name,
            "customer_email": customer_email,
            "customer_avatar": customer_avatar,
            "timestamp": timestamp,
            "mode": mode,
        }
        send = self.tracking_api.track_lead_with_http_info
        return self._track(TRACK_LEAD, send, fields, timeout, max_retries)

    def track_sale(
        self,
        event_name: str,
        customer_external_id: ExternalId,
        invoice_id: ExternalId,
        amount: int,
        currency: str,
        click_id: Optional[str] = None,
        customer_name: Optional[str] = None,
        customer_email: Optional[str] = None,
        customer_avatar: Optional[str] = None,
        timestamp: Union[datetime, str, None] = None,
        *,
        timeout: Optional[float] = None,
        max_retries: Optional[int] = None,
    ) -> TrackResult:
        """
        Track a sale: a visitor who clicked a link paid.

        The service deduplicates sales by invoice, so it is safe to call again. For an optional
        argument, `None` and `""` mean "not set".

        Args:
            event_name: What happened, as free text such as "Purchase". 1 to 255 characters.
            customer_external_id: The customer's id in your own system. 1 to 255 characters; an int
                or a UUID is sent as a string.
            invoice_id: Your own id for the invoice or payment. 1 to 255 characters; an int or a
                UUID is sent as a string.
            amount: The amount paid, an int in the currency's minor unit: 4999 for 49.99 USD, 500
                for 500 JPY. 0 to 2**53 - 1.
            currency: Three-letter code, like "USD"; sent in upper case.
            click_id: The id of the click to credit, at most 255 characters. Required, unless the
                customer has a deferred lead.
            customer_name: At most 255 characters. A name, email address or avatar that is not
                valid is left out of the event, and the result's `warnings` list it.
            customer_email: Like ann@example.com, without spaces, at most 255 characters.
            customer_avatar: `http://` or `https://` URL of an image, at most 2048 characters.
            timestamp: When the event happened; by default, when the service receives it. A datetime
                or an ISO 8601 string of at most 64 characters. Without a UTC offset it is taken as
                UTC, and the result's `warnings` list it.
            timeout: Seconds for this call, instead of the client's; above 0, at most 86400.
            max_retries: Maximum number of retries, instead of the client's.

        Returns:
            A TrackSuccess if `success` is True, else a TrackError.
        """
        fields = {
            "event_name": event_name,
            "customer_external_id": customer_external_id,
            "invoice_id": invoice_id,
            "amount": amount,
            "currency": currency,
            "click_id": click_id,
            "customer_name": customer_name,
            "customer_email": customer_email,
            "customer_avatar": customer_avatar,
            "timestamp": timestamp,
        }
        send = self.tracking_api.track_sale_with_http_info
        return self._track(TRACK_SALE, send, fields, timeout, max_retries)

    def close(self) -> None:
        """Close all connections. Later calls return a TrackError. Can be called more than once."""
        self.api_client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"CMSClient(host={self.api_client.configuration.host!r})"

    def _track(
        self,
        operation: Operation,
        send: Callable[..., ApiResponse[TrackResponse]],
        fields: dict[str, Any],
        timeout: Optional[float],
        max_retries: Optional[int],
    ) -> TrackResult:
        started = time.monotonic()
        arguments: Optional[Arguments] = None
        response: Optional[ApiResponse[TrackResponse]] = None
        is_sending = False
        explanation = ""
        result: Union[TrackSuccess, TrackError]
        try:
            arguments = read_arguments(operation.request_model, fields, timeout, max_retries)
            if arguments.errors:
                result = make_validation_error(arguments.errors)
                explanation = result["error"]
            else:
                is_sending = True
                response = send(arguments.payload, **arguments.options)
                result = make_success(response)
        except Exception as error:
            if is_sending and is_application_error(error):
                raise  # a signal handler of the application raised it
            result = make_error(error, arguments.payload if arguments else None, sent=is_sending)
            explanation = result["error"]
            if isinstance(error, ApiException) and result["type"] != "internal_error":
                explanation = f"{error.message} {error.hint}".strip()  # not the response's text
            try:
                if result["type"] == "internal_error":
                    self._log.failure("a tracking call", error)
            except Exception:  # noqa: BLE001, S110 - the recursion limit may be near
                pass
        warnings = arguments.warnings if arguments else []
        if warnings:
            result["warnings"] = warnings
        try:
            level = logging.DEBUG if result["success"] else self._log.warning_level
            if self._on_outcome is not None or warnings or logger.isEnabledFor(level):
                seconds = time.monotonic() - started
                outcome = make_outcome(operation.name, result, response, seconds)
                self._report(outcome, explanation, warnings)
        except Exception:  # noqa: BLE001, S110 - the recursion limit may be near
            pass
        return result  # pyright: ignore[reportReturnType] - see TrackResult

    def _report(self, outcome: Outcome, explanation: str, warnings: list[dict[str, str]]) -> None:
        """Log an outcome and pass it to `on_outcome`."""
        self._log.outcome(outcome, explanation)
        left_out = [each["field"] for each in warnings if each["field"] in DROPPABLE_FIELDS]
        if left_out and outcome.success:
            self._log.left_out(outcome, left_out)
        if self._on_outcome is not None:
            try:
                self._on_outcome(outcome)
            except Exception as error:  # noqa: BLE001 - the application's function may raise any
                if self._first_hook_failure.acquire(blocking=False):
                    self._log.failure("on_outcome", error)
