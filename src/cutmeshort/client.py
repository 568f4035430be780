"""CMSClient, the facade: it takes keyword arguments and returns a dict, whatever happens."""

import dataclasses
import inspect
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
from .configuration import Configuration
from .exceptions import ApiTypeError, ApiValueError, is_application_error
from .logs import OutcomeLog, logger
from .models import DECORATION, ExternalId, TrackResponse
from .operations import TRACK_LEAD, TRACK_SALE, Operation
from .results import (
    Outcome,
    TrackError,
    TrackResult,
    TrackSuccess,
    explain,
    failure,
    invalid,
    make_outcome,
    success,
)


class CMSClient:
    """
    Tracks leads and sales. Make one client per process; any number of threads may use it.

    The tracking methods never raise and never take longer than their deadline: each returns a
    dict, with `success` True or False. There is one exception: if a signal handler of the
    application raises an exception of the application's own class during a request, the call
    raises it.

    A setting that is not given comes from its environment variable, else from the default.

    Args:
        token: Bearer token, or from `CMS_BEARER_TOKEN`.
        host: Base URL of the service, or from `CMS_HOST`; default `https://api.cme.sh`. A path is
            kept.
        timeout: Seconds for one call, retries and waits included, or from `CMS_TIMEOUT`; default
            10.
        max_retries: How often a failed attempt is retried, or from `CMS_MAX_RETRIES`; default 3.
        enabled: False makes a client that validates, sends nothing and needs no token. Or from
            `CMS_ENABLED`: 1 or 0, true or false, yes or no, on or off; default True.
        on_outcome: A function that is called with an Outcome after each call that returns, in the
            caller's thread. Exceptions that it raises are caught, and the first one is logged.
        configuration: All other settings; the arguments above take precedence over them. Once the
            client is made, the settings of this configuration can't be assigned.

    Attributes:
        api_client: The ApiClient that sends the requests.
        tracking_api: The TrackingApi, whose methods raise exceptions.

    Raises:
        ApiValueError: There is no token, or a setting is not valid. The message says what is, and
            does not show the token.
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
        arguments = {
            "access_token": token,
            "host": host,
            "timeout": timeout,
            "retries": max_retries,
            "enabled": enabled,
        }
        given: dict[str, Any] = {k: v for k, v in arguments.items() if v is not None}
        if configuration is None:
            settings = Configuration.from_default(**given)
        elif isinstance(configuration, Configuration):
            settings = dataclasses.replace(configuration, **given)
        else:
            raise ApiTypeError("configuration must be a Configuration")
        if settings.access_token is None and settings.enabled:
            raise ApiValueError("there is no token: pass token=... or set CMS_BEARER_TOKEN")
        if on_outcome is not None and not _is_function(on_outcome):
            expected = "a plain function (not async) that takes an Outcome"
            raise ApiTypeError(f"on_outcome must be {expected}")
        self.api_client = ApiClient(settings)
        self.tracking_api = TrackingApi(self.api_client)
        self._log = OutcomeLog(urlsplit(settings.host).netloc, enabled=settings.enabled)
        self._on_outcome = on_outcome
        self._hook_failure = threading.Lock()  # the first failure acquires it, and is logged
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
        Track a lead: a visitor who clicked has signed up, or done something else of value.

        The service deduplicates leads by customer and event name, so it is safe to call again.
        `None` and `""` in an optional argument mean that it is not set.

        Args:
            event_name: What happened, in free text, like "Sign up". 1 to 255 characters.
            customer_external_id: The customer's id in your own system. 1 to 255 characters; an int
                or a UUID is sent as text.
            click_id: The click to credit, at most 255 characters. Required, but must be left out of
                the leads that follow a deferred lead.
            customer_name: At most 255 characters. A name, email address or avatar that is not
                valid is left out of the event, and the result's `warnings` list it.
            customer_email: x@y without spaces, at most 255 characters.
            customer_avatar: http(s) URL of a picture, at most 2048 characters.
            timestamp: When it happened, if not now: a datetime, or ISO 8601 text. Without an
                offset it is taken as UTC, and the result's `warnings` list it.
            mode: "deferred" associates the customer with the click now. The click is credited with
                the customer's later leads, which have neither `mode` nor `click_id`.
            timeout: Seconds for this call, instead of the client's.
            max_retries: Retries for this call, instead of the client's.

        Returns:
            TrackSuccess or TrackError; `success` says which.
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
        Track a sale: a visitor who clicked has paid.

        The service deduplicates sales by invoice, so it is safe to call again. `None` and `""` in
        an optional argument mean that it is not set.

        Args:
            event_name: What happened, in free text, like "Purchase". 1 to 255 characters.
            customer_external_id: The customer's id in your own system. 1 to 255 characters; an int
                or a UUID is sent as text.
            invoice_id: Your id of the invoice or payment. 1 to 255 characters; an int or a UUID is
                sent as text.
            amount: What was paid, an int in the currency's minor unit: 4999 for 49.99 USD, 500
                for 500 JPY. 0 or more.
            currency: Three letters, like "USD"; sent in upper case.
            click_id: The click to credit, at most 255 characters. Required, unless the customer
                has a deferred lead.
            customer_name: At most 255 characters. A name, email address or avatar that is not
                valid is left out of the event, and the result's `warnings` list it.
            customer_email: x@y without spaces, at most 255 characters.
            customer_avatar: http(s) URL of a picture, at most 2048 characters.
            timestamp: When it happened, if not now: a datetime, or ISO 8601 text. Without an
                offset it is taken as UTC, and the result's `warnings` list it.
            timeout: Seconds for this call, instead of the client's.
            max_retries: Retries for this call, instead of the client's.

        Returns:
            TrackSuccess or TrackError; `success` says which.
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
        """Close all connections. Later calls return an error. `close` may be called again."""
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
        sending, explanation = False, ""
        result: Union[TrackSuccess, TrackError]
        try:
            arguments = read_arguments(operation.request_model, fields, timeout, max_retries)
            if arguments.errors:
                result = invalid(arguments.errors)
                explanation = result["error"]
            else:
                sending = True
                response = send(arguments.payload, **arguments.options)
                result = success(response)
        except Exception as error:
            if sending and is_application_error(error):
                raise  # a signal handler of the application raised it
            result = failure(error, arguments.payload if arguments else None, sent=sending)
            try:
                explanation = explain(error, result)
                if result["type"] == "internal_error":
                    self._log.failure("a tracking call", error)
            except Exception:  # noqa: BLE001, S110 - the stack may be full
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
        except Exception:  # noqa: BLE001, S110 - the stack may be full
            pass
        return result  # pyright: ignore[reportReturnType]

    def _report(self, outcome: Outcome, explanation: str, warnings: list[dict[str, str]]) -> None:
        """Log a call and call `on_outcome`."""
        self._log.outcome(outcome, explanation)
        left_out = [warning["field"] for warning in warnings if warning["field"] in DECORATION]
        if left_out and outcome.success:
            self._log.left_out(outcome, left_out)
        if self._on_outcome is not None:
            try:
                self._on_outcome(outcome)
            except Exception as error:  # noqa: BLE001 - it is the application's code
                if self._hook_failure.acquire(blocking=False):
                    self._log.failure("on_outcome", error)


def _is_function(hook: object) -> bool:
    return callable(hook) and not any(
        inspect.iscoroutinefunction(function) for function in (hook, type(hook).__call__)
    )
