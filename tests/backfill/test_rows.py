"""How rows become events."""

import json
from typing import Any

import pytest

from cutmeshort import ApiValueError
from cutmeshort.outbox.backfill import RowOptions
from cutmeshort.outbox.backfill.files import Row
from cutmeshort.outbox.backfill.rows import Converter

from .files import SALE

LEAD = {
    "event_name": "Sign up",
    "customer_external_id": "user_1",
    "timestamp": "2026-01-31T12:00:00Z",
    "click_id": "click_1",
}


def convert(values: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Convert one valid row, and return the body of its event with its operation."""
    converted = Converter(RowOptions(**options), None).convert(Row(1, None, values))
    assert converted.event is not None, converted.error
    return {"operation": converted.event.operation, **json.loads(converted.event.body)}


def error_of(values: dict[str, Any], **options: Any) -> str:
    """Convert one invalid row, and return why it is not valid."""
    converted = Converter(RowOptions(**options), None).convert(Row(1, None, values))
    assert converted.event is None
    return converted.error


def test_a_sale_has_all_fields() -> None:
    """The columns of a sale become the fields of the event; a decimal string is the amount."""
    event = convert(SALE)
    assert event == {
        "operation": "track_sale",
        "eventName": "Purchase",
        "customerExternalId": "user_1",
        "invoiceId": "inv_1",
        "amount": 4999,
        "currency": "EUR",
        "timestamp": "2026-01-31T12:00:00Z",
        "clickId": "click_1",
    }


def test_camel_case_is_accepted() -> None:
    """Columns may have the names of the wire, and values may be numbers."""
    camel = {"eventName": "Buy", "customerExternalId": 7, "invoiceId": 8, "clickId": "c"}
    other = {"amount": 1, "currency": "usd", "timestamp": "2026-01-31T12:00:00Z"}
    event = convert({**camel, **other})
    assert event["customerExternalId"] == "7"
    assert event["currency"] == "USD"


@pytest.mark.parametrize(
    ("values", "options", "operation"),
    [
        (LEAD, {}, "track_lead"),
        (SALE, {}, "track_sale"),
        ({**SALE, "mode": ""}, {}, "track_sale"),
        (SALE, {"event": "lead"}, "track_lead"),
        (LEAD, {"constants": {"currency": "EUR"}}, "track_lead"),
    ],
)
def test_the_fields_decide_what_a_row_is(
    values: dict[str, Any], options: Any, operation: str
) -> None:
    """A row with a field of sales is a sale, unless an option says otherwise."""
    assert convert(values, **options)["operation"] == operation


@pytest.mark.parametrize("missing", ["invoice_id", "amount", "currency"])
def test_an_incomplete_sale_is_not_a_lead(missing: str) -> None:
    """A sale that lacks a field is rejected instead of being sent as a lead."""
    values = {name: value for name, value in SALE.items() if name != missing}
    assert error_of(values) == f"{missing}: a value is required"


def test_columns_and_constants_are_used() -> None:
    """`columns` names the column of a field, and `constants` takes precedence over a column."""
    event = convert(
        {**LEAD, "Email": "a@b.example"},
        columns={"customer_email": "Email", "customer_external_id": "Email"},
        constants={"event_name": "Demo"},
    )
    assert event["customerEmail"] == event["customerExternalId"] == "a@b.example"
    assert event["eventName"] == "Demo"


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        ("49.99", "USD", 4999),
        ("500", "JPY", 500),
        ("1.234", "KWD", 1234),
        (49, "EUR", 4900),
        ("0", "eur", 0),
    ],
)
def test_major_units_are_converted(amount: Any, currency: str, expected: int) -> None:
    """An amount in the major unit is converted exactly, with the row's currency."""
    event = convert({**SALE, "amount": amount, "currency": currency}, major_units=True)
    assert event["amount"] == expected


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({"amount": "1,299.00"}, {"major_units": True}, "amount must be a number like"),
        ({"amount": "49,99"}, {"major_units": True}, "amount must be a number like"),
        ({"amount": "4.999"}, {"major_units": True}, "amount must not have more decimal places"),
        ({"currency": "€"}, {"major_units": True}, "currency must be a three-letter code"),
        ({"amount": "-1"}, {"major_units": True}, "amount must be 0 or more"),
        ({"amount": "49.99"}, {}, "for amounts like 49.99, use --major-units"),
        ({"amount": True}, {}, "amount: Input should be an int"),
        ({"amount": "9" * 16}, {}, "amount: Input should be less than or equal to"),
        ({"currency": "euro"}, {}, "currency: Input should be a three-letter currency code"),
        ({"timestamp": "31.01.2026"}, {}, "timestamp: Input should be a datetime or an ISO 8601"),
        ({"timestamp": ""}, {}, "timestamp: a value is required"),
        ({"timestamp": None}, {}, "timestamp: a value is required"),
        ({"timestamp": 1769860800}, {}, "timestamp: Input should be a datetime or an ISO 8601"),
        ({"invoice_id": "", "event_name": ""}, {}, "event_name: a value is required; invoice_id: "),
        ({"event_name": "x" * 256}, {}, "event_name: String should have at most 255"),
        ({"customer_external_id": {"id": 1}}, {}, "customer_external_id: Input should be a str"),
    ],
    ids=str,
)
def test_an_invalid_row_is_rejected_without_its_values(
    changes: dict[str, Any], options: Any, message: str
) -> None:
    """The reason names the field, and contains no value of the row."""
    error = error_of({**SALE, **changes}, **options)
    assert message in error
    for value in {**SALE, **changes}.values():
        if isinstance(value, str) and len(value) > 4 and value != "49.99":
            assert value not in error


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31", "2026-01-31T00:00:00Z"),
        ("2026-01-31T12:00:00+01:00", "2026-01-31T12:00:00+01:00"),
        ("2026-01-31 12:00:00", "2026-01-31T12:00:00Z"),
        ("2026-01-31 12:00:00 +0100", "2026-01-31T12:00:00+01:00"),
        ("2026-01-31 12:00:00 UTC", "2026-01-31T12:00:00Z"),
        ("2026-01-31 12:00 -05:00", "2026-01-31T12:00:00-05:00"),
    ],
)
def test_a_timestamp_is_read(text: str, expected: str) -> None:
    """Timestamps are ISO 8601, or have spaces between date, time and offset, as shops export."""
    assert convert({**LEAD, "timestamp": text})["timestamp"] == expected


