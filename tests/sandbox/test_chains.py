"""The chains: which click is credited with which events of a customer."""

from datetime import datetime, timedelta, timezone
from typing import Any, Optional

from cutmeshort.models import LeadPayload, SalePayload
from cutmeshort.operations import TRACK_LEAD, TRACK_SALE
from cutmeshort.sandbox.state.clicks import Click
from cutmeshort.sandbox.state.service import Recorded
from cutmeshort.sandbox.view.chains import MAX_STEPS, Chains
from cutmeshort.sandbox.view.seen import Seen

START = datetime(2026, 11, 26, 12, 4, 11, 123456, timezone.utc)
CLICKS = {"click_3f9c": Click("click_3f9c", "newsletter-may", START)}


def _lead(
    number: int, click: str, mode: Any = None, sent: bool = True, customer: str = "user_44"
) -> Recorded:
    lead = LeadPayload(
        event_name=f"Lead {number}",
        customer_external_id=customer,
        click_id=click if sent else None,
        mode=mode,
    )
    time = START + timedelta(minutes=number)
    return Recorded(TRACK_LEAD, lead, click, time, f"req_{number}")


def _sale(number: int, click: str, amount: int, currency: str = "EUR") -> Recorded:
    sale = SalePayload(
        event_name="Purchase",
        customer_external_id="user_44",
        invoice_id=f"inv_{number}",
        amount=amount,
        currency=currency,
    )
    return Recorded(TRACK_SALE, sale, click, START + timedelta(minutes=number), None)


def _chains(*recorded: Recorded) -> Chains:
    chains = Chains(CLICKS.get)
    for each in recorded:
        chains.add(each)
    return chains


def _json(chains: Chains, customer: str = "user_44") -> dict[str, Any]:
    chain = chains.get(customer)
    assert chain is not None
    return chain.to_json()


def test_a_chain_has_the_click_the_leads_and_the_sales() -> None:
    """The chain of a customer has its click, deferred lead, follow-up and sale, with all values."""
    chains = _chains(
        _lead(1, "click_3f9c", "deferred"),
        _lead(2, "click_3f9c", sent=False),
        _sale(3, "click_3f9c", 4990),
    )
    credited = {"click": "click_3f9c", "sent_click": False}
    assert _json(chains) == {
        "customer": "user_44",
        "deferred": True,
        "waiting": False,
        "revenue": [{"currency": "EUR", "amount": 4990, "exponent": 2}],
        "last_activity": "2026-11-26T12:07:11.123Z",
        "earlier": 0,
        "steps": [
            {
                "type": "click",
                "click": "click_3f9c",
                "link": "newsletter-may",
                "time": "2026-11-26T12:04:11.123Z",
            },
            {
                "type": "deferred",
                "event": "Lead 1",
                "click": "click_3f9c",
                "sent_click": True,
                "time": "2026-11-26T12:05:11.123Z",
                "request": "req_1",
            },
            {
                "type": "lead",
                "event": "Lead 2",
                **credited,
                "time": "2026-11-26T12:06:11.123Z",
                "request": "req_2",
            },
            {
                "type": "sale",
                "event": "Purchase",
                "invoice": "inv_3",
                **credited,
                "amount": 4990,
                "currency": "EUR",
                "exponent": 2,
                "time": "2026-11-26T12:07:11.123Z",
                "request": None,
            },
        ],
    }


def test_a_chain_waits_after_a_deferred_lead() -> None:
    """A deferred lead without a later event awaits one; the next event ends that."""
    chains = _chains(_lead(1, "click_1", "deferred"))
    waiting = _json(chains)
    assert waiting["waiting"] is True
    assert waiting["steps"][-1] == {"type": "awaited"}
    chains.add(_lead(2, "click_1", sent=False))
    assert _json(chains)["waiting"] is False
    assert [step["type"] for step in _json(chains)["steps"]] == ["click", "deferred", "lead"]


def test_another_click_is_a_new_step() -> None:
    """An event that is credited to another click follows a step for that click."""
    chains = _chains(_lead(1, "click_3f9c"), _lead(2, "click_b"), _lead(3, "click_b"))
    steps = _json(chains)["steps"]
    assert [step["type"] for step in steps] == ["click", "lead", "click", "lead", "lead"]
    assert steps[2] == {"type": "click", "click": "click_b", "link": None, "time": None}


def test_a_long_chain_has_the_newest_steps() -> None:
    """Of a long chain, only the newest steps are sent, with the number of the earlier ones."""
    sales = [_sale(number, "click_1", 100) for number in range(100)]
    chain = _json(_chains(*sales))
    assert len(chain["steps"]) == MAX_STEPS
    assert chain["steps"][-1]["invoice"] == "inv_99"
    assert chain["earlier"] == 101 - MAX_STEPS
    assert chain["revenue"] == [{"currency": "EUR", "amount": 10_000, "exponent": 2}]


def test_the_revenue_of_a_chain_is_by_currency() -> None:
    """The sales of a customer are added up by currency, each with its exponent."""
    sales = [_sale(1, "c", 100), _sale(2, "c", 500, "JPY"), _sale(3, "c", 7, "XAU")]
    assert _json(_chains(*sales, _sale(4, "c", 1)))["revenue"] == [
        {"currency": "EUR", "amount": 101, "exponent": 2},
        {"currency": "JPY", "amount": 500, "exponent": 0},
        {"currency": "XAU", "amount": 7, "exponent": None},
    ]


def test_the_newest_activity_is_first() -> None:
    """Chains are in the order of their newest event, newest first, and limited in number."""
    chains = _chains(*(_lead(n, "click_1", customer=each) for n, each in enumerate("abca")))
    assert [chain.customer for chain in chains.newest(10)] == ["a", "c", "b"]
    assert [chain.customer for chain in chains.newest(2)] == ["a", "c"]
    assert len(chains) == 3
    assert chains.get(None) is None


def test_the_original_of_a_duplicate_is_found() -> None:
    """A request that sends a recorded event again is associated with it by the service's key."""
    deferred, lead, sale = _lead(1, "c", "deferred"), _lead(1, "c"), _sale(2, "c", 1)
    chains = _chains(deferred, lead, sale)

    def find(operation: str, *key: Optional[str]) -> Optional[Recorded]:
        return chains.find(Seen("req_9", START, operation, key=key))

    assert find("track_lead", "user_44", "Lead 1", "deferred") is deferred
    assert find("track_lead", "user_44", "Lead 1", None) is lead
    assert find("track_lead", "user_1", "Lead 1", None) is None
    assert find("track_sale", "inv_2") is sale
    assert find("track_sale", None) is None
