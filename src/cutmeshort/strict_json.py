"""A strict parser for JSON from the network, with limits."""

import json
from typing import Any, NoReturn

# A list or object takes up to 100 bytes of memory for 2 bytes of text. Real responses have a few.
MAX_CONTAINERS = 1_000


def _reject(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not valid JSON")


_DECODER = json.JSONDecoder(parse_constant=_reject)


def read_json(text: bytes) -> Any:
    """
    Parse JSON in UTF-8.

    Raises:
        ValueError: The text is not JSON, has an unpaired surrogate, is nested too deeply, or has
            more than MAX_CONTAINERS opening brackets, including those in strings.
    """
    if len(text) > MAX_CONTAINERS and _has_more(text, b"[{", MAX_CONTAINERS):
        raise ValueError("too many lists and objects")
    json_text = text.decode().removeprefix("\ufeff").strip(" \t\r\n")
    try:
        value, end = _DECODER.raw_decode(json_text)
        if b"\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()  # fails for an unpaired surrogate
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if end != len(json_text):
        raise ValueError("text after the JSON value")
    return value


def _has_more(text: bytes, characters: bytes, limit: int) -> bool:
    """Return whether the characters together occur more than `limit` times."""
    for character in characters:
        at = text.find(character)
        while at >= 0:
            limit -= 1
            if limit < 0:
                return True
            at = text.find(character, at + 1)
    return False
