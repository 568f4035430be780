"""What goes over the wire: the payloads of the two operations and the service's responses."""

from contextlib import suppress
from datetime import datetime, timezone

from pydantic import ValidationError

from .base import DECORATION, EventPayload, ExternalId, Model, read_json
from .error_response import ErrorResponse
from .lead_payload import LeadPayload
from .sale_payload import SalePayload
from .track_response import TrackResponse

__all__ = [
    "DECORATION",
    "ErrorResponse",
    "EventPayload",
    "ExternalId",
    "LeadPayload",
    "Model",
    "SalePayload",
    "TrackResponse",
    "read_json",
]


def _use_once() -> None:
    """
    Validate and serialise each type of value.

    pydantic prepares some of that at the first use, under locks that a fork in the meantime would
    leave held in the child, for ever.
    """
    now = datetime.now(timezone.utc)
    LeadPayload(event_name="-", customer_external_id="-", timestamp=now).to_json()
    with suppress(ValidationError):
        SalePayload.from_dict({})


_use_once()
