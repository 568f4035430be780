"""Writes requests as Python source: as calls of CMSClient, or as HTTP requests."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

from pydantic import ValidationError

from ...models import EventPayload
from ...operations import Operation
from ..state.exchanges import Exchange, Headers
from ..state.tokens import MASK, header_text
from .seen import read_fields

# The arguments that are written first, in this order.
_ORDER = (
    *("event_name", "customer_external_id", "click_id", "mode"),
    *("invoice_id", "amount", "currency"),
)
_WRONG_TOKEN = "wrong-token"  # a request may have had the token of an account
_TOO_LARGE = 413
_SIZE = re.compile("[0-9]{1,18}")


class Call(NamedTuple):
    """
    A call of CMSClient.

    Attributes:
        method: The name of the method.
        arguments: Its arguments, as values of JSON.
    """

    method: str
    arguments: Mapping[str, Any]

    def source(self, client: str, indent: str) -> str:
        """Return the expression that makes the call, for a line with an indentation."""
        lines = [f"{name}={literal(value)}," for name, value in self.arguments.items()]
        inner = "".join(f"\n{indent}    {line}" for line in lines)
        return f"{client}.{self.method}({inner}\n{indent})"


def call_of(exchange: Exchange, token: str) -> Optional[Call]:
    """Return the call of CMSClient that sends a request; None if none does."""
    content_type = header(exchange.headers, b"content-type").partition(";")[0].strip().lower()
    if (
        exchange.method != exchange.operation.method
        or content_type != "application/json"
        or not _has_token(exchange, token)
        or is_forbidden(exchange)
    ):
        return None
    try:
        payload = exchange.operation.request_model.from_dict(read_fields(exchange))
    except ValidationError:
        return None
    return call_with(exchange.operation, payload)


def call_with(operation: Operation, payload: EventPayload) -> Call:
    """Return the call of CMSClient that tracks an event."""
    wire = payload.to_dict()
    names = dict.fromkeys((*_ORDER, *operation.request_model.model_fields))
    fields = operation.request_model.model_fields
    aliases = {name: fields[name].alias for name in names if name in fields}
    return Call(
        operation.name,
        {name: wire[alias] for name, alias in aliases.items() if alias in wire},
    )


def _has_token(exchange: Exchange, token: str) -> bool:
    """Return whether a request has the token; a document that was imported may have masked it."""
    sent = header(exchange.headers, b"authorization")
    return sent == f"Bearer {token}" or (MASK in sent and exchange.status != 401)


def is_forbidden(exchange: Exchange) -> bool:
    """Return whether the sandbox rejected a request because of its Host header."""
    if exchange.refusal is None or exchange.fault is not None or exchange.forced is not None:
        return False
    return exchange.status == 403 or "Host header" in exchange.refusal.message


def headers_of(exchange: Exchange, token: str, token_source: str) -> list[tuple[str, str, bool]]:
    """
    Return the headers that matter for the response, without a token.

    Args:
        exchange: The request.
        token: The sandbox's token.
        token_source: What stands for it in the source.

    Returns:
        For each header its name, its value, and whether the value contains `token_source`.
    """
    names = [b"content-type", *([b"host"] if is_forbidden(exchange) else [])]
    found = [
        (name.decode().title(), value, False)
        for name in names
        if (value := header(exchange.headers, name))
    ]
    sent = header(exchange.headers, b"authorization")
    if _has_token(exchange, token):
        found.append(("Authorization", f"Bearer {token_source}", True))
    elif sent:
        wrong = f"Bearer {_WRONG_TOKEN}" if sent.startswith("Bearer ") else _WRONG_TOKEN
        found.append(("Authorization", wrong, False))
    return found


def large_body_size(exchange: Exchange) -> Optional[int]:
    """Return the size of a body that was rejected because of it; None for any other request."""
    if exchange.status != _TOO_LARGE or exchange.fault is not None or exchange.forced is not None:
        return None
    stated = header(exchange.headers, b"content-length")
    return max(exchange.body.size, int(stated) if _SIZE.fullmatch(stated) else 0)


def body_source(exchange: Exchange) -> Optional[str]:
    """Return the body as an expression; None if the sandbox does not have all of it."""
    size = large_body_size(exchange)
    if size is not None:
        return f'b"x" * {size}'
    return None if exchange.body.truncated else literal(exchange.body.data)


def literal(value: object) -> str:
    """Return a value of JSON, or bytes, as Python source, with double quotes if possible."""
    source = repr(value)
    quoted = isinstance(value, (str, bytes)) and source.endswith("'") and '"' not in source
    if not quoted:
        return source
    return source.replace("'", '"')


def header(headers: Headers, name: bytes) -> str:
    """Return the value of a header; "" if it is missing."""
    values = [value for key, value in headers if key.lower() == name]
    return header_text(values[0]) if values else ""
