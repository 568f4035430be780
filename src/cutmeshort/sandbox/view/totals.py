"""The totals: the funnel from click to sale, the requests, and the revenue by currency."""

from collections.abc import Iterable, Mapping
from typing import Any

from ...models import SalePayload
from ..state.exchanges import OUTCOMES
from ..state.service import Recorded
from .seen import decimal_places

MAX_POINTS = 50


class Funnel:
    """How many clicks have led to a lead and to a sale."""

    def __init__(self) -> None:
        self._clicks: set[str] = set()
        self._with_lead: set[str] = set()
        self._with_sale: set[str] = set()
        self._with_both = 0

    def add_clicks(self, click_ids: Iterable[str]) -> None:
        """Count clicks, those that are known included."""
        self._clicks.update(click_ids)

    def add(self, recorded: Recorded) -> None:
        """Count the click of an event, and what it led to."""
        click, is_sale = recorded.click_id, isinstance(recorded.event, SalePayload)
        own, other = self._with_lead, self._with_sale
        if is_sale:
            own, other = other, own
        if click not in own and click in other:
            self._with_both += 1
        own.add(click)
        self._clicks.add(click)

    def to_json(self) -> dict[str, int]:
        """Return the numbers of clicks."""
        return {
            "clicks": len(self._clicks),
            "leads": len(self._with_lead),
            "sales": len(self._with_sale),
            "sales_after_lead": self._with_both,
        }


class _Currency:
    """
    The sales in one currency.

    Each point of the steps is the cumulative amount after `_stride` more sales than the point
    before. When there are too many points, every second one is left out.
    """

    def __init__(self) -> None:
        self.amount = 0
        self.sales = 0
        self.steps: list[int] = []
        self._stride = 1

    def add(self, amount: int) -> None:
        self.amount += amount
        if self.sales % self._stride:
            self.steps[-1] = self.amount
        else:
            self.steps.append(self.amount)
        self.sales += 1
        if len(self.steps) > MAX_POINTS:
            self.steps = [*self.steps[1::2], self.amount]
            self._stride *= 2


class Revenue:
    """The revenue, separately for each currency."""

    def __init__(self) -> None:
        self._currencies: dict[str, _Currency] = {}

    def add(self, recorded: Recorded) -> None:
        """Add the amount of an event, if it is a sale."""
        event = recorded.event
        if isinstance(event, SalePayload):
            self._currencies.setdefault(event.currency, _Currency()).add(event.amount)

    def to_json(self) -> list[dict[str, Any]]:
        """Return the revenue of each currency, the largest number of sales first."""
        ordered = sorted(self._currencies.items(), key=lambda item: -item[1].sales)
        return [
            {
                "currency": code,
                "amount": each.amount,
                "exponent": decimal_places(code),
                "sales": each.sales,
                "steps": list(each.steps),
            }
            for code, each in ordered
        ]


def request_totals(counts: Mapping[str, int]) -> dict[str, int]:
    """Return the number of requests, and of those with each outcome."""
    return {"total": sum(counts.values()), **{name: counts.get(name, 0) for name in OUTCOMES}}
