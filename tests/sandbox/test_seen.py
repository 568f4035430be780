"""The values of a request as the page shows them."""

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from cutmeshort.operations import TRACK_SALE
from cutmeshort.sandbox.state.exchanges import Body, Exchange
from cutmeshort.sandbox.view.seen import decimal_places, read_exchange, to_text


def _read(body: bytes) -> Any:
    arrived = datetime(2026, 11, 26, tzinfo=timezone.utc)
    return read_exchange(Exchange("req_1", TRACK_SALE, "POST", (), arrived, Body(body, len(body))))


@pytest.mark.parametrize(
    ("json", "name", "value"),
    [
        (b'{"customerExternalId": 42}', "customer", "42"),
        (b'{"invoiceId": 7}', "invoice", "7"),
        (b'{"customerExternalId": true}', "customer", None),
        (b'{"eventName": ""}', "event", None),
        (b'{"eventName": "%s"}' % (b"x" * 300), "event", "x" * 255),
        (b'{"amount": "49.99"}', "amount", None),
        (b'{"amount": true}', "amount", None),
        (b'{"amount": 4999}', "amount", 4999),
        (b'{"amount": -1}', "amount", None),
        (b'{"amount": 9007199254740991}', "amount", 2**53 - 1),
        (b'{"amount": 9007199254740992}', "amount", None),
        (b'{"currency": "eur"}', "currency", "EUR"),
        (b'{"currency": 1}', "currency", None),
        (b'{"invoiceId": 7}', "key", ("7",)),
        (b'{"invoiceId": [7]}', "key", (None,)),
        (b'["eventName"]', "event", None),
        (b"not JSON", "event", None),
    ],
)
def test_a_value_of_another_type_is_missing(json: bytes, name: str, value: Any) -> None:
    """A value is read if it has its type, or is an integer as an id; else it is None."""
    assert getattr(_read(json), name) == value


@pytest.mark.parametrize(
    ("currency", "places"),
    [
        ("USD", 2),
        ("JPY", 0),
        ("KWD", 3),
        ("CLF", 4),
        ("XAU", None),
        ("DOLLARS", None),
        (None, None),
    ],
)
def test_a_currency_has_its_decimal_places(currency: Any, places: Any) -> None:
    """The decimal places are those of ISO 4217; a code without a minor unit has none."""
    assert decimal_places(currency) == places


def test_a_time_is_shown_in_utc() -> None:
    """A time with any offset is shown in UTC, with milliseconds."""
    time = datetime(2026, 11, 26, 1, 2, 3, 4567, timezone(timedelta(hours=2)))
    assert to_text(time) == "2026-11-25T23:02:03.004Z"
    assert to_text(time.astimezone(timezone.utc)) == "2026-11-25T23:02:03.004Z"
