"""Track a sale twice: the service deduplicates by invoice id and counts it once."""

from decimal import Decimal

from service import new_id, service

from cutmeshort import CMSClient, to_minor_units


def main() -> None:
    """Track one sale twice."""
    with service() as sandbox, CMSClient() as client:
        invoice, customer, click = new_id("inv"), new_id("user"), new_id("click")
        for call in ("First call:", "Second call:"):
            result = client.track_sale(
                event_name="Purchase",
                customer_external_id=customer,
                invoice_id=invoice,
                amount=to_minor_units(Decimal("49.99"), "USD"),  # 4999 cents
                currency="USD",
                click_id=click,
            )
            print(call, result)
        if sandbox is not None:
            print("Sales recorded:", len(sandbox.sales))


if __name__ == "__main__":
    main()
