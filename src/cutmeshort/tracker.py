"""Tracker: the tracking methods, which turn every outcome into a dict."""

import logging
import threading
import time
from abc import ABC, abstractmethod
from datetime import datetime
from functools import partial
from typing import Any, Callable, NamedTuple, Optional, Union

from typing_extensions import Literal

from .arguments import Arguments, read_arguments, read_payload
from .checks import is_sync_callable
from .exceptions import ApiException, ApiTypeError, is_application_error
from .logs import OutcomeLog, logger
from .models import DROPPABLE_FIELDS, EventPayload, ExternalId, LeadPayload, SalePayload
from .operations import TRACK_LEAD, TRACK_SALE, Operation, find_operation
from .results import (
    Outcome,
    TrackError,
    TrackResult,
    TrackSuccess,
    make_error,
    make_outcome,
    make_validation_error,
)


class Sent(NamedTuple):
    """
    An event that was tracked, or queued for delivery.

    Attributes:
        result: The result.
        status_code: The HTTP status; 0 if there was no request.
        attempts: The number of attempts; 0 if there was no request.
    """

    result: TrackSuccess
    status_code: int = 0
    attempts: int = 0


class Tracker(ABC):
    """
    The tracking methods of CMSClient, and of the classes that queue events for delivery.

    A subclass implements `_send`. The methods check the arguments, turn what `_send` returns or
    raises into a result, log the outcome, and pass it to `on_outcome`.

    Args:
        log: Logs the outcomes.
        on_outcome: A function, not async, that is called with an Outcome after each call.

    Raises:
        ApiTypeError: `on_outcome` is not a function.
    """

    def __init__(
        self, log: OutcomeLog, on_outcome: Optional[Callable[[Outcome], object]] = None
    ) -> None:
        if on_outcome is not None and not is_sync_callable(on_outcome):
            raise ApiTypeError("on_outcome must be a function, not async, that takes an Outcome")
        self._log = log
        self._on_outcome = on_outcome
        self._first_hook_failure = threading.Lock()  # logged by the call that acquires it

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
            timestamp: When the event happened; by default, when the service receives it, or when it
                is queued. A datetime or an ISO 8601 string of at most 64 characters. Without a UTC
                offset it is taken as UTC, and the result's `warnings` list it.
            mode: "deferred" associates the customer with the click, to credit it with the
                customer's later leads, which have neither `mode` nor `click_id`.
            timeout: Seconds for this call, instead of the `timeout` of the instance; above 0, at
                most 86400.
            max_retries: Maximum number of retries, instead of that of the client. It has no effect
                if the event is queued.

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
        read = partial(read_arguments, TRACK_LEAD, fields)
        return self._track(TRACK_LEAD.name, read, timeout, max_retries)

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
            timestamp: When the event happened; by default, when the service receives it, or when it
                is queued. A datetime or an ISO 8601 string of at most 64 characters. Without a UTC
                offset it is taken as UTC, and the result's `warnings` list it.
            timeout: Seconds for this call, instead of the `timeout` of the instance; above 0, at
                most 86400.
            max_retries: Maximum number of retries, instead of that of the client. It has no effect
                if the event is queued.

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
        read = partial(read_arguments, TRACK_SALE, fields)
        return self._track(TRACK_SALE.name, read, timeout, max_retries)

    def track(
        self,
        payload: Union[LeadPayload, SalePayload],
        *,
        timeout: Optional[float] = None,
        max_retries: Optional[int] = None,
    ) -> TrackResult:
        """
        Track the event of a payload, for example of one that was kept in a queue.

        Args:
            payload: A LeadPayload or a SalePayload. Anything else is a `validation_error`.
            timeout: Seconds for this call, instead of the `timeout` of the instance; above 0, at
                most 86400.
            max_retries: Maximum number of retries, instead of that of the client. It has no effect
                if the event is queued.

        Returns:
            A TrackSuccess if `success` is True, else a TrackError.
        """
        operation = find_operation(payload)
        name = operation.name if operation is not None else "track"
        return self._track(name, partial(read_payload, operation, payload), timeout, max_retries)

    @abstractmethod
    def _send(self, operation: Operation, payload: EventPayload, options: dict[str, Any]) -> Sent:
        """
        Send a payload, or queue it.

        Args:
            operation: The operation.
            payload: The event.
            options: The options of the call that were given: `_deadline` and `_max_retries`, as in
                RequestOptions.

        Raises:
            ApiException: The event was neither tracked nor queued.
        """

    def _track(
        self,
        name: str,
        read: Callable[[Optional[float], Optional[int]], Arguments],
        timeout: Optional[float],
        max_retries: Optional[int],
    ) -> TrackResult:
        started = time.monotonic()
        arguments: Optional[Arguments] = None
        sent: Optional[Sent] = None
        is_sending = False
        explanation = ""
        result: Union[TrackSuccess, TrackError]
        try:
            arguments = read(timeout, max_retries)
            operation, payload = arguments.operation, arguments.payload
            if operation is None or payload is None or arguments.errors:
                result = make_validation_error(arguments.errors)
                explanation = result["error"]
            else:
                is_sending = True
                sent = self._send(operation, payload, arguments.options)
                result = sent.result
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
                outcome = make_outcome(
                    name,
                    result,
                    status_code=sent.status_code if sent else 0,
                    attempts=sent.attempts if sent else 0,
                    seconds=seconds,
                )
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
