"""The payload of a sale."""

from typing import Optional

from pydantic import ConfigDict, Field

from .base import EventPayload
from .fields import Currency, EventText, IdText, MinorUnits


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
