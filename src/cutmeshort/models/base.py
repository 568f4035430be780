"""
What the models share.

Payloads are validated here and in their modules, and nowhere else. The service owns the real
limits: what is refused here can't be right, so that no valid event is lost. No error contains a
value, in its text or when it is pickled: values are customers' data.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from re import Pattern
from typing import TYPE_CHECKING, Annotated, Any, Callable, NoReturn, Optional, Union
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import InitErrorDetails, PydanticCustomError
from typing_extensions import LiteralString, Self

from .timestamps import read_timestamp

_EMAIL = re.compile(r"^\S+@\S+$")
_URL = re.compile(r"^[Hh][Tt][Tt][Pp][Ss]?://[^\s/?#]\S*$")
_MAX_ID_BITS = 1024  # the text of a longer int would take seconds; its limit is 255 characters

# Decoration: the attribution works without these.
DECORATION = ("customer_name", "customer_email", "customer_avatar")
_OPTIONAL = ("click_id", "mode", "timestamp", *DECORATION)
_OPTIONAL_NAMES = frozenset(_OPTIONAL) | frozenset(map(to_camel, _OPTIONAL))


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


# Each takes up to 100 bytes of memory for 2 of text, and may hold the next; an answer has a few.
MAX_CONTAINERS = 1_000

_DECODER = json.JSONDecoder(parse_constant=_refuse)


def read_json(text: bytes) -> Any:
    """
    Read JSON in UTF-8.

    Raises:
        ValueError: It is none, has half a surrogate pair, is nested too deep, or would take much
            more memory than its text: more than MAX_CONTAINERS lists and objects.
    """
    if len(text) > MAX_CONTAINERS and _has_many(text, b"[{", MAX_CONTAINERS):
        raise ValueError("too many lists and objects")
    json_text = text.decode().removeprefix("\ufeff").strip(" \t\r\n")
    try:
        value, end = _DECODER.raw_decode(json_text)
        if b"\\" in text and b"\\u" in text:  # the second search takes a hundred times longer
            json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except RecursionError:
        raise ValueError("nested too deep") from None
    if end != len(json_text):
        raise ValueError("more than JSON")
    return value


def _has_many(text: bytes, characters: bytes, most: int) -> bool:
    """Tell whether characters occur more often; `count` takes longer where they are rare."""
    for character in characters:
        at = text.find(character)
        while at >= 0:
            most -= 1
            if most < 0:
                return True
            at = text.find(character, at + 1)
    return False


def without_values(error: ValidationError) -> ValidationError:
    """Take out what was refused, which pydantic keeps in the error for `errors()` and pickles."""
    details = [
        InitErrorDetails(
            type=PydanticCustomError(
                part["type"],  # pyright: ignore[reportArgumentType]
                "{text}",
                {"text": part["msg"]},
            ),
            loc=part["loc"],
            input=None,
        )
        for part in error.errors(include_url=False, include_context=False)
    ]
    return ValidationError.from_exception_data(error.title, details, hide_input=True)


# Without warnings of values that were never validated: pydantic's show them.
_ON_THE_WIRE: dict[str, Any] = {"by_alias": True, "exclude_none": True, "warnings": False}


class Model(BaseModel):
    """Fields in snake_case in Python, in camelCase on the wire; either is accepted."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        loc_by_alias=False,
        hide_input_in_errors=True,
    )

    def to_dict(self) -> dict[str, Any]:
        """Return what goes over the wire as a dict that `json.dumps` takes."""
        return self.model_dump(mode="json", **_ON_THE_WIRE)

    def to_json(self) -> str:
        """Return what goes over the wire: JSON, fields that aren't set left out."""
        return self.model_dump_json(**_ON_THE_WIRE)

    def to_str(self) -> str:
        """Return what goes over the wire, laid out to be read."""
        from pprint import pformat

        return pformat(self.to_dict())

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """
        Make a model of a mapping, its keys in camelCase or snake_case.

        Raises:
            pydantic.ValidationError: A value can't be right; all of them are named.
        """
        return cls.model_validate(dict(values) if isinstance(values, Mapping) else values)

    @classmethod
    def from_json(cls, text: Union[str, bytes]) -> Self:
        """
        Make a model of JSON.

        Raises:
            pydantic.ValidationError: The text is no JSON object, or a value can't be right.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            refused = without_values(error)  # of text that isn't JSON, it has the text
        try:
            raise refused
        finally:
            del refused

    def __repr__(self) -> str:
        """Show which fields are set, not what they hold: it is customers' data."""
        return f"{type(self).__name__}({', '.join(sorted(self.model_fields_set))})"

    __str__ = __repr__


