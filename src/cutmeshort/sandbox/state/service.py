"""
The state and the rules of the service, without HTTP.

Each operation has its rules in one method of Service, which `Service._recorders` lists.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from itertools import islice
from typing import Any, Callable, NamedTuple, Optional, TypeVar, Union

from ...models import EventPayload, ExternalId, LeadPayload, SalePayload
from ...operations import OPERATIONS, TRACK_LEAD, TRACK_SALE, Operation
from .refusal import Refusal

Event = Union[LeadPayload, SalePayload]
EventT = TypeVar("EventT", bound=EventPayload)


@dataclass
class Attribution:
    """
    The events of one customer that are credited to one click, in the order of arrival.

    Attributes:
        click_id: The click.
        leads: The leads that are credited to it, deferred ones included.
        sales: The sales that are credited to it.
    """

    click_id: str
    leads: list[LeadPayload] = field(default_factory=list)
    sales: list[SalePayload] = field(default_factory=list)


class Recorded(NamedTuple):
    """
    A recorded event.

    Attributes:
        operation: The operation that recorded it.
        event: The event.
        click_id: The click that it is credited to.
        time: When it was recorded, in UTC.
        request_id: The request that recorded it.
    """

    operation: Operation
    event: Event
    click_id: str
    time: datetime
    request_id: Optional[str]


class Service:
    """
    Records each event once, and credits it to a click.

    Attributes:
        duplicate_status: The status of the response to a duplicate: 200 or 409.
        generation: How often the events were replaced, which `record` does not do.

    Raises:
        LookupError: An operation of the API has no rules.
    """

    def __init__(self, duplicate_status: int) -> None:
        self._recorders: dict[Operation, Callable[[Any, Optional[str]], dict[str, Any]]] = {
            TRACK_LEAD: self._record_lead,
            TRACK_SALE: self._record_sale,
        }
        missing = [operation.name for operation in OPERATIONS if operation not in self._recorders]
        if missing:
            raise LookupError(
                f"the sandbox has no rules for {', '.join(missing)}: add them to Service._recorders"
            )
        self.duplicate_status = duplicate_status
        self.generation = 0
        self._lock = threading.Lock()
        self.replace([])

    def record(
        self, operation: Operation, event: EventPayload, request_id: Optional[str] = None
    ) -> dict[str, Any]:
        """
        Record an event, unless it is a duplicate.

        Returns:
            The `data` of the response.

        Raises:
            Refusal: The service does not accept the event.
        """
        with self._lock:
            return self._recorders[operation](event, request_id)

    def replace(self, recorded: Iterable[Recorded]) -> None:
        """Forget all events, and the clicks of customers; restore other events, oldest first."""
        with self._lock:
            self.generation += 1
            self._recorded: dict[tuple[object, ...], Recorded] = {}  # by deduplication key
            self._deferred_clicks: dict[str, str] = {}  # by customer
            for each in recorded:
                key = (each.operation.name, *each.operation.key_of(each.event))
                self._recorded.setdefault(key, each)
                if getattr(each.event, "mode", None) == "deferred":
                    self._deferred_clicks.setdefault(each.event.customer_external_id, each.click_id)

    def recorded(self, start: int = 0) -> list[Recorded]:
        """Return the recorded events from number `start` on (the first is 0), oldest first."""
        with self._lock:
            count = max(0, len(self._recorded) - start)
            return list(islice(reversed(self._recorded.values()), count))[::-1]

    def newest(self) -> Recorded:
        """Return the event that was recorded last."""
        return next(reversed(self._recorded.values()))

    def events(self, model: type[EventT]) -> list[EventT]:
        """Return the recorded events of one type, in the order of arrival."""
        return _of_type(model, [recorded.event for recorded in self.recorded()])

    def attribution(self, customer_external_id: ExternalId) -> list[Attribution]:
        """Return a customer's events by click, in the order of each click's first event."""
        customer = str(customer_external_id)  # as in a payload
        by_click: dict[str, list[Event]] = {}
        for each in self.recorded():
            if each.event.customer_external_id == customer:
                by_click.setdefault(each.click_id, []).append(each.event)
        return [
            Attribution(click_id, _of_type(LeadPayload, events), _of_type(SalePayload, events))
            for click_id, events in by_click.items()
        ]

    def _record_lead(self, lead: LeadPayload, request_id: Optional[str]) -> dict[str, Any]:
        customer = lead.customer_external_id
        deferred = lead.mode == "deferred"
        key = (TRACK_LEAD.name, *TRACK_LEAD.key_of(lead))
        # A customer keeps the click of the first deferred lead. The same deferred lead again does
        # not conflict with that: it is a duplicate.
        duplicate = deferred and key in self._recorded
        if lead.click_id is not None and customer in self._deferred_clicks and not duplicate:
            raise Refusal(
                409,
                "Duplicate attribution: an earlier deferred lead associated the customer with a "
                "click. Leave clickId out of the customer's later leads.",
                type="duplicate_attribution",
            )
        description = "a lead with this customerExternalId and eventName"
        data = self._record(TRACK_LEAD, key, lead, request_id, description)
        if deferred and "duplicate" not in data:
            self._deferred_clicks[customer] = data["clickId"]
            data["deferredAssociationStored"] = True
        return data

    def _record_sale(self, sale: SalePayload, request_id: Optional[str]) -> dict[str, Any]:
        key = (TRACK_SALE.name, *TRACK_SALE.key_of(sale))
        description = "a sale with this invoiceId"
        return self._record(TRACK_SALE, key, sale, request_id, description)

    def _record(
        self,
        operation: Operation,
        key: tuple[object, ...],
        event: Event,
        request_id: Optional[str],
        description: str,
    ) -> dict[str, Any]:
        """Record an event, unless one with the same deduplication key is recorded."""
        if key in self._recorded:
            if self.duplicate_status == 409:
                raise Refusal(
                    409,
                    f"Duplicate event: {description} is already recorded.",
                    type="duplicate_event",
                )
            return {"clickId": self._recorded[key].click_id, "duplicate": True}
        click_id = event.click_id or self._deferred_clicks.get(event.customer_external_id)
        if click_id is None:
            message = "clickId is required: the customer has no click from a deferred lead."
            raise Refusal(422, message, details=[{"field": "clickId", "message": message}])
        now = datetime.now(timezone.utc)
        self._recorded[key] = Recorded(operation, event, click_id, now, request_id)
        return {"clickId": click_id}


def _of_type(model: type[EventT], events: list[Event]) -> list[EventT]:
    return [event for event in events if isinstance(event, model)]
