"""The JSON of a request with its response: a summary, and both messages."""

from typing import Any

from ..state.exchanges import Body, Exchange, Headers
from ..state.tokens import shown_value
from .attempts import Attempt
from .seen import Seen, decimal_places, to_text, type_of

Json = dict[str, Any]


def summarise(exchange: Exchange, seen: Seen, attempt: Attempt, why: str) -> Json:
    """Return the summary of a request."""
    return {
        "id": exchange.request_id,
        "time": to_text(exchange.arrived),
        "operation": exchange.operation.name,
        "event": seen.event,
        "customer": seen.customer,
        "invoice": seen.invoice,
        "click": seen.click,
        "amount": seen.amount,
        "currency": seen.currency,
        "exponent": decimal_places(seen.currency),
        "state": exchange.outcome,
        "status": exchange.status,
        "type": type_of(exchange),
        "recorded": exchange.recorded,
        "fault": exchange.fault.label if exchange.fault is not None else None,
        "duration_ms": round(exchange.seconds * 1000, 1),
        "call": attempt.call,
        "attempt": attempt.number,
        "replay_of": exchange.replay_of,
        "why": why,
    }


def messages(exchange: Exchange, include_token: bool) -> Json:
    """Return the request and the response, with headers and bodies as text."""
    request = {
        "method": exchange.method,
        "path": exchange.operation.path,
        **_message(exchange.headers, exchange.body, include_token),
    }
    response = {
        "status": exchange.status,
        **_message(exchange.response_headers, exchange.response_body, include_token),
    }
    return {"request": request, "response": None if exchange.status is None else response}


def _message(headers: Headers, body: Body, include_token: bool) -> Json:
    return {
        "headers": [
            [name.decode("latin-1").title(), shown_value(name, value, include_token)]
            for name, value in headers
        ],
        "body": body.data.decode(errors="replace"),
        "truncated": body.truncated,
    }
