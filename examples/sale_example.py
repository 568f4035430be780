"""Track a sale twice: the service deduplicates by invoice id and counts it once."""

from decimal import Decimal

from service import new_id, service

from cutmeshort import CMSClient


def cents(price: Decimal) -> int:
    """Convert a price in dollars to cents, as `amount` needs them."""
    return int((price * 100).to_integral_exact())


def main() -> None:
    """Track one sale twice."""
    with service() as sandbox, CMSClient() as client:
        invoice, customer, click = new_id("inv"), new_id("user"), new_id("click")
        for call in ("First call:", "Second call:"):
            result = client.track_sale(
                event_name="Purchase",
                customer_external_id=customer,
                invoice_id=invoice,
                amount=cents(Decimal("49.99")),
                currency="USD",
                click_id=click,
            )
            print(call, result)
        if sandbox is not None:
            print("Sales recorded:", len(sandbox.sales))


if __name__ == "__main__":
    main()
