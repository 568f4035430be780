"""Timestamps: a datetime or ISO 8601 text becomes a datetime with an offset."""

import os
import re
import threading
from datetime import datetime, timedelta, timezone
from typing import Any, Callable, Optional

_MAX_LENGTH = 64

# An import that is under way in one thread while another one forks would leave its lock held in the
# child, for ever. So a fork waits for it.
_importing = threading.RLock()
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(
        before=_importing.acquire,
        after_in_parent=_importing.release,
        after_in_child=_importing.release,
    )


def read_timestamp(value: Any) -> Optional[tuple[datetime, bool]]:
    """
    Read a timestamp.

    Args:
        value: A datetime, or ISO 8601 text of at most 64 characters.

    Returns:
        The time with an offset in whole minutes, and whether the value had no offset, so that it
        was taken as UTC; None where it can't be read.
    """
    try:
        when: Any = _read_iso(value) if isinstance(value, str) else value
        offset = when.utcoffset()
        aware = _with_offset(when, offset)
    except Exception:  # noqa: BLE001 - the value and its tzinfo are the application's code
        return None
    return (aware, offset is None) if isinstance(aware, datetime) else None


def _read_iso(text: str) -> Optional[datetime]:
    if len(text) > _MAX_LENGTH:
        return None
    read: Callable[[str], datetime]
    try:
        with _importing:
            from dateutil.parser import isoparse as read
    except (ImportError, OSError):  # no file descriptor is left to read a module
        read = datetime.fromisoformat
        text = re.sub(r"[Zz]$", "+00:00", text)  # which it reads from Python 3.11 on
    try:
        return read(text)
    except (ValueError, OverflowError):
        return None


def _with_offset(when: Any, offset: Optional[timedelta]) -> Any:
    if offset is None:
        return when.replace(tzinfo=timezone.utc)
    if offset % timedelta(minutes=1):  # an offset with seconds is not ISO 8601
        return when.astimezone(timezone.utc)
    return when.replace(tzinfo=timezone(offset))
