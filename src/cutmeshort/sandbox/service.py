"""What the service remembers and decides, without HTTP."""

import math
import threading
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Any, Optional, Union

from typing_extensions import Literal

from ..models import LeadPayload, SalePayload

Operation = Literal["track_lead", "track_sale"]
OPERATIONS: dict[str, Operation] = {"/track/lead": "track_lead", "/track/sale": "track_sale"}

Payload = Union[LeadPayload, SalePayload]


class Refusal(Exception):  # noqa: N818 - an answer, not a failure of the program
    """
    The service answers with an error.

    Attributes:
        status: The HTTP status.
        type: What happened, for programs.
        error: What happened, for people.
        details: What is wrong with which field.
        headers: Headers of the answer.
    """

    def __init__(
        self,
        status: int,
        type: str,
        error: str,
        *,
        details: Optional[list[dict[str, str]]] = None,
        headers: Optional[dict[str, str]] = None,
    ) -> None:
        super().__init__(error)
        self.status = status
        self.type = type
        self.error = error
        self.details = details
        self.headers = headers


@dataclass
class Attribution:
    """
    What one customer did after one click, in the order of arrival.

    Attributes:
        click_id: The click.
        leads: The leads that are credited to it, a deferred one among them.
        sales: The sales that are credited to it.
    """

    click_id: str
    leads: list[LeadPayload] = field(default_factory=list)
    sales: list[SalePayload] = field(default_factory=list)


class Service:
    """The events that were tracked, and the clicks that customers are bound to."""

    def __init__(self, duplicate_status: int) -> None:
        self._duplicate_status = duplicate_status
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        with self._lock:
            self._recorded: dict[tuple[object, ...], tuple[str, Payload]] = {}
            self._deferred: dict[str, str] = {}

    def payloads(self) -> list[Payload]:
        """Return what was recorded, in the order of arrival."""
        with self._lock:
            return [payload for _, payload in self._recorded.values()]

    def attribution(self, customer_external_id: str) -> list[Attribution]:
        """Return what a customer did, one item for each click, in the order of arrival."""
        found: dict[str, Attribution] = {}
        with self._lock:
            recorded = list(self._recorded.values())
        for click_id, payload in recorded:
            if payload.customer_external_id == customer_external_id:
                chain = found.setdefault(click_id, Attribution(click_id))
                if isinstance(payload, LeadPayload):
                    chain.leads.append(payload)
                else:
                    chain.sales.append(payload)
        return list(found.values())

    def track_lead(self, lead: LeadPayload) -> dict[str, Any]:
        """Record a lead once and return what the answer's `data` holds."""
        customer = lead.customer_external_id
        key = ("lead", customer, lead.event_name, lead.mode)
        with self._lock:
            bound = lead.click_id is not None and customer in self._deferred
            if bound and not (lead.mode == "deferred" and key in self._recorded):
                raise Refusal(
                    409,
                    "duplicate_attribution",
                    "Duplicate attribution: an earlier deferred lead bound the customerExternalId "
                    "to a click. Leave clickId out of the customer's later leads.",
                )
            data = self._duplicate(key, "a lead with this customerExternalId and eventName")
            if data is not None:
                return data
            click_id = self._click(lead)
            if lead.mode == "deferred":
                self._deferred[customer] = click_id
            self._recorded[key] = click_id, lead
        stored = {"deferredAssociationStored": True} if lead.mode == "deferred" else {}
        return {"clickId": click_id, **stored}

    def track_sale(self, sale: SalePayload) -> dict[str, Any]:
        """Record a sale once and return what the answer's `data` holds."""
        key = ("sale", sale.invoice_id)
        with self._lock:
            data = self._duplicate(key, "a sale with this invoiceId")
            if data is not None:
                return data
            click_id = self._click(sale)
            self._recorded[key] = click_id, sale
        return {"clickId": click_id}

    def _duplicate(self, key: tuple[object, ...], event: str) -> Optional[dict[str, Any]]:
        if key not in self._recorded:
            return None
        if self._duplicate_status == 409:
            raise Refusal(409, "duplicate_event", f"Duplicate event: {event} was recorded before.")
        return {"clickId": self._recorded[key][0], "duplicate": True}

    def _click(self, payload: Payload) -> str:
        click_id = payload.click_id or self._deferred.get(payload.customer_external_id)
        if click_id is None:
            message = "clickId is required: no deferred lead bound a click to the customer."
            raise Refusal(
                422,
                "unprocessable_entity",
                message,
                details=[{"field": "clickId", "message": message}],
            )
        return click_id


class RateLimit:
    """
    So many requests within any minute, for each token.

    Args:
        limit: Requests per minute; None for no limit.
    """

    def __init__(self, limit: Optional[int]) -> None:
        self._limit = limit
        self._times: defaultdict[str, deque[float]] = defaultdict(deque)

    def reset(self) -> None:
        """Forget the requests so far: the next ones are within the limit again."""
        self._times.clear()

    def check(self, token: str, now: float) -> None:
        """
        Count a request.

        Raises:
            Refusal: 429, with the whole seconds after which the next request is taken.
        """
        if self._limit is None:
            return
        times = self._times[token]
        while times and times[0] <= now - 60:
            times.popleft()
        if len(times) >= self._limit:
            seconds = math.ceil(times[0] + 60 - now)
            raise Refusal(
                429,
                "rate_limit_exceeded",
                f"More than {self._limit} requests in a minute.",
                headers={"Retry-After": str(seconds)},
            )
        times.append(now)
