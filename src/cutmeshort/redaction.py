"""Redacts the token and customers' data in the parts of a response that may be logged."""

import re
from collections.abc import Mapping
from typing import Any, Optional
from urllib.parse import unquote

from urllib3 import HTTPHeaderDict

from .models import DROPPABLE_FIELDS, EventPayload

REDACTED = "[redacted]"

_CUSTOMER_FIELDS = ("customer_external_id", *DROPPABLE_FIELDS)
_MAX_VALUE_LENGTH = 2048  # of the longest such field: models.fields.Url
_MAX_SEARCHED_LENGTH = 4096  # in 1 MiB, the searches would take seconds
_MIN_PART_LENGTH = 6


def redact_token(value: Any, token: str) -> Any:
    """Return a string, bytes or parsed JSON without the token; change lists and dicts in place."""
    if isinstance(value, str):
        return value.replace(token, REDACTED)
    if isinstance(value, bytes):
        return value.replace(token.encode(), REDACTED.encode())
    if isinstance(value, list):
        value[:] = [redact_token(item, token) for item in value]
    elif isinstance(value, dict):
        items = [(redact_token(key, token), redact_token(v, token)) for key, v in value.items()]
        value.clear()
        value.update(items)
    return value


def redact_headers(headers: Mapping[str, str], token: str) -> Mapping[str, str]:
    """Return headers with the token redacted."""
    items = headers.items()
    return HTTPHeaderDict((redact_token(k, token), redact_token(v, token)) for k, v in items)


def redact_customer(text: str, payload: Optional[EventPayload]) -> str:
    """Return text of the service as one printable line, with the customer's data redacted."""
    line = _one_line(text[:_MAX_SEARCHED_LENGTH])
    for name in _CUSTOMER_FIELDS:
        given = getattr(payload, name, None)
        # Some versions of pydantic keep instances of subclasses of str, whose methods may raise.
        value = "" if given is None else _one_line(str.__str__(given))
        if value:
            # A short id or name may be part of a word by coincidence; an address or URL is not.
            part_of_word = "@" in value or "/" in value
            pattern = re.escape(value) if part_of_word else _as_word(value)
            line = re.sub(pattern, REDACTED, line, flags=re.IGNORECASE)
    if len(text) > _MAX_SEARCHED_LENGTH:
        line = line[:-_MAX_VALUE_LENGTH]  # its end may be the beginning of a value
    return line


def contains_sent_value(
    text: str, payload: EventPayload, token: str, *, words: bool = False
) -> bool:
    """
    Return whether a type or request id of the service contains a value of the event, or the token.

    A value matches if it is the whole text, or with `words` one of its words. Values of six or more
    characters also match as parts of a word; shorter ones would often match by coincidence. Event
    names do not: `purchase_rejected` is not about an event called "Purchase".
    """
    text = _normalise(text)
    # In text from the body, the token was already replaced with REDACTED.
    values = {**payload.to_dict(), "token": token, "redacted token": REDACTED}
    values.pop("mode", None)  # not the customer's data, and the service's own types contain it
    for name, value in values.items():
        sent = _normalise(str(value))
        anywhere = name != "eventName" and len(sent) >= _MIN_PART_LENGTH
        if sent == text or (anywhere and sent in text):
            return True
        if words and sent and re.search(_as_word(sent), text):
            return True
    return False


def _as_word(value: str) -> str:
    return rf"(?<!\w){re.escape(value)}(?!\w)"


def _normalise(text: str) -> str:
    return " ".join(unquote(text).lower().split())


def _one_line(text: str) -> str:
    """Replace white space and unprintable characters with single spaces."""
    return " ".join("".join(part if part.isprintable() else " " for part in text).split())
