"""
The two payloads. Validation happens here and nowhere else.

The service owns the real limits: what is refused here can't be right, so that no valid event is
lost. No error repeats a value, in its text or when it is pickled: values are customers' data.
"""

import os
import re
import threading
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from re import Pattern
from typing import TYPE_CHECKING, Annotated, Any, Callable, NoReturn, Optional, Union

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError
from typing_extensions import Literal, LiteralString, Self

from .base import Model, without_values

_EMAIL = re.compile(r"^\S+@\S+$")
_URL = re.compile(r"^[Hh][Tt][Tt][Pp][Ss]?://[^\s/?#]\S*$")
_CURRENCY = re.compile(r"^[A-Za-z]{3}$")

# Above this, JSON numbers lose digits in many languages (RFC 8259, section 6).
_MAX_AMOUNT = 2**53 - 1
_MAX_TIMESTAMP_LENGTH = 64


def _shape(
    pattern: Pattern[str], expected: LiteralString, then: Callable[[str], str] = str
) -> AfterValidator:
    """One validator for shape and change: of two, some versions of pydantic drop the first."""

    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise PydanticCustomError("shape", expected)
        return then(value)

    return AfterValidator(check)


def _minor_units(value: Any) -> Any:
    if not isinstance(value, int) or isinstance(value, bool):
        raise PydanticCustomError(
            "minor_units",
            "Input should be an int in the currency's minor unit (cents): 4999 for 49 dollars and "
            "99 cents, 500 for 500 yen",
        )
    return value


def _timestamp(value: Any) -> datetime:
    when = _read_iso(value) if isinstance(value, str) else value
    try:
        aware = _with_offset(when)
    except Exception:  # noqa: BLE001 - a tzinfo is anybody's code
        aware = None
    if not isinstance(aware, datetime):
        raise PydanticCustomError(
            "timestamp",
            "Input should be a datetime or ISO 8601 text, like 2026-01-31T12:00:00+01:00",
        )
    return aware


# An import that is under way in one thread while another one forks would leave its lock held in the
# child, for ever. So a fork waits for it.
_importing = threading.RLock()
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(
        before=_importing.acquire,
        after_in_parent=_importing.release,
        after_in_child=_importing.release,
    )


def _read_iso(text: str) -> Optional[datetime]:
    if len(text) > _MAX_TIMESTAMP_LENGTH:
        return None
    read: Callable[[str], datetime]
    try:
        with _importing:
            from dateutil.parser import isoparse as read
    except (ImportError, OSError):  # no file descriptor is left to read a module
        read = datetime.fromisoformat
        text = re.sub(r"[Zz]$", "+00:00", text)  # which it reads from Python 3.11 on
    try:
        return read(text)
    except (ValueError, OverflowError):
        return None


def _with_offset(when: Any) -> Any:
    offset = when.utcoffset()
    if offset is None:
        return when.replace(tzinfo=timezone.utc)
    if offset % timedelta(minutes=1):  # an offset with seconds is not ISO 8601
        return when.astimezone(timezone.utc)
    return when.replace(tzinfo=timezone(offset))


EventText = Annotated[str, Field(min_length=1, max_length=255)]
Name = Annotated[str, Field(max_length=255)]
Email = Annotated[
    str,
    Field(max_length=255, json_schema_extra={"pattern": _EMAIL.pattern}),
    _shape(_EMAIL, "Input should be an e-mail address: x@y, without spaces"),
]
Url = Annotated[
    str,
    Field(max_length=2048, json_schema_extra={"pattern": _URL.pattern}),
    _shape(_URL, "Input should be a URL that begins with http:// or https://"),
]
Currency = Annotated[
    str,
    Field(json_schema_extra={"pattern": _CURRENCY.pattern}),
    _shape(_CURRENCY, "Input should be a currency of three letters, like USD", str.upper),
]
MinorUnits = Annotated[int, Field(ge=0, le=_MAX_AMOUNT), BeforeValidator(_minor_units)]
if TYPE_CHECKING:
    Timestamp = Union[datetime, str]
else:
    Timestamp = Annotated[datetime, BeforeValidator(_timestamp)]


class EventPayload(Model):
    """What a lead and a sale have in common. Unchangeable; unknown fields are refused."""

    # Nobody makes one of these: the import builds validators for the two below alone.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)

    @model_validator(mode="wrap")
    @classmethod
    def _keep_values_out_of_errors(cls, values: Any, validate: Callable[[Any], Self]) -> Self:
        try:
            return validate(values)
        except ValidationError as error:
            refused = error
        raise without_values(refused)

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        # pydantic's own refusal shows the value.
        raise AttributeError(f"{type(self).__name__} can't be changed: make a new one")

    event_name: EventText = Field(
        description="What happened, in free text, like `Sign up`. 1 to 255 characters."
    )
    customer_external_id: EventText = Field(
        description="The customer's id in your own system. 1 to 255 characters."
    )
    customer_name: Optional[Name] = Field(
        default=None, description="The customer's name. At most 255 characters."
    )
    customer_email: Optional[Email] = Field(
        default=None, description="The customer's e-mail address. At most 255 characters."
    )
    customer_avatar: Optional[Url] = Field(
        default=None, description="http(s) URL of a picture. At most 2048 characters."
    )
    timestamp: Optional[Timestamp] = Field(
        default=None,
        description="When it happened, in ISO 8601 with an offset; without an offset it is UTC. "
        "Left out, it is the time at which the service gets the event.",
    )


class LeadPayload(EventPayload):
    """A lead: somebody who clicked has signed up, or done something else of note."""

    model_config = ConfigDict(defer_build=False)

    mode: Optional[Literal["deferred"]] = Field(
        default=None,
        description="`deferred` binds the click to the customer now and counts the lead later.",
    )
    click_id: Optional[EventText] = Field(
        default=None,
        validate_default=True,
        description="The click to credit. Required in a standard lead and in the first, deferred "
        "call; must be left out of the calls that follow it. 1 to 255 characters.",
    )

    @field_validator("click_id")
    @classmethod
    def _required_when_deferred(cls, value: Optional[str], info: ValidationInfo) -> Optional[str]:
        if value is None and info.data.get("mode") == "deferred":
            raise PydanticCustomError(
                "missing_click", 'Input is required with mode="deferred": the click to remember'
            )
        return value


class SalePayload(EventPayload):
    """A sale: somebody who clicked has paid."""

    model_config = ConfigDict(defer_build=False)

    click_id: Optional[EventText] = Field(
        default=None,
        description="The click to credit. Required unless the customer has a deferred lead. "
        "1 to 255 characters.",
    )
    invoice_id: EventText = Field(
        description="Your id of the invoice or payment; the service counts each one once. 1 to "
        "255 characters."
    )
    amount: MinorUnits = Field(
        description="What was paid, in the currency's minor unit: 4999 for 49.99 USD, 500 for "
        "500 JPY. 0 or more."
    )
    currency: Currency = Field(description="Three letters, like `USD`; sent in upper case.")


def _use_once() -> None:
    """
    Validate and serialise each kind of value.

    pydantic prepares some of that at the first use, under locks that a fork in the meantime would
    leave held in the child, for ever.
    """
    now = datetime.now(timezone.utc)
    LeadPayload(event_name="-", customer_external_id="-", timestamp=now).to_json()
    with suppress(ValidationError):
        SalePayload.from_dict({})


_use_once()
