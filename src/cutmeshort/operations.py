"""The table of the operations of the tracking API."""

from typing import NamedTuple

from .models import EventPayload, LeadPayload, SalePayload


class Operation(NamedTuple):
    """
    One operation of the API.

    Attributes:
        name: The method of CMSClient and TrackingApi; also its name in the log.
        method: The HTTP method.
        path: The path, below that of the base URL.
        request_model: The model of its payload.
    """

    name: str
    method: str
    path: str
    request_model: type[EventPayload]

    @property
    def event(self) -> str:
        """What it tracks: `lead` or `sale`."""
        return self.name.removeprefix("track_")


TRACK_LEAD = Operation("track_lead", "POST", "/track/lead", LeadPayload)
TRACK_SALE = Operation("track_sale", "POST", "/track/sale", SalePayload)

OPERATIONS = (TRACK_LEAD, TRACK_SALE)
