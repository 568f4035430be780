"""Name, email address and avatar: an invalid one is left out and never costs a conversion."""

from typing import Any

import pytest

from cutmeshort import CMSClient
from cutmeshort.operations import Operation

from ..support.events import client_of
from ..support.hostile import ClaimsClass, TextWithoutLength
from ..support.operations import each_operation, track
from ..support.server import Server

LONG = "x" * 256
INVALID = [
    ("customer_name", LONG, "at most 255 characters"),
    ("customer_name", ["Ann"], "valid string"),
    ("customer_name", "\ud800", "valid string"),
    ("customer_email", "ann", "email address"),
    ("customer_email", "ann lee@example.com", "email address"),
    ("customer_email", "ann@example.com\n", "email address"),
    ("customer_email", "@", "email address"),
    ("customer_email", "a@" + LONG, "at most 255 characters"),
    ("customer_email", 7, "valid string"),
    ("customer_avatar", "example.com/a.png", "http:// or https://"),
    ("customer_avatar", "ftp://example.com", "http:// or https://"),
    ("customer_avatar", "https://", "http:// or https://"),
    ("customer_avatar", "https://example.com/a b", "http:// or https://"),
    ("customer_avatar", "https://" + "x" * 2048, "at most 2048 characters"),
    ("customer_avatar", b"https://example.com", "valid string"),
]


@each_operation
@pytest.mark.parametrize(("name", "value", "says"), INVALID)
def test_an_invalid_droppable_field_is_left_out(
    operation: Operation, name: str, value: Any, says: str
) -> None:
    """A name, address or avatar that breaks its rule is left out, and the result says so."""
    with Server() as server, client_of(server) as client:
        result = track(client, operation, **{name: value})
        (warning,) = result["warnings"]
        assert result["success"] is True
        assert warning["field"] == name
        assert warning["message"].startswith("Left out of the event: ")
        assert says in warning["message"]
        without = track(client, operation)
        assert "warnings" not in without
        first, second = server.requests
        assert first.json == second.json


@each_operation
def test_droppable_fields_are_not_among_the_errors(
    operation: Operation, nowhere: CMSClient
) -> None:
    """If another argument is rejected, `warnings` still list the fields that are left out."""
    result = track(nowhere, operation, event_name="", customer_email="x", customer_name=LONG)
    assert [detail["field"] for detail in result["details"]] == ["event_name"]
    fields = [warning["field"] for warning in result["warnings"]]
    assert sorted(fields) == ["customer_email", "customer_name"]
    assert "customer" not in result["error"]


@each_operation
def test_a_droppable_field_whose_methods_fail_is_left_out(operation: Operation) -> None:
    """A value whose methods fail is left out, or sent as the text that it is."""
    values: list[Any] = [ClaimsClass(str), TextWithoutLength("Ann"), object()]
    with Server() as server, client_of(server) as client:
        for value in values:
            changes = {"customer_name": value, "customer_email": value}
            assert track(client, operation, **changes)["success"] is True
        assert len(server.requests) == len(values)
