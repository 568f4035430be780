"""The payloads of the operations and the service's responses."""

from contextlib import suppress
from datetime import datetime, timezone

from pydantic import ValidationError

from .base import DROPPABLE_FIELDS, EventPayload, Model
from .error_response import ErrorResponse
from .fields import ExternalId
from .lead_payload import LeadPayload
from .sale_payload import SalePayload
from .timestamps import read_timestamp
from .track_response import TrackResponse

__all__ = [
    "DROPPABLE_FIELDS",
    "ErrorResponse",
    "EventPayload",
    "ExternalId",
    "LeadPayload",
    "Model",
    "SalePayload",
    "TrackResponse",
    "read_timestamp",
]


def _warm_up() -> None:
    """
    Validate and serialise a lead, and fail to validate a sale, once.

    On first use, pydantic initialises itself under locks. If another thread forked at that moment,
    these locks would never be released in the child.
    """
    now = datetime.now(timezone.utc)
    LeadPayload(event_name="-", customer_external_id="-", timestamp=now).to_json()
    with suppress(ValidationError):
        SalePayload.from_dict({})


_warm_up()
