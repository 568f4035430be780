"""CMSClient, the facade: keyword arguments in, a result dict out, whatever happens."""

import dataclasses
import logging
import traceback
from contextlib import suppress
from datetime import datetime
from types import TracebackType
from typing import Any, Callable, Optional, Union

from pydantic import ValidationError
from typing_extensions import Literal, Self

from .api import TrackingApi
from .api_client import ApiClient, RequestOptions
from .api_response import ApiResponse
from .configuration import Configuration, check_count, check_seconds
from .exceptions import ApiTypeError, ApiValueError, is_application_error
from .models import EventPayload, LeadPayload, SalePayload, TrackResponse
from .results import TrackError, TrackResult, TrackSuccess, failure, invalid, success

_log = logging.getLogger("cutmeshort")
_log.addHandler(logging.NullHandler())


class CMSClient:
    """
    Tracks leads and sales. Make one per process; any number of threads may use it.

    The tracking methods never raise and never take longer than their deadline: each returns a
    dict, with `success` True or False. Only an exception of the application's own class, which one
    of its signal handlers raises during a request, passes through.

    A setting that isn't given comes from its environment variable, then from the default.

    Args:
        token: Bearer token, or from `CMS_BEARER_TOKEN`.
        host: Base URL of the service, or from `CMS_HOST`; `https://api.cme.sh`. A path is kept.
        timeout: Seconds for one call, repeats and waits included, or from `CMS_TIMEOUT`; 10.
        max_retries: How often a failed attempt is repeated, or from `CMS_MAX_RETRIES`; 3.
        configuration: All other settings; the arguments above go before its own.

    Raises:
        ApiValueError: There is no token, or a setting can't be used. The message says what to
            write and doesn't show the token.
        ApiTypeError: `configuration` is no Configuration.
    """

    def __init__(
        self,
        token: Optional[str] = None,
        host: Optional[str] = None,
        *,
        timeout: Optional[float] = None,
        max_retries: Optional[int] = None,
        configuration: Optional[Configuration] = None,
    ) -> None:
        arguments = {
            "access_token": token,
            "host": host,
            "timeout": timeout,
            "retries": max_retries,
        }
        given: dict[str, Any] = {k: v for k, v in arguments.items() if v is not None}
        if configuration is None:
            configuration = Configuration.get_default(**given)
        elif isinstance(configuration, Configuration):
            configuration = dataclasses.replace(configuration, **given)
        else:
            raise ApiTypeError("configuration must be a Configuration")
        if configuration.access_token is None:
            raise ApiValueError("there is no token: pass token=... or set CMS_BEARER_TOKEN")
        self._configuration = configuration
        self._api_client = ApiClient(configuration)
        self._api = TrackingApi(self._api_client)

    def track_lead(
        self,
        event_name: str,
        customer_external_id: str,
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
        Track a lead: somebody who clicked has signed up, or done something else of note.

        The service counts a customer's event once, so that a repeated call is safe.

        Args:
            event_name: What happened, in free text, like "Sign up". 1 to 255 characters.
            customer_external_id: The customer's id in your own system. 1 to 255 characters.
            click_id: The click to credit, at most 255 characters. Required, but left out of the
                calls that follow a deferred one.
            customer_name: At most 255 characters.
            customer_email: x@y without spaces, at most 255 characters.
            customer_avatar: http(s) URL of a picture, at most 2048 characters.
            timestamp: When it happened, if not now: a datetime, or ISO 8601 text. Without an
                offset it is UTC.
            mode: "deferred" binds the click to the customer now; a later call without `mode` and
                `click_id` counts the lead.
            timeout: Seconds for this call, instead of the client's.
            max_retries: Repeats for this call, instead of the client's.

        Returns:
            TrackSuccess or TrackError, told apart by `success`.
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
        return self._track(
            self._api.track_lead_with_http_info, LeadPayload, fields, timeout, max_retries
        )

    def track_sale(
        self,
        event_name: str,
        customer_external_id: str,
        invoice_id: str,
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
        Track a sale: somebody who clicked has paid.

        The service counts an invoice once, so that a repeated call is safe.

        Args:
            event_name: What happened, in free text, like "Purchase". 1 to 255 characters.
            customer_external_id: The customer's id in your own system. 1 to 255 characters.
            invoice_id: Your id of the invoice or payment. 1 to 255 characters.
            amount: What was paid, an int in the currency's minor unit: 4999 for 49.99 USD, 500
                for 500 JPY. 0 or more.
            currency: Three letters, like "USD"; sent in upper case.
            click_id: The click to credit, at most 255 characters. Required, unless the customer
                has a deferred lead.
            customer_name: At most 255 characters.
            customer_email: x@y without spaces, at most 255 characters.
            customer_avatar: http(s) URL of a picture, at most 2048 characters.
            timestamp: When it happened, if not now: a datetime, or ISO 8601 text. Without an
                offset it is UTC.
            timeout: Seconds for this call, instead of the client's.
            max_retries: Repeats for this call, instead of the client's.

        Returns:
            TrackSuccess or TrackError, told apart by `success`.
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
        return self._track(
            self._api.track_sale_with_http_info, SalePayload, fields, timeout, max_retries
        )

    def close(self) -> None:
        """Close all connections; calls after that return an error. Closing twice is fine."""
        self._api_client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: Optional[type[BaseException]],
        exc_value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"CMSClient(host={self._configuration.host!r})"

    def _track(
        self,
        send: Callable[..., ApiResponse[TrackResponse]],
        model: type[EventPayload],
        fields: dict[str, Any],
        timeout: Optional[float],
        max_retries: Optional[int],
    ) -> TrackResult:
        refused: list[Union[ApiValueError, ValidationError]] = []
        payload = None
        sending = False
        result: Union[TrackSuccess, TrackError]
        try:
            payload = _checked(refused, model.model_validate, fields)
            options: RequestOptions = {}
            if timeout is not None:
                options["_deadline"] = _checked(refused, check_seconds, "timeout", timeout)
            if max_retries is not None:
                options["_max_retries"] = _checked(refused, check_count, "max_retries", max_retries)
            if refused:
                result = invalid(refused)
            else:
                sending = True
                result = success(send(payload, **options))
        except Exception as error:
            if sending and is_application_error(error):
                raise  # the application's own, which one of its signal handlers raised
            result = failure(error, payload, sent=sending)
            if result["type"] == "internal_error":
                with suppress(Exception):  # a log handler is the application's code
                    # Not the exception's text, which may quote the customer's data.
                    frames = "".join(traceback.format_tb(error.__traceback__))
                    _log.error("%s in a tracking call\n%s", type(error).__name__, frames)
        return result  # pyright: ignore[reportReturnType]


def _checked(
    refused: list[Union[ApiValueError, ValidationError]],
    check: Callable[..., Any],
    *arguments: object,
) -> Any:
    """Check, and collect the refusal: an application is told of all at once."""
    try:
        return check(*arguments)
    except (ApiValueError, ValidationError) as error:
        refused.append(error)
        return None
