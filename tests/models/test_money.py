"""Amounts of money are converted exactly, and what can't be converted is rejected."""

from contextlib import suppress
from decimal import Context, Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from iso4217 import Currency

from cutmeshort import ApiValueError, SalePayload, from_minor_units, to_minor_units

from ..support.events import SALE_PAYLOAD

LARGEST = 2**53 - 1
CURRENCIES = [currency for currency in Currency if currency.exponent is not None]
UNITS_OF_ACCOUNT = [currency for currency in Currency if currency.exponent is None]


@pytest.mark.parametrize("currency", CURRENCIES, ids=lambda currency: currency.code)
def test_the_decimal_places_are_those_of_iso_4217(currency: Currency) -> None:
    """One major unit has as many minor units as ISO 4217 says."""
    assert currency.exponent is not None
    assert to_minor_units(1, currency.code) == 10**currency.exponent
    assert from_minor_units(1, currency.code) == Decimal(1).scaleb(-currency.exponent)


@pytest.mark.parametrize("currency", UNITS_OF_ACCOUNT, ids=lambda currency: currency.code)
def test_a_code_without_a_minor_unit_is_rejected(currency: Currency) -> None:
    """Both functions reject a code that has no minor unit in ISO 4217, and name it."""
    for convert in (to_minor_units, from_minor_units):
        with pytest.raises(ApiValueError, match=f"minor unit, which {currency.code} does not"):
            convert(1, currency.code.lower())


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        (Decimal("49.99"), "USD", 4999),
        (Decimal("49.99"), "usd", 4999),
        (Decimal("49.9900"), "USD", 4999),
        (Decimal("4.2E+1"), "USD", 4200),
        (Decimal("90071992547409.91"), "USD", LARGEST),
        (Decimal("-0.00"), "USD", 0),
        (Decimal("0E+99999999"), "USD", 0),
        (Decimal("0E-99999999"), "USD", 0),
        ("49.99", "USD", 4999),
        ("007.5", "USD", 750),
        ("0", "USD", 0),
        (49, "USD", 4900),
        (0, "USD", 0),
        (500, "JPY", 500),
        (Decimal("500.00"), "JPY", 500),
        ("0.001", "KWD", 1),
        ("1.2345", "CLF", 12345),
        ("1.5", "QQQ", 150),  # not in ISO 4217
    ],
)
def test_an_amount_becomes_minor_units(amount: Any, currency: str, expected: int) -> None:
    """The conversion has the exact amount, which the SDK accepts."""
    converted = to_minor_units(amount, currency)
    assert (converted, type(converted)) == (expected, int)
    sale = SalePayload.from_dict({**SALE_PAYLOAD, "amount": converted, "currency": currency})
    assert sale.amount == expected


WRITE_DECIMAL = r'write Decimal\("49.99"\) or "49.99"'
PLAIN = 'number like "49.99": digits'
TOO_LARGE = r"at most 2\*\*53 - 1 in the minor unit"
FINITE = r'finite, like Decimal\("49.99"\)'
NEGATIVE = r'0 or more, like Decimal\("49.99"\)'
CODE = 'three-letter code, like "USD"'


