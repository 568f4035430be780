"""Track a lead, a deferred lead with its follow-up, and a sale: `python examples/quickstart.py`."""

from typing import TYPE_CHECKING

from service import new_id, service

from cutmeshort import CMSClient, TrackResult

if TYPE_CHECKING:
    from cutmeshort.sandbox import Attribution


def show(what: str, result: TrackResult) -> None:
    """Print a result on a line or two."""
    print(f"\n{what}:\n  {result}")


def chain(attribution: "Attribution") -> str:
    """Put a click and what it led to on a line."""
    leads = [
        f"lead {lead.event_name!r}{' (deferred)' if lead.mode else ''}"
        for lead in attribution.leads
    ]
    sales = [
        f"sale {sale.event_name!r} {sale.amount} {sale.currency}" for sale in attribution.sales
    ]
    return " → ".join([f"click {attribution.click_id}", *leads, *sales])


def main() -> None:
    """Run the quick start."""
    with service() as sandbox, CMSClient() as client:
        ann, ben = new_id("ann"), new_id("ben")
        show("A lead", client.track_lead("Sign up", ann, click_id=new_id("click")))
        show(
            "A deferred lead",
            client.track_lead("Sign up", ben, click_id=new_id("click"), mode="deferred"),
        )
        show("Its follow-up, without the click", client.track_lead("E-mail confirmed", ben))
        show("A sale", client.track_sale("Purchase", ben, new_id("inv"), 4999, "USD"))
        show(
            "An invalid sale",
            client.track_sale("Purchase", ben, new_id("inv"), 49.99, "USD"),  # type: ignore[arg-type]
        )
        if sandbox is not None:
            print("\nWhat the sandbox recorded:")
            for customer in (ann, ben):
                for attribution in sandbox.attribution(customer):
                    print(f"  {customer}: {chain(attribution)}")


if __name__ == "__main__":
    main()
