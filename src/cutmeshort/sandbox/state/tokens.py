"""The sandbox's token, in full and masked."""

import re
from contextlib import suppress

DEFAULT_TOKEN = "sandbox-token"
MASK = "••••"
_SHOWN = 4
_MIN_LENGTH = 16
# A client that is not the SDK may send the token of an account in another header.
_SECRET_HEADERS = re.compile(rb"auth|cookie|secret|password|token|api-?key", re.IGNORECASE)
_SCHEMES = ("basic", "bearer", "digest", "token")
_MASKED = re.compile(rf"([A-Za-z]+ )?{MASK}.{{0,{_SHOWN}}}", re.DOTALL)


def mask_token(token: str) -> str:
    """
    Return what people may see of a token, to tell it from others.

    These are the last four characters, if the token is so long that they reveal little of it, or if
    it is the default token.
    """
    if token == DEFAULT_TOKEN or len(token) >= _MIN_LENGTH:
        return MASK + token[-_SHOWN:]
    return MASK


def mask_authorization(value: str) -> str:
    """Return the value of an Authorization header with a masked token, unless it is masked."""
    if _MASKED.fullmatch(value):
        return value
    scheme, space, token = value.partition(" ")
    return scheme + space + mask_token(token) if scheme.lower() in _SCHEMES else mask_token(value)


def header_text(value: bytes) -> str:
    """Return the value of a header; it is in Latin-1, except a masked token, which is in UTF-8."""
    with suppress(UnicodeDecodeError):
        if MASK.encode() in value:
            return value.decode()
    return value.decode("latin-1")


def shown_value(name: bytes, value: bytes, include_token: bool) -> str:
    """Return the value of a header, in which a token is masked unless it is to be included."""
    text = header_text(value)
    masked = _SECRET_HEADERS.search(name) and not include_token
    return mask_authorization(text) if masked else text


def header_bytes(text: str) -> bytes:
    """
    Do the opposite of `header_text`.

    Raises:
        UnicodeEncodeError: The value of a header can't have such characters.
    """
    return text.encode("utf-8" if MASK in text else "latin-1")
