"""The payload of a sale."""

import re
from typing import Annotated, Any, Optional

from pydantic import BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from .base import EventPayload, EventText, IdText, shape

_CURRENCY = re.compile(r"^[A-Za-z]{3}$")

# Above this, JSON numbers lose digits in many languages (RFC 8259, section 6).
_MAX_AMOUNT = 2**53 - 1


def _minor_units(value: Any) -> Any:
    if not isinstance(value, int) or isinstance(value, bool):
        raise PydanticCustomError(
            "minor_units",
            "Input should be an int in the currency's minor unit (cents): 4999 for 49 dollars and "
            "99 cents, 500 for 500 yen",
        )
    return value


Currency = Annotated[
    str,
    Field(json_schema_extra={"pattern": _CURRENCY.pattern}),
    shape(_CURRENCY, "Input should be a currency of three letters, like USD", str.upper),
]
MinorUnits = Annotated[int, Field(ge=0, le=_MAX_AMOUNT), BeforeValidator(_minor_units)]


class SalePayload(EventPayload):
    """A sale: a visitor who clicked has paid."""

    model_config = ConfigDict(defer_build=False)

    click_id: Optional[EventText] = Field(
        default=None,
        description="The click to credit. Required unless the customer has a deferred lead. "
        "1 to 255 characters.",
    )
    invoice_id: IdText = Field(
        description="Your id of the invoice or payment, by which the service deduplicates. 1 to "
        "255 characters; an int or a UUID is sent as text."
    )
    amount: MinorUnits = Field(
        description="What was paid, in the currency's minor unit: 4999 for 49.99 USD, 500 for "
        "500 JPY. 0 or more."
    )
    currency: Currency = Field(description="Three letters, like `USD`; sent in upper case.")
