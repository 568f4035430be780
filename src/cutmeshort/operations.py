"""The table of the operations of the tracking API."""

from typing import NamedTuple, Optional

from .models import EventPayload, LeadPayload, SalePayload


class Operation(NamedTuple):
    """
    One operation of the API.

    Attributes:
        name: The method of CMSClient and TrackingApi; also its name in the log.
        method: The HTTP method.
        path: The path, below that of the base URL.
        request_model: The model of its payload.
        key: The names of the fields by which events are told apart: the service records only one
            event with the same values.
    """

    name: str
    method: str
    path: str
    request_model: type[EventPayload]
    key: tuple[str, ...]

    def key_of(self, payload: EventPayload) -> tuple[Optional[str], ...]:
        """Return the values of the fields in `key`."""
        return tuple(getattr(payload, name) for name in self.key)

    @property
    def event(self) -> str:
        """What it tracks: `lead` or `sale`."""
        return self.name.removeprefix("track_")


# A follow-up may have the name of its deferred lead. It is another event, as it has no `mode`.
_LEAD_KEY = ("customer_external_id", "event_name", "mode")

TRACK_LEAD = Operation("track_lead", "POST", "/track/lead", LeadPayload, _LEAD_KEY)
TRACK_SALE = Operation("track_sale", "POST", "/track/sale", SalePayload, ("invoice_id",))

OPERATIONS = (TRACK_LEAD, TRACK_SALE)

_MODELS = " or a ".join(operation.request_model.__name__ for operation in OPERATIONS)
NOT_A_PAYLOAD = f"payload must be a {_MODELS}"


def find_operation(payload: object) -> Optional[Operation]:
    """Return the operation of a payload; None if it is not one."""
    for operation in OPERATIONS:
        if issubclass(type(payload), operation.request_model):
            return operation
    return None
