"""Arguments of the facade: which values the client sends, and which it rejects."""

from datetime import date, time, timedelta
from decimal import Decimal
from enum import IntEnum
from typing import Any
from uuid import UUID

import pytest
from pydantic.alias_generators import to_camel

from cutmeshort import CMSClient
from cutmeshort.models import DROPPABLE_FIELDS
from cutmeshort.operations import OPERATIONS, Operation

from ..support.events import client_of, lead, sale
from ..support.failing_objects import ObjectWithFakeClass, StrWithoutLength
from ..support.operations import each_operation, optional, track
from ..support.server import Server


class Huge(int):
    """An int whose digits pytest does not put into the test's name."""

    def __repr__(self) -> str:
        return "huge"


TOO_LONG = "x" * 256


INVALID_VALUES = [
    ("event_name", "", "at least 1 character"),
    ("event_name", TOO_LONG, "at most 255 characters"),
    ("event_name", None, "valid string"),
    ("event_name", b"Sign up", "valid string"),
    ("event_name", 7, "valid string"),
    ("event_name", "\ud800", "valid string"),
    ("customer_external_id", "", "at least 1 character"),
    ("customer_external_id", TOO_LONG, "at most 255 characters"),
    ("customer_external_id", None, "a str, an int or a UUID"),
    ("customer_external_id", True, "a str, an int or a UUID"),
    ("customer_external_id", 42.0, "a str, an int or a UUID"),
    ("customer_external_id", 10**255, "at most 255 characters"),
    ("customer_external_id", Huge(10**10_000), "at most 255 digits"),
    ("click_id", TOO_LONG, "at most 255 characters"),
    ("click_id", 7, "valid string"),
    ("timestamp", "yesterday", "ISO 8601"),
    ("timestamp", "0" * 100, "ISO 8601"),
    ("timestamp", 1767225600, "ISO 8601"),
    ("timestamp", date(2026, 1, 1), "ISO 8601"),
    ("timestamp", time(13, 37), "ISO 8601"),
    ("timestamp", timedelta(1), "ISO 8601"),
    ("mode", "later", "'deferred'"),
    ("mode", True, "'deferred'"),
    ("invoice_id", "", "at least 1 character"),
    ("invoice_id", TOO_LONG, "at most 255 characters"),
    ("invoice_id", None, "a str, an int or a UUID"),
    ("invoice_id", False, "a str, an int or a UUID"),
    ("amount", 49.99, "4999"),
    ("amount", 50.0, "4999"),
    ("amount", float("nan"), "4999"),
    ("amount", Decimal("49.99"), "4999"),
    ("amount", "4999", "4999"),
    ("amount", True, "4999"),
    ("amount", None, "4999"),
    ("amount", -1, "greater than or equal to 0"),
    ("amount", 2**53, "less than or equal to 9007199254740991"),
    ("amount", 10**1000, "less than or equal to 9007199254740991"),
    ("currency", "", "three-letter"),
    ("currency", "US", "three-letter"),
    ("currency", "USDT", "three-letter"),
    ("currency", "usd\n", "three-letter"),
    ("currency", "12€", "three-letter"),
    ("currency", None, "valid string"),
]


INVALID_ARGUMENTS = [
    (operation, name, value, message)
    for operation in OPERATIONS
    for name, value, message in INVALID_VALUES
    if name in operation.request_model.model_fields
]


@pytest.mark.parametrize(("operation", "name", "value", "message"), INVALID_ARGUMENTS)
def test_an_invalid_argument_is_named(
    operation: Operation, name: str, value: Any, message: str, offline_client: CMSClient
) -> None:
    """The result for an invalid value names the argument and says what the client expects."""
    _assert_rejected(track(offline_client, operation, **{name: value}), name, message, value)


@each_operation
def test_each_argument_is_tested_with_invalid_values(operation: Operation) -> None:
    """INVALID_VALUES has each argument that the client does not leave out when it is invalid."""
    tested = {name for name, _, _ in INVALID_VALUES} | set(DROPPABLE_FIELDS)
    missing = operation.request_model.model_fields.keys() - tested
    assert not missing, "add invalid values to INVALID_VALUES"


@pytest.mark.parametrize("click_id", [None, ""])
def test_a_deferred_lead_requires_a_click(click_id: Any, offline_client: CMSClient) -> None:
    """The client rejects a lead with `mode="deferred"` and without a `click_id`."""
    result = lead(offline_client, mode="deferred", click_id=click_id)
    _assert_rejected(result, "click_id", 'required with mode="deferred"', None)


