"""What a request says, as plain values, whether or not the service accepts it."""

from collections.abc import Mapping
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any, NamedTuple, Optional

from ...exceptions import ApiValueError
from ...models.fields import MAX_AMOUNT
from ...money import from_minor_units
from ...operations import Operation
from ...strict_json import read_json
from ..state.exchanges import Exchange

_MAX_TEXT = 255
_AMOUNTS = range(MAX_AMOUNT + 1)


class Seen(NamedTuple):
    """
    The values of a request. A value that is missing, or that has another type, is None.

    Attributes:
        request: The request id.
        time: When the request arrived, in UTC.
        operation: The operation's name: `track_lead` or `track_sale`.
        event: The `eventName`. Texts are cut to 255 characters.
        customer: The `customerExternalId`; an integer as text.
        click: The `clickId`.
        invoice: The `invoiceId`; an integer as text.
        amount: The `amount`; None if the service never accepts it, as the page can't show any int.
        currency: The `currency`, in upper case.
        key: The values by which the service tells events of the operation apart.
        timestamp: The `timestamp`.
        type: `ok`; the type of the error response; `dropped` or `disconnected`.
        recorded: Whether the request recorded its event.
    """

    request: str
    time: datetime
    operation: str
    event: Optional[str] = None
    customer: Optional[str] = None
    click: Optional[str] = None
    invoice: Optional[str] = None
    amount: Optional[int] = None
    currency: Optional[str] = None
    key: tuple[Optional[str], ...] = ()
    timestamp: Optional[str] = None
    type: str = "ok"
    recorded: bool = False


def read_exchange(exchange: Exchange) -> Seen:
    """Return the values of a request."""
    fields = read_fields(exchange)
    amount, currency = fields.get("amount"), _text(fields.get("currency"))
    return Seen(
        exchange.request_id,
        exchange.arrived,
        exchange.operation.name,
        event=_text(fields.get("eventName")),
        customer=_id(fields.get("customerExternalId")),
        click=_text(fields.get("clickId")),
        invoice=_id(fields.get("invoiceId")),
        amount=amount if _is_int(amount) and amount in _AMOUNTS else None,
        currency=currency.upper() if currency else None,
        key=_key(exchange.operation, fields),
        timestamp=_text(fields.get("timestamp")),
        type=type_of(exchange),
        recorded=exchange.recorded,
    )


def _key(operation: Operation, fields: Mapping[str, Any]) -> tuple[Optional[str], ...]:
    models = operation.request_model.model_fields
    return tuple(_id(fields.get(models[name].alias or name)) for name in operation.key)


def read_fields(exchange: Exchange) -> Mapping[str, Any]:
    """Return the fields of a request's body; none if it is not a JSON object, or is truncated."""
    if exchange.body.truncated:
        return {}
    try:
        fields = read_json(exchange.body.data)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}


def type_of(exchange: Exchange) -> str:
    """Return the type of a response: `ok`, an error's, or why there was no response."""
    if exchange.status is None or exchange.refusal is None:
        return exchange.type
    return exchange.refusal.type


@lru_cache(maxsize=1024)
def decimal_places(currency: Optional[str]) -> Optional[int]:
    """Return the decimal places of a currency; None for a code without a minor unit, or invalid."""
    try:
        return -int(from_minor_units(0, currency or "").as_tuple().exponent)
    except ApiValueError:
        return None


def to_text(time: datetime) -> str:
    """Return a time as ISO 8601 in UTC, with milliseconds and `Z`."""
    if time.tzinfo is not timezone.utc:  # a document may have another offset
        time = time.astimezone(timezone.utc)
    return f"{time.isoformat(timespec='milliseconds')[:-6]}Z"  # instead of +00:00


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _text(value: Any) -> Optional[str]:
    return value[:_MAX_TEXT] if isinstance(value, str) and value else None


def _id(value: Any) -> Optional[str]:
    if _is_int(value):
        return str(value)[:_MAX_TEXT]
    return _text(value)
