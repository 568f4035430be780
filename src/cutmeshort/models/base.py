"""
The base classes of the models.

Payloads are validated by the models and nowhere else. They reject only what the service can't
accept, so that no valid event is lost. Error messages contain no values, which are customers' data.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, NoReturn, Optional, Union

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel
from typing_extensions import Self

from .fields import Email, IdText, Name, RequiredText, Timestamp, Url

# Attribution does not need these fields: CMSClient leaves an invalid one out, and sends the event.
DROPPABLE_FIELDS = ("customer_name", "customer_email", "customer_avatar")

# No warnings, as pydantic's would quote values.
_WIRE_OPTIONS: dict[str, Any] = {"by_alias": True, "exclude_none": True, "warnings": False}


class Model(BaseModel):
    """A model with fields in snake_case, and JSON in camelCase. Input may use either."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        loc_by_alias=False,
        hide_input_in_errors=True,
    )

    def to_dict(self) -> dict[str, Any]:
        """Return a dict for `json.dumps`, with camelCase keys and without fields that are None."""
        return self.model_dump(mode="json", **_WIRE_OPTIONS)

    def to_json(self) -> str:
        """Return JSON with camelCase keys, without fields that are None."""
        return self.model_dump_json(**_WIRE_OPTIONS)

    def to_str(self) -> str:
        """Return `to_dict()` as a Python literal, formatted for reading."""
        from pprint import pformat

        return pformat(self.to_dict())

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """
        Create a model from a mapping with keys in camelCase or snake_case.

        Raises:
            pydantic.ValidationError: It is not a mapping, or not valid. The error names all invalid
                fields.
        """
        return cls.model_validate(dict(values) if isinstance(values, Mapping) else values)

    @classmethod
    def from_json(cls, text: Union[str, bytes]) -> Self:
        """
        Create a model from JSON.

        Raises:
            pydantic.ValidationError: It is not a JSON object, or not valid.
        """
        return cls.model_validate_json(text)

    def __repr__(self) -> str:
        """Show the names of the fields that are set. Their values are customers' data."""
        return f"{type(self).__name__}({', '.join(sorted(self.model_fields_set))})"

    __str__ = __repr__


class EventPayload(Model):
    """
    The fields of all payloads. Payloads are immutable and reject unknown fields.

    For an optional field, `None` and `""` mean "not set".
    """

    # Only subclasses are instantiated, so pydantic need not build a validator for this class.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_unset(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        required = _required_names(cls)
        return {
            name: value
            for name, value in values.items()
            if name in required
            # type(), as an object may fake its __class__; str.__len__, as a subclass may raise.
            or not (value is None or (issubclass(type(value), str) and not str.__len__(value)))
        }

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        # pydantic's own error for a frozen model shows the value.
        raise AttributeError(f"{type(self).__name__} can't be changed: create a new one")

    event_name: RequiredText = Field(
        description="What happened, as free text such as `Sign up`. 1 to 255 characters."
    )
    customer_external_id: IdText = Field(
        description="The customer's id in your own system. 1 to 255 characters; an int or a UUID "
        "is sent as a string."
    )
    customer_name: Optional[Name] = Field(
        default=None, description="The customer's name. At most 255 characters."
    )
    customer_email: Optional[Email] = Field(
        default=None, description="The customer's email address. At most 255 characters."
    )
    customer_avatar: Optional[Url] = Field(
        default=None,
        description="`http://` or `https://` URL of an image. At most 2048 characters.",
    )
    timestamp: Optional[Timestamp] = Field(
        default=None,
        description="When the event happened: a datetime or an ISO 8601 string. Without a UTC "
        "offset, it is UTC. Default: when the service receives the event.",
    )


@cache
def _required_names(model: type[EventPayload]) -> frozenset[str]:
    """Return the names of the required fields, in snake_case and in camelCase."""
    required = [name for name, field in model.model_fields.items() if field.is_required()]
    return frozenset(required) | frozenset(map(to_camel, required))
