"""Arguments whose methods raise exceptions, or that report another class as their own."""

from datetime import datetime, tzinfo
from typing import Any


def _fail(*_: Any) -> Any:
    raise RuntimeError("secret")


class FailingObject:
    """An object whose every method fails."""

    __bool__ = __eq__ = __len__ = __iter__ = __repr__ = __str__ = __int__ = __float__ = _fail
    __getattr__ = __lt__ = __gt__ = __index__ = __hash__ = _fail  # type: ignore[assignment]


class FailingStr(str):
    """A str whose methods fail."""

    __contains__ = __len__ = __iter__ = __repr__ = __str__ = __add__ = __getitem__ = _fail
    encode = lower = upper = strip = replace = split = _fail  # type: ignore[assignment]


class FailingInt(int):
    """An int whose methods fail."""

    __lt__ = __le__ = __gt__ = __ge__ = __float__ = __int__ = __index__ = __repr__ = _fail


class FailingTimeZone(tzinfo):
    """A time zone whose offset can't be read."""

    def utcoffset(self, _: Any) -> Any:
        """Fail."""
        raise RuntimeError("secret")


class StrWithoutLength(str):
    """A str whose length can't be read."""

    __len__ = _fail


class DatetimeWithoutFormat(datetime):
    """A datetime that can't be formatted."""

    __str__ = isoformat = _fail  # type: ignore[assignment]


class ObjectWithFakeClass:
    """An object that reports another class as its own, as lazy objects do."""

    def __init__(self, fake_class: type) -> None:
        self._fake_class = fake_class

    @property
    def __class__(self) -> Any:
        return self._fake_class
