"""What goes over the wire: the payloads of the two operations and the service's answers."""

from .base import Model, read_json
from .payloads import EventPayload, LeadPayload, SalePayload
from .responses import ErrorResponse, TrackResponse

__all__ = [
    "ErrorResponse",
    "EventPayload",
    "LeadPayload",
    "Model",
    "SalePayload",
    "TrackResponse",
    "read_json",
]
