"""Payloads and responses: names, round trips, what is kept and what is refused."""

import json
from datetime import datetime, timezone
from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutmeshort import ErrorResponse, LeadPayload, SalePayload, TrackResponse

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=255)
COMMON = {
    "event_name": TEXT,
    "customer_external_id": TEXT,
    "click_id": TEXT,
    "customer_name": st.none() | TEXT,
    "customer_email": st.none() | st.just("a@b"),
    "customer_avatar": st.none() | st.just("https://a/b"),
    "timestamp": st.none() | st.datetimes() | st.datetimes(timezones=st.just(timezone.utc)),
}
LEADS = st.fixed_dictionaries({**COMMON, "mode": st.none() | st.just("deferred")}).map(
    LeadPayload.from_dict
)
SALES = st.fixed_dictionaries(
    {
        **COMMON,
        "invoice_id": TEXT,
        "amount": st.integers(0, 2**53 - 1),
        "currency": st.from_regex(r"[A-Za-z]{3}", fullmatch=True),
    }
).map(SalePayload.from_dict)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=10,
)


@given(LEADS | SALES)
def test_a_payload_survives_the_round_trip(payload: Any) -> None:
    """A payload made of its own dict or JSON is equal, and the dict is ready for `json.dumps`."""
    model = type(payload)
    assert model.from_dict(payload.to_dict()) == payload
    assert model.from_json(payload.to_json()) == payload
    assert model.from_json(payload.to_json().encode()) == payload
    assert json.loads(json.dumps(payload.to_dict())) == json.loads(payload.to_json())
    assert None not in payload.to_dict().values()
    assert hash(model.from_dict(payload.to_dict())) == hash(payload)


def test_a_payload_has_snake_case_in_python_and_camel_case_on_the_wire() -> None:
    """Fields have Python's names; the wire has its own."""
    payload = SalePayload(
        event_name="Purchase",
        customer_external_id="user_42",
        invoice_id="inv_1",
        amount=4999,
        currency="usd",
        timestamp=datetime(2026, 1, 31, tzinfo=timezone.utc),
    )
    assert (payload.invoice_id, payload.currency) == ("inv_1", "USD")
    assert payload.to_dict() == {
        "eventName": "Purchase",
        "customerExternalId": "user_42",
        "timestamp": "2026-01-31T00:00:00Z",
        "invoiceId": "inv_1",
        "amount": 4999,
        "currency": "USD",
    }
    assert "'invoiceId': 'inv_1'" in payload.to_str()


def test_a_payload_can_not_be_changed() -> None:
    """What was validated stays as it was."""
    payload = LeadPayload(event_name="Sign up", customer_external_id="user_42")
    with pytest.raises(AttributeError, match="LeadPayload can't be changed") as caught:
        payload.event_name = "secret"
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("model", [LeadPayload, SalePayload])
def test_a_payload_refuses_unknown_fields(model: Any) -> None:
    """A misspelt field is refused by name."""
    with pytest.raises(pydantic.ValidationError) as caught:
        model.from_dict({"clickID": "secret"})
    assert ("clickID",) in {error["loc"] for error in caught.value.errors()}
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "null", "{", "\ud800", b"\xff"])
def test_json_that_is_no_object_is_refused(text: Any) -> None:
    """`from_json` takes a JSON object alone."""
    with pytest.raises(ValueError, match=r"LeadPayload|surrogates"):
        LeadPayload.from_json(text)


def test_the_repr_shows_no_values() -> None:
    """`repr` and `str` name the fields that are set and show none of their values."""
    payload = LeadPayload(event_name="Sign up", customer_external_id="secret")
    assert repr(payload) == str(payload) == "LeadPayload(customer_external_id, event_name)"
    answer = TrackResponse.from_dict({"data": {"secret": 1}, "secret": 2})
    assert "secret=" not in repr(answer)
    assert "2" not in repr(answer)


@given(st.dictionaries(TEXT, JSON, max_size=5))
def test_a_response_takes_any_object(body: dict[str, Any]) -> None:
    """Any JSON object is a TrackResponse and an ErrorResponse, and survives the round trip."""
    for model in (TrackResponse, ErrorResponse):
        answer = model.from_dict(body)
        assert model.from_dict(answer.to_dict()).to_dict() == answer.to_dict()
        assert model.from_json(answer.to_json()) == model.from_dict(answer.to_dict())


def test_a_response_keeps_what_it_does_not_know() -> None:
    """Unknown fields of an answer are kept, those beside `data` too."""
    answer = TrackResponse.from_dict({"success": True, "data": {"a": None}, "requestId": "r"})
    assert (answer.model_extra, answer.request_id) == ({}, "r")
    assert answer.data == {"a": None}
    error = ErrorResponse.from_json('{"error": "Wrong", "requestId": "r", "code": 7}')
    assert (error.model_extra, error.request_id) == ({"code": 7}, "r")
    assert error.to_dict()["requestId"] == "r"


@pytest.mark.parametrize("model", [LeadPayload, SalePayload, TrackResponse, ErrorResponse])
def test_no_field_has_two_validators_of_a_kind(model: Any) -> None:
    """Some versions of pydantic 2 keep only the last one of a kind."""
    for info in model.model_fields.values():
        kinds = [type(part) for part in info.metadata if "Validator" in type(part).__name__]
        assert len(kinds) == len(set(kinds))


@pytest.mark.parametrize("model", [TrackResponse, ErrorResponse])
@pytest.mark.parametrize("body", ["[]", "null", '"text"', "7"])
def test_a_response_is_an_object(model: Any, body: str) -> None:
    """JSON that is no object is no answer of the service."""
    with pytest.raises(pydantic.ValidationError):
        model.from_json(body)


@pytest.mark.parametrize("model", [LeadPayload, SalePayload, TrackResponse, ErrorResponse])
def test_a_model_is_ready_when_imported(model: Any) -> None:
    """None is built at its first use, which may be in two threads, or while another one forks."""
    assert model.__pydantic_complete__ is True
