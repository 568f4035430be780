"""Timestamps: a datetime or ISO 8601 text becomes a datetime with a UTC offset."""

from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple, Optional

from dateutil.parser import isoparse

_MAX_LENGTH = 64


class Timestamp(NamedTuple):
    """
    A timestamp as it is sent.

    Attributes:
        value: The time, with an offset in whole minutes.
        naive: Whether the input had no offset and was taken as UTC.
    """

    value: datetime
    naive: bool


def read_timestamp(value: Any) -> Optional[Timestamp]:
    """
    Read a timestamp; return None if that is not possible.

    Args:
        value: A datetime, or ISO 8601 text of at most 64 characters.
    """
    try:
        text = value if isinstance(value, str) else ""
        time: Any = isoparse(text) if text and len(text) <= _MAX_LENGTH else value
        offset = time.utcoffset()
        if offset is None:
            time = time.replace(tzinfo=timezone.utc)
        elif offset % timedelta(minutes=1):  # ISO 8601 has no seconds in offsets
            time = time.astimezone(timezone.utc)
        else:
            time = time.replace(tzinfo=timezone(offset))
    except Exception:  # noqa: BLE001 - the value and its tzinfo are the application's code
        return None
    return Timestamp(time, offset is None) if isinstance(time, datetime) else None
