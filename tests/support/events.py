"""The events that tests track, and the customer's data and token that must not leak."""

from typing import Any, Optional

from cutmeshort import CMSClient, Configuration

from .server import Server

TOKEN = "tok_visible-ASCII/+=~"
CUSTOMER = {
    "customer_external_id": "user-7431",
    "customer_name": "Zoë Secretson",
    "customer_email": "zoe@secret.example",
    "customer_avatar": "https://secret.example/zoe.png",
}
SECRETS = [TOKEN, "user-7431", "Secretson", "secret.example"]
PAYLOAD = {"event_name": "Sign up", "customer_external_id": "user_42", "click_id": "click_1"}
SALE_PAYLOAD: dict[str, Any] = {
    "event_name": "Purchase",
    "customer_external_id": "user_42",
    "invoice_id": "inv_1",
    "amount": 4999,
    "currency": "usd",
    "click_id": "click_1",
}


def client_of(server: Server, **settings: Any) -> CMSClient:
    """Create a client of the server."""
    return CMSClient(TOKEN, server.url, **settings)


def lead(client: CMSClient, **changes: Any) -> Any:
    """Track a valid lead, with the given changes."""
    arguments: dict[str, Any] = {**PAYLOAD, **changes}
    return client.track_lead(**arguments)


def sale(client: CMSClient, **changes: Any) -> Any:
    """Track a valid sale, with the given changes."""
    return client.track_sale(**{**SALE_PAYLOAD, **changes})


def track_once(server: Server, host: Optional[str] = None, **settings: Any) -> Any:
    """Track a lead with a new client that has the given settings."""
    configuration = Configuration(**settings)
    with CMSClient(TOKEN, host or server.url, configuration=configuration) as client:
        return lead(client)