@each_operation
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("timeout", 0),
        ("timeout", -1),
        ("timeout", float("nan")),
        ("timeout", float("inf")),
        ("timeout", "10"),
        ("timeout", True),
        ("max_retries", -1),
        ("max_retries", 1.5),
        ("max_retries", "3"),
        ("max_retries", False),
    ],
)
def test_an_invalid_option_is_named(
    operation: Operation, name: str, value: Any, offline_client: CMSClient
) -> None:
    """The client rejects an invalid timeout or number of retries like any other argument."""
    result = track(offline_client, operation, **{name: value})
    assert result["type"] == "validation_error"
    assert result["error"].startswith(f"{name} must be")
    assert result["details"] == [{"field": name, "message": result["error"]}]


def _assert_rejected(result: Any, name: str, message: str, value: Any) -> None:
    (detail,) = result["details"]
    assert detail["field"] == name
    assert message in detail["message"]
    assert result == {
        "success": False,
        "error": f"{name}: {detail['message']}",
        "status_code": 422,
        "type": "validation_error",
        "retryable": False,
        "attempts": 0,
        "details": [detail],
    }
    if isinstance(value, str) and len(value) > 3 and value not in message:
        assert value not in result["error"]


def test_all_invalid_arguments_are_named_at_once(offline_client: CMSClient) -> None:
    """One result names every invalid argument and option."""
    invalid = {
        "event_name": "",
        "amount": 49.99,
        "currency": "dollars",
        "timeout": 0,
        "max_retries": -1,
    }
    result = sale(offline_client, **invalid)
    assert {detail["field"] for detail in result["details"]} == set(invalid)
    assert all(name in result["error"] for name in invalid)


@each_operation
def test_an_unknown_keyword_is_a_type_error(
    operation: Operation, offline_client: CMSClient
) -> None:
    """A misspelt argument raises a TypeError, as in any function."""
    with pytest.raises(TypeError, match="custmer_name"):
        track(offline_client, operation, custmer_name="Ann")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("event_name", "é" * 255),
        ("customer_external_id", "é" * 255),
        ("click_id", "é" * 255),
        ("customer_name", "é" * 255),
        ("customer_email", "é@".ljust(255, "é")),
        ("customer_avatar", "https://é".ljust(2048, "é")),
        ("event_name", "注册 ☃\x00 \U0001f600"),
        ("customer_external_id", "0"),
        ("click_id", "not-a-uuid"),
        ("click_id", None),
        ("customer_email", "a@b"),
        ("customer_email", '"a@b"@example.com'),
        ("customer_email", "ünï@cödé.example"),
        ("customer_avatar", "HTTP://example.com"),
        ("customer_avatar", "https://example.com/a.png?size=1#x"),
    ],
)
def test_a_value_that_may_be_valid_is_sent(name: str, value: Any) -> None:
    """The client sends each value that the service might accept, and does not change it."""
    with Server() as server, client_of(server) as client:
        assert lead(client, **{name: value})["success"] is True
        assert server.requests[0].json.get(to_camel(name)) == value


@each_operation
@pytest.mark.parametrize("empty", ["", None, type("Text", (str,), {})()])
def test_an_empty_optional_argument_is_not_sent(operation: Operation, empty: Any) -> None:
    """The client leaves an optional argument of `""` or `None` out, without a warning."""
    names = optional(operation)
    with Server() as server, client_of(server) as client:
        for name in names:
            result = track(client, operation, **{name: empty})
            assert result["success"] is True
            assert "warnings" not in result
        sent = [request.json for request in server.requests]
    assert len(sent) == len(names)
    assert not any(to_camel(name) in body for name, body in zip(names, sent))


def test_an_object_with_a_fake_class_is_rejected(offline_client: CMSClient) -> None:
    """An object that only claims to be a str or an int gives a `validation_error`."""
    result = lead(
        offline_client,
        customer_external_id=ObjectWithFakeClass(int),
        click_id=ObjectWithFakeClass(str),
    )
    assert result["type"] == "validation_error"
    fields = {detail["field"] for detail in result["details"]}
    assert fields == {"customer_external_id", "click_id"}
    result = lead(offline_client, timestamp=StrWithoutLength("2026-01-31"))
    assert [detail["field"] for detail in result["details"]] == ["timestamp"]


class _Number(IntEnum):
    SEVEN = 7


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (42, "42"),
        (0, "0"),
        (-1, "-1"),
        (10**200, "1" + "0" * 200),
        (_Number.SEVEN, "7"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ("007", "007"),
    ],
)
def test_an_id_may_be_an_int_or_a_uuid(value: Any, sent: str) -> None:
    """The client sends an int id as its digits, and a UUID in its canonical form."""
    with Server() as server, client_of(server) as client:
        assert lead(client, customer_external_id=value)["success"] is True
        assert sale(client, customer_external_id=value, invoice_id=value)["success"] is True
        ids = [(r.json["customerExternalId"], r.json.get("invoiceId")) for r in server.requests]
        assert ids == [(sent, None), (sent, sent)]
