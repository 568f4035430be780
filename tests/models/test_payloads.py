"""Payloads: names of fields, round trips, and what they reject."""

import json
import re
from datetime import datetime, timezone
from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutmeshort import ErrorResponse, SalePayload, TrackResponse
from cutmeshort.operations import OPERATIONS, Operation

from ..support.operations import each_operation, full, payload, payloads

MODELS = [*(each.request_model for each in OPERATIONS), TrackResponse, ErrorResponse]


@each_operation
@given(data=st.data())
def test_a_payload_survives_the_round_trip(operation: Operation, data: Any) -> None:
    """A payload created from its own dict or JSON is equal; the dict can be dumped as JSON."""
    drawn = data.draw(payloads(operation))
    model = operation.request_model
    assert model.from_dict(drawn.to_dict()) == drawn
    assert model.from_json(drawn.to_json()) == drawn
    assert model.from_json(drawn.to_json().encode()) == drawn
    assert json.loads(json.dumps(drawn.to_dict())) == json.loads(drawn.to_json())
    assert None not in drawn.to_dict().values()
    assert hash(model.from_dict(drawn.to_dict())) == hash(drawn)


def test_a_payload_has_snake_case_in_python_and_camel_case_on_the_wire() -> None:
    """Fields have snake_case names in Python and camelCase names on the wire."""
    sale = SalePayload(
        event_name="Purchase",
        customer_external_id="user_42",
        invoice_id="inv_1",
        amount=4999,
        currency="usd",
        timestamp=datetime(2026, 1, 31, tzinfo=timezone.utc),
    )
    assert (sale.invoice_id, sale.currency) == ("inv_1", "USD")
    assert sale.to_dict() == {
        "eventName": "Purchase",
        "customerExternalId": "user_42",
        "timestamp": "2026-01-31T00:00:00Z",
        "invoiceId": "inv_1",
        "amount": 4999,
        "currency": "USD",
    }
    assert "'invoiceId': 'inv_1'" in sale.to_str()


@each_operation
def test_a_payload_can_not_be_changed(operation: Operation) -> None:
    """A payload is immutable, and the error does not show the value."""
    model = operation.request_model
    with pytest.raises(AttributeError, match=f"{model.__name__} can't be changed") as caught:
        payload(operation).event_name = "secret"
    assert "secret" not in str(caught.value)


@each_operation
def test_a_payload_rejects_unknown_fields(operation: Operation) -> None:
    """A payload rejects a misspelt field, and the error names it."""
    with pytest.raises(pydantic.ValidationError) as caught:
        operation.request_model.from_dict({"clickID": "secret"})
    assert ("clickID",) in {error["loc"] for error in caught.value.errors()}
    assert "secret" not in str(caught.value)


@each_operation
@pytest.mark.parametrize("text", ["", "[]", "null", "{", "\ud800", b"\xff"])
def test_json_that_is_not_an_object_is_rejected(operation: Operation, text: Any) -> None:
    """`from_json` accepts only a JSON object."""
    model = operation.request_model
    with pytest.raises(ValueError, match=rf"{model.__name__}|surrogates"):
        model.from_json(text)


@each_operation
def test_the_repr_of_a_payload_shows_no_values(operation: Operation) -> None:
    """`repr` and `str` name the fields that are set and show none of their values."""
    whole = operation.request_model.from_dict(full(operation))
    assert repr(whole) == str(whole)
    assert set(re.findall(r"\w+", repr(whole))) == {
        operation.request_model.__name__,
        *operation.request_model.model_fields,
    }


@pytest.mark.parametrize("model", MODELS)
def test_no_field_has_two_validators_of_a_type(model: Any) -> None:
    """No field has two validators of a type, of which some versions of pydantic keep only one."""
    for info in model.model_fields.values():
        types = [type(part) for part in info.metadata if "Validator" in type(part).__name__]
        assert len(types) == len(set(types))


@pytest.mark.parametrize("model", MODELS)
def test_a_model_is_complete_when_imported(model: Any) -> None:
    """Pydantic builds no validator at a model's first use, which may be during a fork."""
    assert model.__pydantic_complete__ is True


@each_operation
def test_each_field_is_described(operation: Operation) -> None:
    """Each field of a payload has a description, which ends in a full stop."""
    for name, info in operation.request_model.model_fields.items():
        assert (info.description or "").endswith("."), name


@pytest.mark.parametrize("unset", [None, ""])
@each_operation
def test_an_unset_field_of_another_operation_is_ignored(operation: Operation, unset: Any) -> None:
    """A dict with `None` or an empty string for a field that a payload does not have is valid."""
    for other in OPERATIONS:
        unknown = other.request_model.model_fields.keys() - operation.request_model.model_fields
        assert payload(operation, **dict.fromkeys(unknown, unset)) == payload(operation)
