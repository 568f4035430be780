"""JSON from outside, read within limits."""

import json
from typing import Any, NoReturn

# Each takes up to 100 bytes of memory for 2 bytes of text. A real response has a few.
MAX_CONTAINERS = 1_000


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)


def read_json(text: bytes) -> Any:
    """
    Read JSON in UTF-8.

    Raises:
        ValueError: The text is not JSON, has an unpaired surrogate, is nested too deep, or has more
            than MAX_CONTAINERS lists and objects, which would take much more memory than the text.
    """
    if len(text) > MAX_CONTAINERS and _has_more(text, b"[{", MAX_CONTAINERS):
        raise ValueError("too many lists and objects")
    json_text = text.decode().removeprefix("\ufeff").strip(" \t\r\n")
    try:
        value, end = _DECODER.raw_decode(json_text)
        if b"\\" in text and b"\\u" in text:  # the second search alone is a hundred times slower
            json.dumps(value, ensure_ascii=False).encode()  # fails for an unpaired surrogate
    except RecursionError:
        raise ValueError("nested too deep") from None
    if end != len(json_text):
        raise ValueError("text after the JSON value")
    return value


def _has_more(text: bytes, characters: bytes, limit: int) -> bool:
    """Tell whether the characters occur more than `limit` times, without counting them all."""
    for character in characters:
        at = text.find(character)
        while at >= 0:
            limit -= 1
            if limit < 0:
                return True
            at = text.find(character, at + 1)
    return False
