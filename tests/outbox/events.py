"""Events for the tests of the outbox, and helpers that look into its file."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from cutmeshort import LeadPayload
from cutmeshort.outbox import QueuedEvent
from cutmeshort.outbox.storage import Storage, StoredEvent

from ..support.timing import LONG


def open_storage(path: Path, max_bytes: int = 2**30) -> Storage:
    """Create a storage."""
    return Storage(str(path), max_bytes=max_bytes)


def queued(number: int, customer: str = "", size: int = 0) -> QueuedEvent:
    """Create an event; by default, of a customer of its own."""
    payload = LeadPayload(
        event_name=f"Event {number}",
        customer_external_id=customer or f"user_{number}",
        click_id="click_1",
        customer_name="x" * min(size, 255) or None,
        customer_avatar=f"https://a/{'x' * size}" if size > 255 else None,
    )
    return QueuedEvent.create(payload)


def put(storage: Storage, *events: QueuedEvent, **options: Any) -> list[bool]:
    """Hand events over."""
    return storage.put(events, LONG, **options)


def take(storage: Storage) -> StoredEvent:
    """Return the next event, which must exist."""
    found = storage.next(LONG)
    assert found is not None
    return found


def name_of(event: QueuedEvent) -> str:
    """Return the name of an event."""
    return str(event.payload().event_name)


def deliver_all(storage: Storage) -> list[str]:
    """Deliver every event, and return their names in order."""
    names = []
    storage.start(LONG)
    while (stored := storage.next(LONG)) is not None:
        storage.delivered(stored, LONG)
        names.append(name_of(stored.event))
    return names


def is_intact(path: Path) -> bool:
    """Return whether SQLite finds no damage in a file."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
