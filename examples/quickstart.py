"""Track a lead, a deferred lead with its follow-up, and a sale: `python examples/quickstart.py`."""

import textwrap
from typing import TYPE_CHECKING

from service import new_id, service

from cutmeshort import CMSClient, TrackResult

if TYPE_CHECKING:
    from cutmeshort.sandbox import Attribution

INDENT = 24


def show(event: str, result: TrackResult) -> None:
    """Print an event and what happened to it, in two columns."""
    if result["success"]:
        text = f"tracked: {result['message']}"
    else:
        text = f"not tracked: {result['type']}: {result['error']}"
    print(event.ljust(INDENT) + textwrap.fill(text, 64).replace("\n", "\n" + " " * INDENT))


def describe(attribution: "Attribution") -> str:
    """Describe a click and the events that are credited to it."""
    events = [
        f"lead {lead.event_name!r}{' (deferred)' if lead.mode else ''}"
        for lead in attribution.leads
    ]
    events += [
        f"sale {sale.event_name!r} {sale.amount} {sale.currency}" for sale in attribution.sales
    ]
    return f"{attribution.click_id}: {', '.join(events)}"


def main() -> None:
    """Track the events, and print what happened to each."""
    with service() as sandbox, CMSClient() as client:
        print()
        ann, ben = new_id("ann"), new_id("ben")
        show("Lead", client.track_lead("Sign up", ann, click_id=new_id("click")))
        show(
            "Deferred lead",
            client.track_lead("Sign up", ben, click_id=new_id("click"), mode="deferred"),
        )
        show("Follow-up lead", client.track_lead("Email confirmed", ben))
        show("Sale", client.track_sale("Purchase", ben, new_id("inv"), 4999, "USD"))
        show(
            "Sale, invalid amount",
            client.track_sale("Purchase", ben, new_id("inv"), 49.99, "USD"),  # type: ignore[arg-type]
        )
        if sandbox is not None:
            print("\nEvents that the sandbox credited to each click:")
            for customer in (ann, ben):
                for attribution in sandbox.attribution(customer):
                    print(f"  {describe(attribution)}")


if __name__ == "__main__":
    main()
