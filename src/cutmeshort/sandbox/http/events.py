"""Turns the body of a request into an event."""

from typing import Any

from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from ...models import EventPayload
from ...operations import OPERATIONS
from ...strict_json import read_json
from ..state.refusal import Refusal

_WIRE_NAMES = {
    field.alias
    for operation in OPERATIONS
    for field in operation.request_model.model_fields.values()
}
_MAX_REPORTED_FIELDS = 10
_MAX_NAME_LENGTH = 100


def read_fields(content_type: bytes, body: bytes) -> dict[str, Any]:
    """
    Read a JSON object.

    Raises:
        Refusal: The body is not a JSON object, or has a field that no operation has.
    """
    if content_type.partition(b";")[0].strip().lower() != b"application/json":
        raise Refusal(400, "Content-Type must be application/json.")
    try:
        fields = read_json(body)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        raise Refusal(400, "The body must be a JSON object.")
    unknown = sorted(fields.keys() - _WIRE_NAMES)[:_MAX_REPORTED_FIELDS]
    if unknown:
        names = [name[:_MAX_NAME_LENGTH] for name in unknown]
        details = [{"field": name, "message": "Unknown field"} for name in names]
        raise Refusal(422, f"Unknown fields: {', '.join(names)}", details=details)
    return fields


def make_event(model: type[EventPayload], fields: dict[str, Any]) -> EventPayload:
    """
    Create an event from the fields.

    Raises:
        Refusal: A field is invalid.
    """
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        details = [
            {"field": to_camel(str(part["loc"][-1])), "message": part["msg"]}
            for part in error.errors(include_url=False)
        ]
        message = "; ".join(f"{part['field']}: {part['message']}" for part in details)
        raise Refusal(422, message, details=details) from None
