"""A TrackingApi that calls a scripted server, and payloads for it."""

from typing import Any

from cutmeshort import ApiClient, Configuration, LeadPayload, SalePayload, TrackingApi

from .events import PAYLOAD, SALE_PAYLOAD, TOKEN
from .server import Server

LEAD = LeadPayload.from_dict(PAYLOAD)
SALE = SalePayload.from_dict(SALE_PAYLOAD)


def api_of(server: Server, **settings: Any) -> TrackingApi:
    """Create a TrackingApi that calls the server."""
    return TrackingApi(ApiClient(Configuration(server.url, TOKEN, **settings)))
