"""
Valid arguments of each operation of the API, and Hypothesis strategies that draw them.

Tests run for each operation of `cutmeshort.operations.OPERATIONS`. A new operation needs an entry
in EXAMPLES, and a new field one in FIELDS; a test that needs a missing entry fails and names it.
"""

from datetime import timezone
from typing import Any, NamedTuple, Optional

import pytest
from hypothesis import strategies as st

from cutmeshort import CMSClient
from cutmeshort.models import EventPayload
from cutmeshort.operations import OPERATIONS, Operation
from cutmeshort.sandbox import Sandbox

from .events import CUSTOMER, PAYLOAD, SALE_PAYLOAD
from .strategies import TEXT


class Example(NamedTuple):
    """
    The test data of an operation.

    Attributes:
        minimal: The arguments that the service requires.
        identity: The argument by which the service deduplicates.
    """

    minimal: dict[str, Any]
    identity: str


class Field(NamedTuple):
    """
    The test data of a field.

    Attributes:
        value: A valid value, which is part of no other test data.
        private: The part of the value that must not be logged; None if the value is not private.
        valid: Draws valid values.
    """

    value: Any
    private: Optional[str]
    valid: st.SearchStrategy[Any]


EXAMPLES = {
    "track_lead": Example(PAYLOAD, "customer_external_id"),
    "track_sale": Example(SALE_PAYLOAD, "invoice_id"),
}
FIELDS = {
    "event_name": Field("Bought-Elephant", "Elephant", TEXT),
    "customer_external_id": Field(CUSTOMER["customer_external_id"], "user-7431", TEXT),
    "click_id": Field("click-zebra", "zebra", TEXT),
    "customer_name": Field(CUSTOMER["customer_name"], "Secretson", TEXT),
    "customer_email": Field(CUSTOMER["customer_email"], "secret.example", st.just("a@b")),
    "customer_avatar": Field(CUSTOMER["customer_avatar"], "secret.example", st.just("https://a/b")),
    "timestamp": Field(
        "2026-01-31T12:00:00Z",
        None,
        st.datetimes() | st.datetimes(timezones=st.just(timezone.utc)),
    ),
    "mode": Field("deferred", None, st.just("deferred")),
    "invoice_id": Field("invoice-walrus", "walrus", TEXT),
    "amount": Field(9182736450, "9182736450", st.integers(0, 2**53 - 1)),
    "currency": Field("CHF", "CHF", st.from_regex(r"[A-Za-z]{3}", fullmatch=True)),
}

each_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)


def example(operation: Operation) -> Example:
    """Return the test data of an operation."""
    if operation.name not in EXAMPLES:
        raise LookupError(
            f"{operation.name} has no entry in EXAMPLES of tests/support/operations.py: add "
            f'"{operation.name}": Example(...) with the arguments that the service requires, and '
            "with the name of the one by which it deduplicates"
        )
    return EXAMPLES[operation.name]


def field(name: str) -> Field:
    """Return the test data of a field."""
    if name not in FIELDS:
        raise LookupError(
            f'{name} has no entry in FIELDS of tests/support/operations.py: add "{name}": '
            "Field(...) with a valid value that is part of no other test data, with the part of "
            "it that is private, and with a Hypothesis strategy of valid values"
        )
    return FIELDS[name]


def minimal(operation: Operation) -> dict[str, Any]:
    """Return the arguments that the service requires."""
    return dict(example(operation).minimal)


def full(operation: Operation) -> dict[str, Any]:
    """Return a valid value for each argument."""
    return {name: field(name).value for name in operation.request_model.model_fields}


def private(operation: Operation) -> list[str]:
    """Return the parts of the full arguments that must not be logged."""
    parts = [field(name).private for name in operation.request_model.model_fields]
    return [part for part in parts if part is not None]


def optional(operation: Operation) -> list[str]:
    """Return the names of the optional arguments."""
    fields = operation.request_model.model_fields
    return [name for name, info in fields.items() if not info.is_required()]


def arguments(operation: Operation) -> st.SearchStrategy[dict[str, Any]]:
    """Draw valid arguments: all required ones, and some of the others, set or None."""
    fields = operation.request_model.model_fields
    always = {name: field(name).valid for name in minimal(operation)}
    others = {name: st.none() | field(name).valid for name in fields if name not in always}
    return st.fixed_dictionaries(always, optional=others)


def payloads(operation: Operation) -> st.SearchStrategy[EventPayload]:
    """Draw valid payloads."""
    return arguments(operation).map(operation.request_model.from_dict)


def payload(operation: Operation, **changes: Any) -> EventPayload:
    """Create a minimal payload, with the given changes."""
    return operation.request_model.from_dict({**minimal(operation), **changes})


def track(client: CMSClient, operation: Operation, **changes: Any) -> Any:
    """Track a minimal event, with the given changes."""
    return getattr(client, operation.name)(**{**minimal(operation), **changes})


def recorded(sandbox: Sandbox, operation: Operation) -> list[str]:
    """Return the identities of an operation's events that a sandbox has recorded."""
    events = getattr(sandbox, f"{operation.event}s")
    return [getattr(event, example(operation).identity) for event in events]
