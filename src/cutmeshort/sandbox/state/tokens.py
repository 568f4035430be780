"""The sandbox's token, in full and masked."""

DEFAULT_TOKEN = "sandbox-token"
_MASK = "••••"
_SHOWN = 4
_MIN_LENGTH = 16


def mask_token(token: str) -> str:
    """
    Return what people may see of a token, to tell it from others.

    These are the last four characters, if the token is so long that they reveal little of it, or if
    it is the default token.
    """
    if token == DEFAULT_TOKEN or len(token) >= _MIN_LENGTH:
        return _MASK + token[-_SHOWN:]
    return _MASK


def mask_authorization(value: str) -> str:
    """Return the value of an Authorization header with a masked token."""
    scheme, space, token = value.partition(" ")
    return scheme + space + mask_token(token) if space else mask_token(value)