def shape(
    pattern: Pattern[str], expected: LiteralString, then: Callable[[str], str] = str
) -> AfterValidator:
    """One validator for shape and change: of two, some versions of pydantic drop the first."""

    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise PydanticCustomError("shape", expected)
        return then(value)

    return AfterValidator(check)


ExternalId = Union[str, int, UUID]  # what _id_text takes


def _id_text(value: Any) -> Any:
    """Turn the types that primary keys have into text."""
    kind = type(value)  # some objects claim another class
    if issubclass(kind, UUID):
        return UUID.__str__(value)
    if issubclass(kind, int) and kind is not bool:
        if int.bit_length(value) > _MAX_ID_BITS:
            raise PydanticCustomError("id_length", "Input should have at most 255 digits")
        return int.__repr__(value)  # also for an IntEnum
    if issubclass(kind, str):
        return value
    raise PydanticCustomError("id_type", "Input should be a str, an int or a UUID")


EventText = Annotated[str, Field(min_length=1, max_length=255)]
Name = Annotated[str, Field(max_length=255)]
Email = Annotated[
    str,
    Field(max_length=255, json_schema_extra={"pattern": _EMAIL.pattern}),
    shape(_EMAIL, "Input should be an e-mail address: x@y, without spaces"),
]
Url = Annotated[
    str,
    Field(max_length=2048, json_schema_extra={"pattern": _URL.pattern}),
    shape(_URL, "Input should be a URL that begins with http:// or https://"),
]
IdText = Annotated[EventText, BeforeValidator(_id_text)]
if TYPE_CHECKING:
    Timestamp = Union[datetime, str]
else:
    Timestamp = datetime


class EventPayload(Model):
    """
    What a lead and a sale have in common. Unchangeable; unknown fields are refused.

    `None` and `""` in an optional field mean that it is not set.

    With a list as `context={"warnings": []}` for pydantic's `model_validate`, a name, e-mail
    address or avatar that breaks its rule is left out of the payload instead of refused. The list
    gets a dict with `field` and `message` for it, and for a timestamp that has no offset.
    """

    # No instance is made of this class: the import builds validators for its subclasses alone.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)

    @model_validator(mode="wrap")
    @classmethod
    def _keep_values_out_of_errors(cls, values: Any, validate: Callable[[Any], Self]) -> Self:
        if isinstance(values, dict):
            values = {
                name: value
                for name, value in values.items()
                if name not in _OPTIONAL_NAMES
                or (
                    value is not None
                    and not (issubclass(type(value), str) and not str.__len__(value))
                )
            }
        try:
            return validate(values)
        except ValidationError as error:
            refused = without_values(error)
        try:
            raise refused  # out here: what was caught isn't its context
        finally:
            del refused  # it has this frame in its traceback

    @field_validator(*DECORATION, mode="wrap")
    @classmethod
    def _leave_out_what_is_invalid(cls, value: Any, validate: Any, info: ValidationInfo) -> Any:
        try:
            return validate(value)
        except ValidationError as error:
            warnings = _warnings(info)
            if warnings is None:
                raise
            reason = "; ".join(part["msg"] for part in error.errors(include_url=False))
        warnings.append({"field": info.field_name, "message": f"Left out of the event: {reason}"})
        return None

    @field_validator("timestamp", mode="before")
    @classmethod
    def _with_offset(cls, value: Any, info: ValidationInfo) -> datetime:
        read = read_timestamp(value)
        if read is None:
            raise PydanticCustomError(
                "timestamp",
                "Input should be a datetime or ISO 8601 text, like 2026-01-31T12:00:00+01:00",
            )
        when, naive = read
        warnings = _warnings(info)
        if naive and warnings is not None:
            message = "The timestamp has no offset and is taken as UTC"
            warnings.append({"field": "timestamp", "message": message})
        return when

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        # pydantic's own refusal shows the value.
        raise AttributeError(f"{type(self).__name__} can't be changed: make a new one")

    event_name: EventText = Field(
        description="What happened, in free text, like `Sign up`. 1 to 255 characters."
    )
    customer_external_id: IdText = Field(
        description="The customer's id in your own system. 1 to 255 characters; an int or a UUID "
        "is sent as text."
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


def _warnings(info: ValidationInfo) -> Optional[list[dict[str, Any]]]:
    """Return the list that the caller gave for warnings, if one was given."""
    warnings = info.context.get("warnings") if isinstance(info.context, dict) else None
    return warnings if isinstance(warnings, list) else None
