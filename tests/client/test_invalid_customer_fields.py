"""Invalid names, email addresses and avatars, which the client leaves out of the event."""

from typing import Any, Optional

import pytest

from cutmeshort import CMSClient
from cutmeshort.operations import Operation

from ..support.events import client_of, lead
from ..support.failing_objects import ObjectWithFakeClass, StrWithoutLength
from ..support.operations import each_operation, track
from ..support.server import Server

TOO_LONG = "x" * 256
INVALID = [
    ("customer_name", TOO_LONG, "at most 255 characters"),
    ("customer_name", ["Ann"], "valid string"),
    ("customer_name", "\ud800", "valid string"),
    ("customer_email", "ann", "an email address like"),
    ("customer_email", "ann lee@example.com", "an email address like"),
    ("customer_email", "ann@example.com\n", "an email address like"),
    ("customer_email", "@", "an email address like"),
    ("customer_email", "a@" + TOO_LONG, "at most 255 characters"),
    ("customer_email", 7, "valid string"),
    ("customer_avatar", "example.com/a.png", "http:// or https://"),
    ("customer_avatar", "ftp://example.com", "http:// or https://"),
    ("customer_avatar", "https://", "http:// or https://"),
    ("customer_avatar", "https://example.com/a b", "http:// or https://"),
    ("customer_avatar", "https://" + "x" * 2048, "at most 2048 characters"),
    ("customer_avatar", b"https://example.com", "valid string"),
]


@each_operation
@pytest.mark.parametrize(("name", "value", "message"), INVALID)
def test_an_invalid_customer_field_is_left_out(
    operation: Operation, name: str, value: Any, message: str
) -> None:
    """The client leaves an invalid name, email or avatar out, and the result has a warning."""
    with Server() as server, client_of(server) as client:
        result = track(client, operation, **{name: value})
        (warning,) = result["warnings"]
        assert result["success"] is True
        assert warning["field"] == name
        assert warning["message"].startswith("Left out of the event: ")
        assert message in warning["message"]
        without = track(client, operation)
        assert "warnings" not in without
        first, second = server.requests
        assert first.json == second.json


@each_operation
def test_an_invalid_customer_field_of_a_rejected_event_is_a_warning(
    operation: Operation, offline_client: CMSClient
) -> None:
    """A rejected event's result lists invalid customer fields in `warnings`, not in `details`."""
    result = track(
        offline_client, operation, event_name="", customer_email="x", customer_name=TOO_LONG
    )
    assert [detail["field"] for detail in result["details"]] == ["event_name"]
    fields = [warning["field"] for warning in result["warnings"]]
    assert sorted(fields) == ["customer_email", "customer_name"]
    assert "customer" not in result["error"]


@each_operation
def test_a_customer_field_whose_methods_fail_does_not_lose_the_event(operation: Operation) -> None:
    """The client tracks an event even if the methods of a customer field's value fail."""
    values: list[Any] = [ObjectWithFakeClass(str), StrWithoutLength("Ann"), object()]
    with Server() as server, client_of(server) as client:
        for value in values:
            changes = {"customer_name": value, "customer_email": value}
            assert track(client, operation, **changes)["success"] is True
        assert len(server.requests) == len(values)


@pytest.mark.parametrize("click_id", ["click_1", None])
def test_warnings_are_in_the_order_of_the_fields(
    click_id: Optional[str], offline_client: CMSClient
) -> None:
    """The warnings list each field in the model's order, even if the client rejects the event."""
    result = lead(
        offline_client,
        click_id=click_id,
        mode="deferred",
        timestamp="2026-01-31",
        customer_avatar="x",
        customer_email="x",
        customer_name=7,
    )
    assert (result["type"] == "validation_error") is (click_id is None)
    fields = [warning["field"] for warning in result["warnings"]]
    assert fields == ["customer_name", "customer_email", "customer_avatar", "timestamp"]
