"""What all models share."""

import json
from collections.abc import Mapping
from typing import Any, Union

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import InitErrorDetails, PydanticCustomError
from typing_extensions import Self


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
            refused = error  # of text that isn't JSON, it has the text
        raise without_values(refused)

    def __repr__(self) -> str:
        """Show which fields are set, not what they hold: it is customers' data."""
        return f"{type(self).__name__}({', '.join(sorted(self.model_fields_set))})"

    __str__ = __repr__
