"""
What the models share.

Payloads are validated by these models and nowhere else. They reject only what the service can't
accept, so that no valid event is lost. The text of an error has no values, as they are customers'
data.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, NoReturn, Optional, Union

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel
from typing_extensions import Self

from .fields import Email, EventText, IdText, Name, Timestamp, Url

# The attribution works without these fields.
DECORATION = ("customer_name", "customer_email", "customer_avatar")

# No warnings: pydantic's show values that were never validated.
_WIRE_OPTIONS: dict[str, Any] = {"by_alias": True, "exclude_none": True, "warnings": False}


class Model(BaseModel):
    """Fields in snake_case in Python, in camelCase on the wire; input may use either."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        loc_by_alias=False,
        hide_input_in_errors=True,
    )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object that is sent, as a dict that `json.dumps` accepts."""
        return self.model_dump(mode="json", **_WIRE_OPTIONS)

    def to_json(self) -> str:
        """Return the JSON text that is sent; fields that are not set are left out."""
        return self.model_dump_json(**_WIRE_OPTIONS)

    def to_str(self) -> str:
        """Return the JSON object that is sent, formatted for reading."""
        from pprint import pformat

        return pformat(self.to_dict())

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """
        Make a model from a mapping with keys in camelCase or snake_case.

        Raises:
            pydantic.ValidationError: A value is not valid. The error names all such fields.
        """
        return cls.model_validate(dict(values) if isinstance(values, Mapping) else values)

    @classmethod
    def from_json(cls, text: Union[str, bytes]) -> Self:
        """
        Make a model from JSON text.

        Raises:
            pydantic.ValidationError: The text is not a JSON object, or a value is not valid.
        """
        return cls.model_validate_json(text)

    def __repr__(self) -> str:
        """Show the names of the fields that are set. Their values are customers' data."""
        return f"{type(self).__name__}({', '.join(sorted(self.model_fields_set))})"

    __str__ = __repr__


class EventPayload(Model):
    """
    The fields that all payloads have. Payloads can't be changed; unknown fields are rejected.

    `None` and `""` in an optional field mean that it is not set.
    """

    # Only subclasses are instantiated, so pydantic need not build a validator for this class.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_what_is_not_set(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        optional = _optional_names(cls)
        return {
            name: value
            for name, value in values.items()
            if name not in optional
            # By type(): an object may claim to be a str, and a method of a subclass may raise.
            or not (value is None or (issubclass(type(value), str) and not str.__len__(value)))
        }

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        # pydantic's own error for a frozen model shows the value.
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
        default=None, description="The customer's email address. At most 255 characters."
    )
    customer_avatar: Optional[Url] = Field(
        default=None, description="http(s) URL of a picture. At most 2048 characters."
    )
    timestamp: Optional[Timestamp] = Field(
        default=None,
        description="When it happened, in ISO 8601 with an offset; without an offset it is UTC. "
        "Left out, it is the time at which the service receives the event.",
    )


@cache
def _optional_names(model: type[EventPayload]) -> frozenset[str]:
    optional = [name for name, field in model.model_fields.items() if not field.is_required()]
    return frozenset(optional) | frozenset(map(to_camel, optional))
