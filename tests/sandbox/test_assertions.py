"""`assert_lead` and `assert_sale`."""

import inspect
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from typing_extensions import get_type_hints

from cutmeshort import CMSClient
from cutmeshort.operations import Operation
from cutmeshort.sandbox import Sandbox
from cutmeshort.sandbox.comparison import explain_inequality

from ..support.events import lead, sale
from ..support.operations import arguments, each_operation, full, payloads
from .helpers import post

NOON = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)


def failure(check: Any, **fields: Any) -> list[str]:
    """Return the lines of the message of a check that fails."""
    with pytest.raises(AssertionError) as caught:
        check(**fields)
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"amount": 4999},
        {"currency": "usd"},
        {"currency": "USD", "click_id": "click_1", "event_name": "Purchase"},
        {"customer_external_id": 42},
        {"invoice_id": UUID(int=7)},
        {"timestamp": "2026-01-31T13:00:00+01:00"},
        {"timestamp": datetime(2026, 1, 31, 12)},
        {"timestamp": NOON.astimezone(timezone(timedelta(hours=5)))},
        {"customer_name": None},
        {"customer_email": ""},
    ],
    ids=str,
)
def test_the_expected_values_are_converted_as_in_a_call(
    fields: Any, sandbox: Sandbox, client: CMSClient
) -> None:
    """`assert_sale` returns the sale that has the given fields, in any form that a call accepts."""
    sale(client, customer_external_id=42, invoice_id=UUID(int=7), timestamp=NOON)
    assert sandbox.assert_sale(**fields) == sandbox.sales[0]


def test_the_first_event_that_matches_is_returned(sandbox: Sandbox, client: CMSClient) -> None:
    """One matching event among others is enough."""
    for number, amount in enumerate((1, 2, 2)):
        sale(client, invoice_id=number, amount=amount)
    assert sandbox.assert_sale(amount=2).invoice_id == "1"
    lead(client, mode="deferred")
    assert sandbox.assert_lead(mode="deferred", event_name="Sign up") == sandbox.leads[0]
    assert "#0 click_id: recorded 'click_1', expected nothing" in failure(
        sandbox.assert_lead, click_id=None
    )


def test_a_failure_shows_the_differences_of_the_closest_events(
    sandbox: Sandbox, client: CMSClient
) -> None:
    """The message has the differing fields of the three closest events and counts the others."""
    for number in range(4):
        sale(client, invoice_id=number, amount=49, timestamp=NOON)
    sale(client, invoice_id=4, amount=49)
    assert failure(sandbox.assert_sale, amount=4999, timestamp=NOON, currency="usd") == [
        "no recorded sale has amount=4999, timestamp=2026-01-31T12:00:00+00:00, currency='USD'",
        "#0 amount: recorded 49, expected 4999",
        "#1 amount: recorded 49, expected 4999",
        "#2 amount: recorded 49, expected 4999",
        "and 2 more sales that differ",
    ]
    sandbox.reset()
    sale(client, amount=49)
    sale(client, invoice_id="x", customer_external_id="y", amount=49)
    assert failure(sandbox.assert_sale, invoice_id="x", customer_external_id="z", amount=49) == [
        "no recorded sale has invoice_id='x', customer_external_id='z', amount=49",
        "#1 customer_external_id: recorded 'y', expected 'z'",
        "#0 invoice_id: recorded 'inv_1', expected 'x'",
        "#0 customer_external_id: recorded 'user_42', expected 'z'",
    ]


def test_a_failure_shows_what_was_rejected(sandbox: Sandbox, client: CMSClient) -> None:
    """The message has the newest five requests that failed, with the reasons."""
    post(sandbox, {})
    sandbox.fail_next(4, status=503)
    for _ in range(4):
        lead(client, max_retries=0)
    lead(client, click_id=None)
    lead(client)
    lines = failure(sandbox.assert_sale)
    assert lines[:2] == ["no sale was recorded", "the newest requests that failed:"]
    assert len(lines) == 7
    assert [line.split(":")[0] for line in lines[2:]] == [
        *["track_lead 503 service_unavailable"] * 4,
        "track_lead 422 unprocessable_entity",
    ]


def test_a_failure_without_requests_says_what_to_check(sandbox: Sandbox) -> None:
    """If no request arrived, the message points to the client and to the result of the call."""
    first, advice = failure(sandbox.assert_lead, customer_external_id=1)
    assert first == "no recorded lead has customer_external_id='1'"
    assert advice.startswith("The sandbox received no request.")


def test_a_misspelt_field_is_a_type_error(sandbox: Sandbox) -> None:
    """The error for a field that does not exist lists those that do."""
    check: Any = sandbox.assert_lead
    with pytest.raises(TypeError, match="no field amount, customer; it has: event_name, "):
        check(customer="user_42", amount=1)
    with pytest.raises(TypeError, match="positional argument"):
        check("Sign up")


def test_a_value_that_no_event_can_have_is_a_validation_error(sandbox: Sandbox) -> None:
    """An expected value that a call would reject is an error of the test."""
    check: Any = sandbox.assert_sale
    with pytest.raises(ValidationError, match=r"amount\n.*cents"):
        check(amount=49.99)


def check_of(sandbox: Any, operation: Operation) -> Any:
    """Return the method that checks the events of an operation, such as `assert_lead`."""
    return getattr(sandbox, f"assert_{operation.event}")


@each_operation
def test_the_keyword_arguments_are_the_fields_of_the_model(operation: Operation) -> None:
    """The types for editors have the fields of the models, which have the types of a call."""
    (typed_dict,) = get_type_hints(check_of(Sandbox, operation))["fields"].__args__
    hints = get_type_hints(typed_dict)
    assert hints.keys() == operation.request_model.model_fields.keys()
    arguments = inspect.signature(getattr(CMSClient, operation.name)).parameters
    assert hints == {field: arguments[field].annotation for field in hints}


@each_operation
def test_an_event_is_found_by_any_one_of_its_fields(
    operation: Operation, sandbox: Sandbox, client: CMSClient
) -> None:
    """A check needs none of the other fields, not even those that a call requires."""
    find, event = check_of(sandbox, operation), full(operation)
    assert getattr(client, operation.name)(**event)["success"]
    for field, value in event.items():
        assert find(**{field: value}) == operation.request_model.from_dict(event)


@each_operation
def test_every_event_matches_its_own_arguments(
    operation: Operation, sandbox: Sandbox, client: CMSClient
) -> None:
    """An event that was recorded is found by exactly the arguments of the call."""
    find = check_of(sandbox, operation)

    @settings(max_examples=50)
    @given(arguments(operation))
    def check(given: dict[str, Any]) -> None:
        sandbox.reset()
        assert getattr(client, operation.name)(**given)["success"]
        assert find(**given) == operation.request_model.from_dict(given)

    check()


@each_operation
def test_a_difference_is_shown_only_if_there_is_one(operation: Operation) -> None:
    """Two lists of payloads are unequal if, and only if, there is a line that says why."""
    lists = st.lists(payloads(operation), max_size=3)

    @settings(max_examples=50)
    @given(lists, lists, st.booleans())
    def check(recorded: list[Any], other: list[Any], same: bool) -> None:
        expected = [each.model_copy() for each in recorded] if same else other
        assert bool(explain_inequality(recorded, expected)) == (recorded != expected)

    check()
