"""Finds a recorded event by some of its fields, and describes how payloads differ."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import zip_longest
from typing import Any, Optional, TypeVar, Union

from typing_extensions import Literal, TypedDict

from ..models import EventPayload, ExternalId
from .state.exchanges import Received

_MAX_EVENTS = 3
_MAX_REQUESTS = 5
# Valid values for required fields that are not compared.
_OTHER_FIELDS = {
    "event_name": "-",
    "customer_external_id": "-",
    "click_id": "-",
    "invoice_id": "-",
    "amount": 0,
    "currency": "USD",
}
_MISSING = object()
_NO_REQUEST = (
    "The sandbox received no request. Check that the application calls a client that uses the "
    "sandbox, and check the result of the call: invalid arguments are not sent."
)

EventT = TypeVar("EventT", bound=EventPayload)


class _Fields(TypedDict, total=False):
    event_name: str
    customer_external_id: ExternalId
    click_id: Optional[str]
    customer_name: Optional[str]
    customer_email: Optional[str]
    customer_avatar: Optional[str]
    timestamp: Union[datetime, str, None]


class LeadFields(_Fields, total=False):
    """The fields of a lead to compare. None means "not set"."""

    mode: Optional[Literal["deferred"]]


class SaleFields(_Fields, total=False):
    """The fields of a sale to compare. None means "not set"."""

    invoice_id: ExternalId
    amount: int
    currency: str


def find_event(
    model: type[EventT],
    events: Sequence[EventT],
    fields: Mapping[str, Any],
    requests: Sequence[Received],
) -> EventT:
    """
    Return the first event that has the given fields.

    Args:
        model: The model of the events.
        events: The recorded events.
        fields: The expected values. They are converted as in a payload.
        requests: All requests to the sandbox, to explain a missing event.

    Raises:
        AssertionError: No event has these fields.
        TypeError: The model has no field of this name.
        pydantic.ValidationError: An expected value is invalid, so no event can have it.
    """
    __tracebackhide__ = True
    unknown = ", ".join(sorted(fields.keys() - model.model_fields.keys()))
    if unknown:
        names = ", ".join(model.model_fields)
        raise TypeError(f"{model.__name__} has no field {unknown}; it has: {names}")
    others = {name: _OTHER_FIELDS[name] for name in _OTHER_FIELDS if name in model.model_fields}
    expected = model.from_dict({**others, **fields})
    differences = [_differences(event, expected, fields) for event in events]
    for event, lines in zip(events, differences):
        if not lines:
            return event
    name = model.__name__.removesuffix("Payload").lower()
    values = ", ".join(f"{field}={_show(getattr(expected, field))}" for field in fields)
    lines = [f"no recorded {name} has {values}" if fields else f"no {name} was recorded"]
    lines += _describe_closest(differences, f"{name}s")
    lines += _describe_failures(requests)
    raise AssertionError("\n".join(lines))


def explain_inequality(recorded: object, expected: object) -> Optional[list[str]]:
    """
    Describe how two payloads, or two lists that contain payloads, differ.

    Returns:
        A line for each difference; None if neither of the two contains a payload.
    """
    both = (recorded, expected)
    if any(isinstance(each, EventPayload) for each in both):
        return _describe_pair("", recorded, expected)
    if not (isinstance(recorded, list) and isinstance(expected, list)):
        return None
    if not any(isinstance(item, EventPayload) for item in (*recorded, *expected)):
        return None
    return [
        line
        for number, pair in enumerate(zip_longest(recorded, expected, fillvalue=_MISSING))
        for line in _describe_pair(f"#{number} ", *pair)
    ]


def _describe_pair(label: str, recorded: object, expected: object) -> list[str]:
    if recorded is _MISSING:
        return [f"{label}missing: expected {_show(expected)}"]
    if expected is _MISSING:
        return [f"{label}unexpected: recorded {_show(recorded)}"]
    if isinstance(recorded, EventPayload) and type(recorded) is type(expected):
        lines = _differences(recorded, expected, type(recorded).model_fields)
        return [f"{label}{line}" for line in lines]
    if recorded == expected:
        return []
    lines = [f"{label}recorded {_show(recorded)}, expected {_show(expected)}"]
    if isinstance(recorded, EventPayload) and isinstance(expected, dict):
        model = type(recorded).__name__
        lines.append(
            f"{label}a payload never equals a dict: write {model}(...) instead of the dict, or "
            "compare the payload's to_dict()"
        )
    return lines


def _differences(recorded: EventPayload, expected: Any, names: Iterable[str]) -> list[str]:
    return [
        f"{name}: recorded {_show(getattr(recorded, name))}, "
        f"expected {_show(getattr(expected, name))}"
        for name in names
        if getattr(recorded, name) != getattr(expected, name)
    ]


def _show(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, EventPayload):
        fields = [(name, each) for name, each in value if each is not None]
        values = ", ".join(f"{name}={_show(each)}" for name, each in fields)
        return f"{type(value).__name__}({values})"
    return repr(value)


def _describe_closest(differences: list[list[str]], plural: str) -> list[str]:
    """Describe the events with the fewest differences."""
    closest = sorted(enumerate(differences), key=lambda item: len(item[1]))
    shown = [f"#{number} {line}" for number, lines in closest[:_MAX_EVENTS] for line in lines]
    more = len(closest) - _MAX_EVENTS
    return [*shown, f"and {more} more {plural} that differ"] if more > 0 else shown


def _describe_failures(requests: Sequence[Received]) -> list[str]:
    """Describe the newest requests that failed."""
    if not requests:
        return [_NO_REQUEST]
    failed = [str(request) for request in requests if request.type != "ok"][-_MAX_REQUESTS:]
    return ["the newest requests that failed:", *failed] if failed else []
