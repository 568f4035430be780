"""Which click is credited with which events, customer by customer."""

from collections import deque
from typing import Any, Callable, Optional

from ...models import LeadPayload, SalePayload
from ..state.clicks import Click
from ..state.service import Recorded
from .seen import Seen, decimal_places, to_text

MAX_STEPS = 30

Json = dict[str, Any]
FindClick = Callable[[str], Optional[Click]]


class Chain:
    """
    The recorded events of one customer.

    Args:
        customer: The customer's id.

    Attributes:
        last: The newest event; None if there is none.
        deferred: The deferred lead that associated the customer with a click, if any.
        has_lead: Whether there is a lead, deferred ones included.
    """

    def __init__(self, customer: str) -> None:
        self.customer = customer
        self.last: Optional[Recorded] = None
        self.deferred: Optional[Recorded] = None
        self.has_lead = False
        self._steps: deque[Json] = deque(maxlen=MAX_STEPS)
        self._count = 0
        self._revenue: dict[str, int] = {}  # by currency
        self._json: Optional[Json] = None

    def add(self, recorded: Recorded, find_click: FindClick) -> None:
        """Add the next event, after a step for its click if that is not the one before."""
        if self.last is None or self.last.click_id != recorded.click_id:
            self._add_step(_click_step(recorded.click_id, find_click(recorded.click_id)))
        self._add_step(_event_step(recorded))
        event = recorded.event
        if isinstance(event, SalePayload):
            self._revenue[event.currency] = self._revenue.get(event.currency, 0) + event.amount
        else:
            self.has_lead = True
            if event.mode == "deferred" and self.deferred is None:
                self.deferred = recorded
        self.last = recorded
        self._json = None

    def _add_step(self, step: Json) -> None:
        self._steps.append(step)
        self._count += 1

    def to_json(self) -> Json:
        """Return the chain for the page. The object is shared: do not change it."""
        if self._json is None:
            steps = list(self._steps)
            waiting = bool(steps) and steps[-1]["type"] == "deferred"
            self._json = {
                "customer": self.customer,
                "deferred": self.deferred is not None,
                "waiting": waiting,
                "revenue": [
                    {"currency": code, "amount": amount, "exponent": decimal_places(code)}
                    for code, amount in self._revenue.items()
                ],
                "last_activity": to_text(self.last.time) if self.last else None,
                "earlier": self._count - len(steps),
                "steps": [*steps, {"type": "awaited"}] if waiting else steps,
            }
        return self._json


def _click_step(click_id: str, click: Optional[Click]) -> Json:
    return {
        "type": "click",
        "click": click_id,
        "link": click.link if click else None,
        "time": to_text(click.time) if click else None,
    }


def _event_step(recorded: Recorded) -> Json:
    event = recorded.event
    step: Json = {"type": "sale", "event": event.event_name}
    if isinstance(event, LeadPayload):
        step["type"] = "deferred" if event.mode == "deferred" else "lead"
    else:
        step["invoice"] = event.invoice_id
        step["amount"] = event.amount
        step["currency"] = event.currency
        step["exponent"] = decimal_places(event.currency)
    step["click"] = recorded.click_id
    step["sent_click"] = event.click_id is not None
    step["time"] = to_text(recorded.time)
    step["request"] = recorded.request_id
    return step


class Chains:
    """The chains of all customers, to which events are added one by one."""

    def __init__(self, find_click: FindClick) -> None:
        self._find_click = find_click
        self._chains: dict[str, Chain] = {}  # by customer, oldest activity first
        self._recorded: dict[tuple[object, ...], Recorded] = {}  # by deduplication key

    def __len__(self) -> int:
        return len(self._chains)

    def add(self, recorded: Recorded) -> None:
        """Add the next event."""
        customer = recorded.event.customer_external_id
        chain = self._chains.pop(customer, None) or Chain(customer)
        chain.add(recorded, self._find_click)
        self._chains[customer] = chain
        key = (recorded.operation.name, *recorded.operation.key_of(recorded.event))
        self._recorded[key] = recorded

    def find(self, seen: Seen) -> Optional[Recorded]:
        """Return the recorded event of which a request sends a copy; None if there is none."""
        return self._recorded.get((seen.operation, *seen.key))

    def get(self, customer: Optional[str]) -> Optional[Chain]:
        """Return the chain of a customer; None if no event of the customer is recorded."""
        return self._chains.get(customer or "")

    def newest(self, limit: int) -> list[Chain]:
        """Return the chains with the newest activity, newest first."""
        return [chain for chain, _ in zip(reversed(self._chains.values()), range(limit))]
