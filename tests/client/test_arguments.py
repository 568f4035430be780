"""Arguments of the facade: what is sent, what is refused, and how."""

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
from ..support.hostile import ClaimsClass, TextWithoutLength
from ..support.operations import each_operation, optional, track
from ..support.server import Server


class Huge(int):
    """An int whose digits pytest does not put into the test's name."""

    def __repr__(self) -> str:
        return "huge"


LONG = "x" * 256


REFUSED = [
    ("event_name", "", "at least 1 character"),
    ("event_name", LONG, "at most 255 characters"),
    ("event_name", None, "valid string"),
    ("event_name", b"Sign up", "valid string"),
    ("event_name", 7, "valid string"),
    ("event_name", "\ud800", "valid string"),
    ("customer_external_id", "", "at least 1 character"),
    ("customer_external_id", LONG, "at most 255 characters"),
    ("customer_external_id", None, "a str, an int or a UUID"),
    ("customer_external_id", True, "a str, an int or a UUID"),
    ("customer_external_id", 42.0, "a str, an int or a UUID"),
    ("customer_external_id", 10**255, "at most 255 characters"),
    ("customer_external_id", Huge(10**10_000), "at most 255 digits"),
    ("click_id", LONG, "at most 255 characters"),
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
    ("invoice_id", LONG, "at most 255 characters"),
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


REFUSALS = [
    (operation, name, value, says)
    for operation in OPERATIONS
    for name, value, says in REFUSED
    if name in operation.request_model.model_fields
]


@pytest.mark.parametrize(("operation", "name", "value", "says"), REFUSALS)
def test_a_refused_argument_is_named(
    operation: Operation, name: str, value: Any, says: str, nowhere: CMSClient
) -> None:
    """A value that can't be right is refused with its argument's name and what is expected."""
    _assert_refused(track(nowhere, operation, **{name: value}), name, says, value)


@each_operation
def test_each_argument_has_values_that_are_refused(operation: Operation) -> None:
    """REFUSED above, or DROPPABLE_FIELDS for what is left out instead, has each field."""
    tested = {name for name, _, _ in REFUSED} | set(DROPPABLE_FIELDS)
    missing = operation.request_model.model_fields.keys() - tested
    assert not missing, "add values that are refused to REFUSED"


@pytest.mark.parametrize("click_id", [None, ""])
def test_a_deferred_lead_needs_a_click(click_id: Any, nowhere: CMSClient) -> None:
    """With `mode="deferred"`, a missing `click_id` is refused."""
    result = lead(nowhere, mode="deferred", click_id=click_id)
    _assert_refused(result, "click_id", 'required with mode="deferred"', None)


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
def test_a_refused_option_is_named(
    operation: Operation, name: str, value: Any, nowhere: CMSClient
) -> None:
    """A timeout or number of retries that can't be used is refused like any other argument."""
    result = track(nowhere, operation, **{name: value})
    assert result["type"] == "validation_error"
    assert result["error"].startswith(f"{name} must be")
    assert result["details"] == [{"field": name, "message": result["error"]}]


def _assert_refused(result: Any, name: str, says: str, value: Any) -> None:
    (detail,) = result["details"]
    assert detail["field"] == name
    assert says in detail["message"]
    assert result == {
        "success": False,
        "error": f"{name}: {detail['message']}",
        "status_code": 422,
        "type": "validation_error",
        "retryable": False,
        "attempts": 0,
        "details": [detail],
    }
    if isinstance(value, str) and len(value) > 3 and value not in says:
        assert value not in result["error"]


def test_several_refused_arguments_are_named_at_once(nowhere: CMSClient) -> None:
    """One result names everything that is wrong."""
    wrong = {
        "event_name": "",
        "amount": 49.99,
        "currency": "dollars",
        "timeout": 0,
        "max_retries": -1,
    }
    result = sale(nowhere, **wrong)
    assert {detail["field"] for detail in result["details"]} == set(wrong)
    assert all(name in result["error"] for name in wrong)


@each_operation
def test_an_unknown_keyword_is_a_type_error(operation: Operation, nowhere: CMSClient) -> None:
    """A misspelt argument is a TypeError, as in any function."""
    with pytest.raises(TypeError, match="custmer_name"):
        track(nowhere, operation, custmer_name="Ann")


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
def test_a_value_that_may_be_right_is_sent(name: str, value: Any) -> None:
    """Nothing that the service might accept is refused or changed."""
    with Server() as server, client_of(server) as client:
        assert lead(client, **{name: value})["success"] is True
        assert server.requests[0].json.get(to_camel(name)) == value


@each_operation
@pytest.mark.parametrize("empty", ["", None, type("Text", (str,), {})()])
def test_an_empty_optional_argument_is_not_set(operation: Operation, empty: Any) -> None:
    """`""` and `None` in an optional argument are not sent, and no reason for a warning."""
    names = optional(operation)
    with Server() as server, client_of(server) as client:
        for name in names:
            result = track(client, operation, **{name: empty})
            assert result["success"] is True
            assert "warnings" not in result
        sent = [request.json for request in server.requests]
    assert len(sent) == len(names)
    assert not any(to_camel(name) in body for name, body in zip(names, sent))


def test_an_object_that_claims_another_class_is_refused_like_any_other(nowhere: CMSClient) -> None:
    """An object that only claims to be a str or an int is a `validation_error`."""
    result = lead(nowhere, customer_external_id=ClaimsClass(int), click_id=ClaimsClass(str))
    assert result["type"] == "validation_error"
    fields = {detail["field"] for detail in result["details"]}
    assert fields == {"customer_external_id", "click_id"}
    result = lead(nowhere, timestamp=TextWithoutLength("2026-01-31"))
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
def test_an_id_may_be_a_primary_key(value: Any, sent: str) -> None:
    """Ids are sent as text: an int in digits, a UUID in its usual form."""
    with Server() as server, client_of(server) as client:
        assert lead(client, customer_external_id=value)["success"] is True
        assert sale(client, customer_external_id=value, invoice_id=value)["success"] is True
        ids = [(r.json["customerExternalId"], r.json.get("invoiceId")) for r in server.requests]
        assert ids == [(sent, None), (sent, sent)]
