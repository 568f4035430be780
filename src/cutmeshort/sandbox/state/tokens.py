"""Masked tokens, for whatever is shown or stored."""

MASK = "••••"
DEFAULT_TOKEN = "sandbox-token"
_SHOWN = 4
_MIN_LENGTH = 16


def mask_token(token: str) -> str:
    """
    Return four dots instead of a token, followed by the last four characters of a long one.

    A long one has at least 16 characters. The default token is no secret, and counts as long.
    """
    shown = len(token) >= _MIN_LENGTH or token == DEFAULT_TOKEN
    return MASK + token[-_SHOWN:] if shown else MASK
