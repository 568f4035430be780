"""The types of the payloads' fields: what each accepts and what it becomes on the wire."""

import re
from datetime import datetime
from re import Pattern
from typing import TYPE_CHECKING, Annotated, Any, Callable, Union
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError
from typing_extensions import LiteralString

from .timestamps import read_timestamp

_EMAIL = re.compile(r"^\S+@\S+$")
_URL = re.compile(r"^[Hh][Tt][Tt][Pp][Ss]?://[^\s/?#]\S*$")
_CURRENCY = re.compile(r"^[A-Za-z]{3}$")
_MAX_ID_BITS = 1024  # more than 255 digits; converting a huge int to a string takes seconds
MAX_AMOUNT = 2**53 - 1  # larger JSON numbers lose digits in many languages (RFC 8259, section 6)


def _matching(
    pattern: Pattern[str], expected: LiteralString, convert: Callable[[str], str] = str
) -> AfterValidator:
    """Check and convert in one validator, as some versions of pydantic drop the first of two."""

    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise PydanticCustomError("shape", expected)
        return convert(value)

    return AfterValidator(check)


def _id_text(value: Any) -> Any:
    """Convert an int or a UUID, the usual types of primary keys, to a string."""
    cls = type(value)  # not isinstance, as an object may fake its __class__
    if issubclass(cls, UUID):
        return UUID.__str__(value)
    if issubclass(cls, int) and cls is not bool:
        if int.bit_length(value) > _MAX_ID_BITS:
            raise PydanticCustomError("id_length", "Input should have at most 255 digits")
        return int.__repr__(value)  # also for an IntEnum
    if issubclass(cls, str):
        return value
    raise PydanticCustomError("id_type", "Input should be a str, an int or a UUID")


def _minor_units(value: Any) -> Any:
    if not isinstance(value, int) or isinstance(value, bool):
        raise PydanticCustomError(
            "minor_units",
            "Input should be an int in the currency's minor unit (cents): 4999 for 49 dollars and "
            "99 cents, 500 for 500 yen. Convert with to_minor_units",
        )
    return value


def _timestamp(value: Any) -> datetime:
    timestamp = read_timestamp(value)
    if timestamp is None:
        raise PydanticCustomError(
            "timestamp",
            "Input should be a datetime or an ISO 8601 string, like 2026-01-31T12:00:00+01:00",
        )
    return timestamp.value


RequiredText = Annotated[str, Field(min_length=1, max_length=255)]
Name = Annotated[str, Field(max_length=255)]
Email = Annotated[
    str,
    Field(max_length=255, json_schema_extra={"pattern": _EMAIL.pattern}),
    _matching(_EMAIL, "Input should be an email address like ann@example.com, without spaces"),
]
Url = Annotated[
    str,
    Field(max_length=2048, json_schema_extra={"pattern": _URL.pattern}),
    _matching(_URL, "Input should be a URL that begins with http:// or https://"),
]
ExternalId = Union[str, int, UUID]  # what _id_text accepts
IdText = Annotated[RequiredText, BeforeValidator(_id_text)]
Currency = Annotated[
    str,
    Field(json_schema_extra={"pattern": _CURRENCY.pattern}),
    _matching(_CURRENCY, "Input should be a three-letter currency code, like USD", str.upper),
]
MinorUnits = Annotated[int, Field(ge=0, le=MAX_AMOUNT), BeforeValidator(_minor_units)]
# Type checkers see what may be passed; pydantic converts it to a datetime.
if TYPE_CHECKING:
    Timestamp = Union[datetime, str]
else:
    Timestamp = Annotated[datetime, BeforeValidator(_timestamp)]
