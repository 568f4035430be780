"""The totals: the funnel, the requests, the rate limit and the revenue by currency."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cutmeshort import CMSClient
from cutmeshort.models import LeadPayload, SalePayload
from cutmeshort.operations import TRACK_LEAD, TRACK_SALE
from cutmeshort.sandbox import Sandbox
from cutmeshort.sandbox.state.service import Recorded
from cutmeshort.sandbox.view.totals import MAX_POINTS, Funnel, Revenue

from .scenarios import view_of
from .test_chains import START


def _lead(click: str) -> Recorded:
    lead = LeadPayload(event_name="Sign up", customer_external_id="user_1", click_id=click)
    return Recorded(TRACK_LEAD, lead, click, START, None)


def _sale(click: str, amount: int = 100, currency: str = "EUR") -> Recorded:
    sale = SalePayload(
        event_name="Purchase",
        customer_external_id="user_1",
        invoice_id="inv_1",
        amount=amount,
        currency=currency,
    )
    return Recorded(TRACK_SALE, sale, click, START, None)


def test_the_funnel_counts_clicks() -> None:
    """The funnel counts clicks, not events, and knows which clicks have a lead and a sale."""
    funnel = Funnel()
    funnel.add_clicks(["a", "b", "unused"])
    events = [_lead("a"), _lead("a"), _sale("a"), _sale("a"), _sale("c"), _lead("c"), _sale("d")]
    for recorded in [*events, _lead("b")]:
        funnel.add(recorded)
    assert funnel.to_json() == {"clicks": 5, "leads": 3, "sales": 3, "sales_after_lead": 2}


def test_the_revenue_is_by_currency() -> None:
    """Each currency has its own amount and steps; the one with the most sales is first."""
    revenue = Revenue()
    sales = [_sale("a", 500, "JPY"), _sale("a", 4990), _sale("a", 0), _lead("a"), _sale("a", 10)]
    for recorded in sales:
        revenue.add(recorded)
    assert revenue.to_json() == [
        {"currency": "EUR", "amount": 5000, "exponent": 2, "sales": 3, "steps": [4990, 4990, 5000]},
        {"currency": "JPY", "amount": 500, "exponent": 0, "sales": 1, "steps": [500]},
    ]


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=500))
def test_the_steps_are_cumulative_and_few(amounts: list[int]) -> None:
    """However many sales there are, the steps are few, never fall, and end at the amount."""
    revenue = Revenue()
    for amount in amounts:
        revenue.add(_sale("a", amount))
    steps = revenue.to_json()[0]["steps"]
    sums = {sum(amounts[: count + 1]) for count in range(len(amounts))}
    assert min(len(amounts), MAX_POINTS // 2) <= len(steps) <= MAX_POINTS
    assert steps == sorted(steps)
    assert steps[-1] == sum(amounts)
    assert set(steps) <= sums


def test_the_steps_are_evenly_spaced() -> None:
    """When points are left out, the sales between two points stay the same in number."""
    revenue = Revenue()
    for _ in range(1000):
        revenue.add(_sale("a", 1))
    steps = revenue.to_json()[0]["steps"]
    assert len({later - earlier for earlier, later in zip(steps[:-2], steps[1:-1])}) == 1


def test_the_requests_are_counted_by_outcome(sandbox: Sandbox) -> None:
    """The totals count each request under its outcome, and the use of the rate limit."""
    sandbox.update_settings(rate_limit=100)
    with CMSClient(sandbox.token, sandbox.url, max_retries=0) as client:
        client.track_lead("Sign up", "user_1", "click_1", mode="deferred")
        client.track_lead("Confirmed", "user_1")
        client.track_lead("Confirmed", "user_1")
        client.track_lead("Again", "user_1", "click_1")
        sandbox.fail_next(status=503)
        client.track_lead("Confirmed", "user_2", "click_2")
    totals: dict[str, Any] = view_of(sandbox).snapshot()["totals"]
    assert totals == {
        "clicks": 1,
        "leads": 1,
        "sales": 0,
        "sales_after_lead": 0,
        "customers": 1,
        "requests": {
            "total": 5,
            "recorded": 1,
            "pending": 1,
            "duplicate": 1,
            "refused": 1,
            "failed": 1,
        },
        "rate_limit": {"limit": 100, "used": 4},
    }
