"""Timestamps: a datetime or an ISO 8601 string becomes a datetime with a UTC offset."""

from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple, Optional

from dateutil.parser import isoparse

_MAX_LENGTH = 64


class ParsedTimestamp(NamedTuple):
    """
    A parsed timestamp.

    Attributes:
        value: The time to send, with a UTC offset in whole minutes.
        naive: Whether the input had no UTC offset and was taken as UTC.
    """

    value: datetime
    naive: bool


def read_timestamp(value: Any) -> Optional[ParsedTimestamp]:
    """
    Parse a timestamp; return None if it is not valid.

    Args:
        value: A datetime, or an ISO 8601 string of at most 64 characters.
    """
    try:
        time = value
        if isinstance(value, str):
            if len(value) > _MAX_LENGTH:
                return None
            time = _parse(value)
        offset = time.utcoffset()
        if offset is None:
            time = time.replace(tzinfo=timezone.utc)
        elif offset % timedelta(minutes=1):  # ISO 8601 has no seconds in offsets
            time = time.astimezone(timezone.utc)
        else:
            time = time.replace(tzinfo=timezone(offset))
    except Exception:  # noqa: BLE001 - the methods of the value and of its tzinfo may raise any
        return None
    return ParsedTimestamp(time, offset is None) if isinstance(time, datetime) else None


def _parse(text: str) -> datetime:
    try:
        # Not isoparse first: for a UTC offset it takes a lock, which would stay locked in a child
        # that another thread forks at that moment.
        return datetime.fromisoformat(text)
    except ValueError:
        return isoparse(text)
