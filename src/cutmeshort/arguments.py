"""Checks the arguments of a tracking call, and creates its payload and options."""

from typing import Any, NamedTuple, Optional, Union

from pydantic import ValidationError

from .checks import check_count, check_seconds
from .exceptions import ApiValueError
from .models import DROPPABLE_FIELDS, EventPayload, read_timestamp
from .operations import NOT_A_PAYLOAD, Operation


class Arguments(NamedTuple):
    """
    The arguments of one call.

    Attributes:
        operation: The operation of the payload; None if there is none.
        payload: The event; None if one of its fields was rejected.
        options: The options of the request, as in RequestOptions.
        errors: Why arguments were rejected; empty if none were.
        warnings: Which fields were left out of the event, and whether the timestamp was taken as
            UTC: dicts with `field` and `message`.
    """

    operation: Optional[Operation]
    payload: Optional[EventPayload]
    options: dict[str, Any]
    errors: list[Union[ApiValueError, ValidationError]]
    warnings: list[dict[str, str]]


def read_arguments(
    operation: Operation,
    fields: dict[str, Any],
    timeout: Optional[float],
    max_retries: Optional[int],
) -> Arguments:
    """
    Check the fields of a payload and the options of a call, and collect all errors.

    DROPPABLE_FIELDS that are not valid are left out of the event.
    """
    payload: Optional[EventPayload] = None
    errors: list[Union[ApiValueError, ValidationError]] = []
    warnings: list[dict[str, str]] = []
    try:
        payload = _make_payload(operation.request_model, fields, warnings)
    except ValidationError as error:
        errors.append(error.with_traceback(None))  # it refers to this frame and its locals
    options = _read_options(timeout, max_retries, errors)
    return Arguments(operation, payload, options, errors, warnings)


def read_payload(
    operation: Optional[Operation],
    payload: EventPayload,
    timeout: Optional[float],
    max_retries: Optional[int],
) -> Arguments:
    """Check the options of a call with a payload, whose operation is None if it is not one."""
    errors: list[Union[ApiValueError, ValidationError]] = []
    if operation is None:
        errors.append(ApiValueError(NOT_A_PAYLOAD, "payload"))
    options = _read_options(timeout, max_retries, errors)
    return Arguments(operation, payload, options, errors, [])


def _read_options(
    timeout: Optional[float],
    max_retries: Optional[int],
    errors: list[Union[ApiValueError, ValidationError]],
) -> dict[str, Any]:
    """Return the options that are given and valid, and add the errors of the others."""
    options: dict[str, Any] = {}
    try:
        if timeout is not None:
            options["_deadline"] = check_seconds("timeout", timeout)
    except ApiValueError as error:
        errors.append(error.with_traceback(None))
    try:
        if max_retries is not None:
            options["_max_retries"] = check_count("max_retries", max_retries)
    except ApiValueError as error:
        errors.append(error.with_traceback(None))
    return options


def _make_payload(
    model: type[EventPayload], fields: dict[str, Any], warnings: list[dict[str, str]]
) -> EventPayload:
    given = fields["timestamp"]
    timestamp = None if given is None else read_timestamp(given)
    if timestamp is not None:
        fields = {**fields, "timestamp": timestamp.value}
    try:
        return model.model_validate(fields)
    except ValidationError:
        reasons = _reasons(model, fields)
        for name, reason in reasons.items():
            warnings.append({"field": name, "message": f"Left out of the event: {reason}"})
        if not reasons:
            raise
    finally:
        if timestamp is not None and timestamp.naive:
            message = "The timestamp has no UTC offset and is taken as UTC"
            warnings.append({"field": "timestamp", "message": message})
    return model.model_validate({k: v for k, v in fields.items() if k not in reasons})


def _reasons(model: type[EventPayload], fields: dict[str, Any]) -> dict[str, str]:
    """Return why DROPPABLE_FIELDS are not valid, by name."""
    reasons: dict[str, str] = {}
    try:
        # Only these: an error of another field makes some versions of pydantic hide theirs.
        model.model_validate({name: fields[name] for name in DROPPABLE_FIELDS})
    except ValidationError as error:
        for part in error.errors(include_url=False):
            name, reason = str(part["loc"][0]), part["msg"]
            if name in DROPPABLE_FIELDS:
                reasons[name] = f"{reasons[name]}; {reason}" if name in reasons else reason
    return reasons
