"""
The state and the rules of the service, without HTTP.

Each operation has its rules in one method of Service, which `Service._recorders` lists.
"""

import threading
from dataclasses import dataclass, field
from typing import Any, Callable, NamedTuple, TypeVar, Union

from ..models import EventPayload, ExternalId, LeadPayload, SalePayload
from ..operations import OPERATIONS, TRACK_LEAD, TRACK_SALE, Operation
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


class _Recorded(NamedTuple):
    event: Event
    click_id: str


class Service:
    """
    Records each event once, and credits it to a click.

    Args:
        duplicate_status: The status of the response to a duplicate: 200 or 409.

    Raises:
        LookupError: An operation of the API has no rules.
    """

    def __init__(self, duplicate_status: int) -> None:
        self._recorders: dict[Operation, Callable[[Any], dict[str, Any]]] = {
            TRACK_LEAD: self._record_lead,
            TRACK_SALE: self._record_sale,
        }
        missing = [operation.name for operation in OPERATIONS if operation not in self._recorders]
        if missing:
            raise LookupError(
                f"the sandbox has no rules for {', '.join(missing)}: add them to Service._recorders"
            )
        self._duplicate_status = duplicate_status
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Forget all events, and the clicks that customers are associated with."""
        with self._lock:
            self._recorded: dict[tuple[object, ...], _Recorded] = {}  # by deduplication key
            self._deferred_clicks: dict[str, str] = {}  # by customer

    def record(self, operation: Operation, event: EventPayload) -> dict[str, Any]:
        """
        Record an event, unless it is a duplicate.

        Returns:
            The `data` of the response.

        Raises:
            Refusal: The service does not accept the event.
        """
        with self._lock:
            return self._recorders[operation](event)

    def events(self, model: type[EventT]) -> list[EventT]:
        """Return the recorded events of one type, in the order of arrival."""
        return _of_type(model, [recorded.event for recorded in self._snapshot()])

    def attribution(self, customer_external_id: ExternalId) -> list[Attribution]:
        """Return a customer's events by click, in the order of each click's first event."""
        customer = str(customer_external_id)  # as in a payload
        by_click: dict[str, list[Event]] = {}
        for event, click_id in self._snapshot():
            if event.customer_external_id == customer:
                by_click.setdefault(click_id, []).append(event)
        return [
            Attribution(click_id, _of_type(LeadPayload, events), _of_type(SalePayload, events))
            for click_id, events in by_click.items()
        ]

    def _snapshot(self) -> list[_Recorded]:
        with self._lock:
            return list(self._recorded.values())

    def _record_lead(self, lead: LeadPayload) -> dict[str, Any]:
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
        data = self._record(key, lead, "a lead with this customerExternalId and eventName")
        if deferred and "duplicate" not in data:
            self._deferred_clicks[customer] = data["clickId"]
            data["deferredAssociationStored"] = True
        return data

    def _record_sale(self, sale: SalePayload) -> dict[str, Any]:
        key = (TRACK_SALE.name, *TRACK_SALE.key_of(sale))
        return self._record(key, sale, "a sale with this invoiceId")

    def _record(self, key: tuple[object, ...], event: Event, description: str) -> dict[str, Any]:
        """Record an event, unless one with the same deduplication key is recorded."""
        if key in self._recorded:
            if self._duplicate_status == 409:
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
        self._recorded[key] = _Recorded(event, click_id)
        return {"clickId": click_id}


def _of_type(model: type[EventT], events: list[Event]) -> list[EventT]:
    return [event for event in events if isinstance(event, model)]
