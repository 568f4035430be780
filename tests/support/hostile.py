"""Arguments whose methods fail, or that claim to be of another class."""

from datetime import datetime, tzinfo
from typing import Any


def _fail(*_: Any) -> Any:
    raise RuntimeError("secret")


class Hostile:
    """An object whose every method fails."""

    __bool__ = __eq__ = __len__ = __iter__ = __repr__ = __str__ = __int__ = __float__ = _fail
    __getattr__ = __lt__ = __gt__ = __index__ = __hash__ = _fail  # type: ignore[assignment]


class HostileText(str):
    """A str whose methods fail."""

    __contains__ = __len__ = __iter__ = __repr__ = __str__ = __add__ = __getitem__ = _fail
    encode = lower = upper = strip = replace = split = _fail  # type: ignore[assignment]


class HostileNumber(int):
    """An int whose methods fail."""

    __lt__ = __le__ = __gt__ = __ge__ = __float__ = __int__ = __index__ = __repr__ = _fail


class HostileZone(tzinfo):
    """A time zone that has no offset and fails to say so."""

    def utcoffset(self, _: Any) -> Any:
        """Fail."""
        raise RuntimeError("secret")


class TextWithoutLength(str):
    """A str whose length can't be asked for."""

    __len__ = _fail


class TimeWithoutText(datetime):
    """A datetime that can't be turned into text."""

    __str__ = isoformat = _fail  # type: ignore[assignment]


class ClaimsClass:
    """An object that claims to be of another class, as lazy objects do."""

    def __init__(self, claimed: type) -> None:
        self._claimed = claimed

    @property
    def __class__(self) -> Any:
        return self._claimed