@pytest.mark.parametrize(
    ("amount", "currency", "advice"),
    [
        (49.99, "USD", f"not a float: {WRITE_DECIMAL}"),
        (49.0, "USD", WRITE_DECIMAL),
        (True, "USD", WRITE_DECIMAL),
        (None, "USD", WRITE_DECIMAL),
        (b"49.99", "USD", WRITE_DECIMAL),
        (Decimal("NaN"), "USD", FINITE),
        (Decimal("sNaN"), "USD", FINITE),
        (Decimal("Infinity"), "USD", FINITE),
        (Decimal("-0.01"), "USD", NEGATIVE),
        ("-49.99", "USD", NEGATIVE),
        (-(10**5000), "USD", NEGATIVE),
        (Decimal("49.999"), "USD", r'USD has \(2\): round .*quantize\(Decimal\("0.01"\)\)'),
        ("49.5", "JPY", r'JPY has \(0\): round .*quantize\(Decimal\("1"\)\)'),
        ("0.0001", "KWD", r'KWD has \(3\): round .*quantize\(Decimal\("0.001"\)\)'),
        ("0.00001", "CLF", r'CLF has \(4\): round .*quantize\(Decimal\("0.0001"\)\)'),
        (Decimal("1E-99999999"), "USD", "decimal places"),
        (Decimal(f"1.{'0' * 60}1"), "USD", "decimal places"),
        (Decimal("90071992547409.92"), "USD", TOO_LARGE),
        (LARGEST + 1, "JPY", TOO_LARGE),
        (10**5000, "USD", TOO_LARGE),
        (Decimal("1E+99999999"), "USD", TOO_LARGE),
        ("9" * 100, "USD", TOO_LARGE),
        ("", "USD", PLAIN),
        (" 49.99", "USD", PLAIN),
        ("49,99", "USD", PLAIN),
        ("$49.99", "USD", PLAIN),
        ("1e2", "USD", PLAIN),
        ("1_000", "USD", PLAIN),
        ("49.", "USD", PLAIN),
        ("NaN", "USD", PLAIN),
        ("١٢", "USD", PLAIN),
        ("9" * 101, "USD", PLAIN),
        (1, "", CODE),
        (1, "US", CODE),
        (1, "USD\n", CODE),
        (1, "ÜSD", CODE),
        (1, None, CODE),
        (1, 840, CODE),
    ],
    ids=lambda value: f"{value.bit_length()} bits" if type(value) is int else repr(value)[:20],
)
def test_what_is_not_exact_is_rejected_with_advice(amount: Any, currency: Any, advice: str) -> None:
    """An amount or a currency that can't be converted raises an error that says what to write."""
    with pytest.raises(ApiValueError, match=advice) as caught:
        to_minor_units(amount, currency)
    assert caught.value.argument in ("amount", "currency")
    assert str(caught.value).startswith(f"{caught.value.argument} must ")


@pytest.mark.parametrize("amount", [Decimal("73.517"), "-73.5", "73,51", 73.51])
def test_a_message_does_not_show_the_amount(amount: Any) -> None:
    """The message, which may be logged, does not contain the rejected amount."""
    with pytest.raises(ApiValueError) as caught:
        to_minor_units(amount, "USD")
    assert "73" not in str(caught.value)


@pytest.mark.parametrize("amount", [-1, LARGEST + 1, 1.0, True, "1", Decimal(1), None])
def test_only_an_int_in_range_is_converted_back(amount: Any) -> None:
    """`from_minor_units` rejects all amounts that `track_sale` would reject."""
    with pytest.raises(ApiValueError, match="int in the minor unit") as caught:
        from_minor_units(amount, "USD")
    assert caught.value.argument == "amount"


@given(st.integers(0, LARGEST), st.sampled_from([currency.code for currency in CURRENCIES]))
def test_both_conversions_are_exact(amount: int, currency: str) -> None:
    """A conversion to the major unit and back yields the same int, whatever the context is."""
    with localcontext(Context(prec=2)):
        major = from_minor_units(amount, currency)
        assert to_minor_units(major, currency) == amount
        assert to_minor_units(str(major), currency) == amount


@given(
    st.decimals(min_value=0, allow_nan=False, allow_infinity=False),
    st.sampled_from(["JPY", "USD", "KWD"]),
)
def test_an_amount_is_never_rounded(amount: Decimal, currency: str) -> None:
    """A Decimal either is converted to the same amount or is rejected."""
    try:
        converted = to_minor_units(amount, currency)
    except ApiValueError:
        return
    assert from_minor_units(converted, currency) == amount


@given(st.text() | st.floats() | st.binary() | st.none(), st.text(max_size=4))
def test_nothing_but_an_api_value_error_is_raised(amount: Any, currency: str) -> None:
    """Any other argument raises no error of another type."""
    for convert in (to_minor_units, from_minor_units):
        with suppress(ApiValueError):
            convert(amount, currency)
