"""The payload of a sale."""

from typing import Optional

from pydantic import ConfigDict, Field

from .base import EventPayload
from .fields import Currency, IdText, MinorUnits, RequiredText


class SalePayload(EventPayload):
    """A sale: a visitor who clicked a link paid."""

    model_config = ConfigDict(defer_build=False)

    click_id: Optional[RequiredText] = Field(
        default=None,
        description="The id of the click to credit. Required unless the customer has a deferred "
        "lead. 1 to 255 characters.",
    )
    invoice_id: IdText = Field(
        description="Your own id for the invoice or payment; the service deduplicates sales by it. "
        "1 to 255 characters; an int or a UUID is sent as a string."
    )
    amount: MinorUnits = Field(
        description="The amount paid, in the currency's minor unit: 4999 for 49.99 USD, 500 for "
        "500 JPY. 0 to 2**53 - 1."
    )
    currency: Currency = Field(description="Three-letter code, like `USD`; sent in upper case.")