def test_now_applies_to_rows_without_a_timestamp() -> None:
    """With `now`, a row without a timestamp gets the current time, and others keep theirs."""
    assert convert({**LEAD, "timestamp": ""}, now=True)["timestamp"] > "2026"
    assert convert(LEAD, now=True)["timestamp"] == LEAD["timestamp"]


def test_an_invalid_email_address_is_left_out() -> None:
    """As in a call, an invalid name, email or avatar is left out of the event, and counted."""
    converter = Converter(RowOptions(), None)
    for email in ("ann at example", "ann@example.com", "ann"):
        row = Row(1, None, {**LEAD, "customer_email": email, "timestamp": "2026-01-31"})
        assert converter.convert(row).event is not None
    second, first = sorted(converter.warnings.items())
    assert first[0].startswith("timestamp: The timestamp has no UTC offset")
    assert second[0].startswith("customer_email: Left out of the event")
    assert [first[1], second[1]] == [3, 2]


def test_a_row_without_a_click_is_counted() -> None:
    """A row without a click id is valid, as the customer may have a deferred lead."""
    converter = Converter(RowOptions(), None)
    assert converter.convert(Row(1, None, {**LEAD, "click_id": ""})).event is not None
    ((message, number),) = converter.warnings.items()
    assert (message.startswith("click_id: Not set"), number) == (True, 1)


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        (list(LEAD)[1:], {}, "no column for event_name, which a lead needs: name the column with "),
        ([*LEAD, "amount"], {}, "no column for invoice_id, currency, which a sale needs"),
        (list(LEAD)[:2], {}, "no column for timestamp, which a lead needs"),
        (list(LEAD)[:2], {}, "With --now, events without a timestamp are recorded as of today"),
        ([*LEAD, "click_id"], {}, "there are two columns 'click_id'"),
        (
            list(LEAD),
            {"columns": {"click_id": "Click"}},
            "there is no column 'Click' for click_id; the columns are: event_name, customer",
        ),
    ],
)
def test_columns_are_checked_before_the_rows(
    columns: list[str], options: Any, message: str
) -> None:
    """A column that is missing, or exists twice, is reported with what to do."""
    with pytest.raises(ApiValueError) as caught:
        Converter(RowOptions(**options), columns)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("columns", "options"),
    [
        ([*LEAD, "note", "note", ""], {}),
        (list(LEAD)[:2], {"now": True}),
        (list(LEAD)[:2], {"constants": {"timestamp": "2026-01-31"}}),
        ([*LEAD, "amount"], {"event": "lead"}),
        (
            ["Buyer", *list(LEAD)[2:]],
            {"columns": {"customer_external_id": "Buyer"}, "constants": {"event_name": "x"}},
        ),
    ],
)
def test_columns_that_suffice_are_accepted(columns: list[str], options: Any) -> None:
    """Unused columns may exist twice, and options replace columns."""
    Converter(RowOptions(**options), columns)


def test_ignored_columns_are_named() -> None:
    """The columns that are not used are noted, except those of a file of rejected rows."""
    converter = Converter(RowOptions(columns={"click_id": "Click"}), None)
    own = {"cutmeshort_line": 1, "cutmeshort_error": "x", "cutmeshort_text": "y"}
    converter.convert(Row(1, None, {**LEAD, **own, "Click": "c", "Note": "n"}))
    assert converter.ignored == {"Note", "click_id"}
