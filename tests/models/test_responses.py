"""TrackResponse and ErrorResponse, which accept any JSON object and nothing else."""

import json
from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutmeshort import ErrorResponse, TrackResponse
from cutmeshort.strict_json import read_json

from ..support.strategies import TEXT

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(TEXT, JSON, max_size=5))
def test_a_response_accepts_any_object(body: dict[str, Any]) -> None:
    """Any JSON object is a valid TrackResponse and ErrorResponse, and survives the round trip."""
    for model in (TrackResponse, ErrorResponse):
        response = model.from_dict(body)
        assert model.from_dict(response.to_dict()).to_dict() == response.to_dict()
        assert model.from_json(response.to_json()) == model.from_dict(response.to_dict())


def test_a_response_keeps_unknown_fields() -> None:
    """A response keeps unknown fields, including those beside `data`."""
    response = TrackResponse.from_dict({"success": True, "data": {"a": None}, "requestId": "r"})
    assert (response.model_extra, response.request_id) == ({}, "r")
    assert response.data == {"a": None}
    error = ErrorResponse.from_json('{"error": "Wrong", "requestId": "r", "code": 7}')
    assert (error.model_extra, error.request_id) == ({"code": 7}, "r")
    assert error.to_dict()["requestId"] == "r"


def test_the_repr_of_a_response_shows_no_values() -> None:
    """`repr` and `str` show nothing that the service sent."""
    response = TrackResponse.from_dict({"data": {"secret": 1}, "secret": 2})
    assert "secret=" not in repr(response) + str(response)
    assert "2" not in repr(response) + str(response)


@pytest.mark.parametrize("model", [TrackResponse, ErrorResponse])
@pytest.mark.parametrize("body", ["[]", "null", '"text"', "7"])
def test_a_response_must_be_an_object(model: Any, body: str) -> None:
    """A response rejects JSON that is not an object."""
    with pytest.raises(pydantic.ValidationError):
        model.from_json(body)


def test_json_that_is_nested_too_deep_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON that is nested too deep for the interpreter is a ValueError."""

    def fail(*_: Any) -> Any:
        raise RecursionError

    monkeypatch.setattr(json.JSONDecoder, "raw_decode", fail)
    with pytest.raises(ValueError, match="nested too deep"):
        read_json(b"[]")
