"""Track a sale twice: the service deduplicates by invoice id and counts it once."""

from decimal import Decimal
from fractions import Fraction

from service import new_id, service

from cutmeshort import CMSClient


def to_cents(price: Decimal) -> int:
    """Convert a price in dollars to cents, the unit of `amount`. Reject fractions of a cent."""
    cents = Fraction(price) * 100  # exact: a Decimal may round
    if cents.denominator != 1:
        raise ValueError(f"{price} has a fraction of a cent")
    return int(cents)


def main() -> None:
    """Track one sale twice."""
    with service() as sandbox, CMSClient() as client:
        invoice, customer, click = new_id("inv"), new_id("user"), new_id("click")
        for call in ("First call:", "Second call:"):
            result = client.track_sale(
                event_name="Purchase",
                customer_external_id=customer,
                invoice_id=invoice,
                amount=to_cents(Decimal("49.99")),
                currency="USD",
                click_id=click,
            )
            print(call, result)
        if sandbox is not None:
            print("Sales recorded:", len(sandbox.sales))


if __name__ == "__main__":
    main()
