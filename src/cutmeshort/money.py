"""Exact conversion of amounts of money between a currency's major unit and its minor unit."""

import re
from decimal import Decimal
from fractions import Fraction
from typing import Union

from .exceptions import ApiValueError
from .models.fields import MAX_AMOUNT

# The currencies of ISO 4217 (January 2026) that do not have two decimal places. The packages
# Babel and stockholm differ: Babel has 0 places for IQD, MGA and RSD, stockholm 2 for BHD and BIF.
_DECIMAL_PLACES = {
    **dict.fromkeys(["BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF"], 0),
    **dict.fromkeys(["UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"], 0),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
    **dict.fromkeys(["CLF", "UYW"], 4),
}
# Metals, units of account, and the codes for tests and for no currency.
_WITHOUT_MINOR_UNIT = frozenset(
    ["XAG", "XAU", "XBA", "XBB", "XBC", "XBD", "XDR", "XPD", "XPT", "XSU", "XTS", "XUA", "XXX"]
)
_NUMBER = re.compile(r"-?[0-9]{1,100}(\.[0-9]{1,100})?")


def to_minor_units(amount: Union[Decimal, int, str], currency: str) -> int:
    """
    Convert an amount to the currency's minor unit, the unit of `amount` in `track_sale`.

    The conversion is exact: `to_minor_units(Decimal("49.99"), "USD")` is 4999, and
    `to_minor_units(500, "JPY")` is 500. The decimal places are those of ISO 4217; a code that is
    not in ISO 4217 is assumed to have two.

    Args:
        amount: The amount in the major unit, such as dollars: a Decimal, an int, or a str like
            "49.99". 0 or more.
        currency: Three-letter code, like "USD", in upper or lower case.

    Returns:
        The amount in the minor unit, such as cents: 0 to 2**53 - 1.

    Raises:
        ApiValueError: The amount is a float, negative, not finite or too large, or has more decimal
            places than the currency; or the currency is not a three-letter code, or has no minor
            unit. The message says what to pass; it does not show the amount.
    """
    places = _decimal_places(currency)
    number = _read_number(amount)
    if not number:
        return 0
    if number < 0:
        raise ApiValueError('amount must be 0 or more, like Decimal("49.99")', "amount")
    # The checks of the exponent come first, because a huge one needs a lot of memory in Fraction.
    if number.adjusted() + places > len(str(MAX_AMOUNT)):
        raise _too_large()
    if number.adjusted() >= -places:
        minor_units = Fraction(number) * 10**places
        if minor_units.denominator == 1:
            if minor_units > MAX_AMOUNT:
                raise _too_large()
            return int(minor_units)
    step = f"0.{'1':0>{places}}" if places else "1"
    raise ApiValueError(
        f"amount must not have more decimal places than {currency.upper()} has ({places}): "
        f'round it first, for example with Decimal(amount).quantize(Decimal("{step}"))',
        "amount",
    )


def from_minor_units(amount: int, currency: str) -> Decimal:
    """
    Convert an amount in the currency's minor unit to its major unit.

    `from_minor_units(4999, "USD")` is `Decimal("49.99")`. It is the inverse of `to_minor_units`.

    Args:
        amount: The amount in the minor unit, such as cents: 0 to 2**53 - 1.
        currency: Three-letter code, like "USD", in upper or lower case.

    Returns:
        The amount in the major unit, with as many decimal places as the currency has.

    Raises:
        ApiValueError: The amount is not an int in that range; or the currency is not a three-letter
            code, or has no minor unit.
    """
    places = _decimal_places(currency)
    if not isinstance(amount, int) or isinstance(amount, bool) or not 0 <= amount <= MAX_AMOUNT:
        raise ApiValueError("amount must be an int in the minor unit, 0 to 2**53 - 1", "amount")
    return Decimal((0, tuple(map(int, str(int(amount)))), -places))


def _decimal_places(currency: str) -> int:
    if not isinstance(currency, str) or not re.fullmatch("[A-Za-z]{3}", currency):
        raise ApiValueError('currency must be a three-letter code, like "USD"', "currency")
    code = currency.upper()
    if code in _WITHOUT_MINOR_UNIT:
        raise ApiValueError(
            f"currency must have a minor unit, which {code} does not have in ISO 4217: convert the "
            'amount to the currency that was paid, like "USD"',
            "currency",
        )
    return _DECIMAL_PLACES.get(code, 2)


def _read_number(amount: Union[Decimal, int, str]) -> Decimal:
    if isinstance(amount, str):
        if not _NUMBER.fullmatch(amount):
            raise ApiValueError(
                'amount must be a number like "49.99": digits and at most one decimal point, '
                "without spaces, separators or a currency sign",
                "amount",
            )
        return Decimal(amount)
    if isinstance(amount, int) and not isinstance(amount, bool):
        if amount > MAX_AMOUNT:  # the conversion of a huge int takes seconds
            raise _too_large()
        return Decimal(max(amount, -1))
    if not isinstance(amount, Decimal):
        raise ApiValueError(
            f"amount must be a Decimal, an int or a str, not a {type(amount).__name__}: write "
            'Decimal("49.99") or "49.99"',
            "amount",
        )
    if not amount.is_finite():
        raise ApiValueError('amount must be finite, like Decimal("49.99")', "amount")
    return amount


def _too_large() -> ApiValueError:
    return ApiValueError("amount must be at most 2**53 - 1 in the minor unit", "amount")
