"""Storage: the events in a SQLite file."""

import sqlite3
import threading
import time
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Optional

from .events import QueuedEvent
from .schema import BEHIND, DEAD, DEFERRED, READY, prepare

DELIVERED_MEMORY = 7 * 86_400.0  # seconds

_PUT = """
INSERT INTO events (key, customer, operation, body, created_at, state, attempts)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""

_STATE = f"""
SELECT CASE state WHEN {DEAD} THEN 'dead' ELSE 'waiting' END FROM events WHERE key = ?
UNION ALL SELECT 'delivered' FROM delivered WHERE key = ?
"""


class StoredEvent(NamedTuple):
    """
    An event in the file.

    Attributes:
        id: Increases in the order of hand-over.
        event: The event.
        attempts: The number of attempts that were noted.
        failures: The number of attempts that ended with a transient error.
    """

    id: int
    event: QueuedEvent
    attempts: int
    failures: int


class Storage:
    """
    The events in a SQLite file. Thread-safe, fork-safe, and shared by any number of processes.

    Methods raise sqlite3.Error, or OSError, if the file can't be used.

    Args:
        path: The file, which is created with mode 0600 if it does not exist.
        max_bytes: The largest size of the file.
        delivered_memory: Seconds for which the keys of delivered events are kept.
    """

    def __init__(
        self, path: str, *, max_bytes: int, delivered_memory: float = DELIVERED_MEMORY
    ) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._delivered_memory = delivered_memory
        self._lock = threading.Lock()
        self._connection: Optional[sqlite3.Connection] = None
        _storages.add(self)

    def put(
        self, events: Iterable[QueuedEvent], timeout: float, *, may_be_recorded: bool = False
    ) -> list[bool]:
        """
        Add events, all or none. They are on disk when the method returns.

        Args:
            events: The events, in the order of hand-over.
            timeout: Seconds to wait for other threads and processes.
            may_be_recorded: Whether an earlier attempt may have been sent from elsewhere.

        Returns:
            For each event, whether it is a duplicate: its key is waiting, or was delivered.
        """
        with self._transaction(timeout) as connection:
            return [self._put(connection, event, int(may_be_recorded)) for event in events]

    def _put(self, connection: sqlite3.Connection, event: QueuedEvent, attempts: int) -> bool:
        found = connection.execute("SELECT state FROM events WHERE key = ?", [event.key]).fetchone()
        if found is not None and found[0] != DEAD:
            return True
        delivered = "SELECT 1 FROM delivered WHERE key = ?"
        if connection.execute(delivered, [event.key]).fetchone():
            return True
        if found is not None:
            connection.execute("DELETE FROM events WHERE key = ?", [event.key])
        earlier = f"SELECT 1 FROM events WHERE customer = ? AND state <> {DEAD} LIMIT 1"
        behind = connection.execute(earlier, [event.customer]).fetchone()
        values = (event.key, event.customer, event.operation, event.body, event.created_at)
        connection.execute(_PUT, (*values, BEHIND if behind else READY, attempts))
        return False

    def states(self, keys: Sequence[str], timeout: float) -> dict[str, str]:
        """Return `waiting`, `delivered` or `dead` for each key that is known."""
        found: dict[str, str] = {}
        with self._locked(timeout) as connection:
            for key in keys:
                row = connection.execute(_STATE, [key, key]).fetchone()
                if row is not None:
                    found[key] = row[0]
        return found

    def report(self, values: Mapping[str, Any], timeout: float) -> None:
        """Set values that describe the delivery, for `status`."""
        with self._transaction(timeout) as connection:
            connection.executemany("INSERT OR REPLACE INTO delivery VALUES (?, ?)", values.items())

    def start(self, timeout: float) -> None:
        """Make the events ready that waited when the last deliverer stopped."""
        with self._transaction(timeout) as connection:
            connection.execute(f"UPDATE events SET state = {READY} WHERE state = {DEFERRED}")

    def next(self, timeout: float) -> Optional[StoredEvent]:
        """Return the oldest event that is ready; None if there is none."""
        statement = f"""
            SELECT id, attempts, failures, operation, body, created_at, key, customer
            FROM events WHERE state = {READY} ORDER BY id LIMIT 1
        """
        with self._locked(timeout) as connection:
            row = connection.execute(statement).fetchone()
        if row is None:
            return None
        identifier, attempts, failures, *values = row
        return StoredEvent(identifier, QueuedEvent(*values), attempts, failures)

    def note_attempt(self, identifier: int, timeout: float) -> bool:
        """Note an attempt before it is sent; return False if the event is no longer there."""
        with self._transaction(timeout) as connection:
            noted = connection.execute(
                "UPDATE events SET attempts = attempts + 1 WHERE id = ?", [identifier]
            )
            return noted.rowcount == 1

    def delivered(self, stored: StoredEvent, timeout: float) -> None:
        """Erase a delivered event, remember its key, and make the customer's next event ready."""
        with self._transaction(timeout) as connection:
            if connection.execute("DELETE FROM events WHERE id = ?", [stored.id]).rowcount:
                connection.execute(
                    "INSERT OR REPLACE INTO delivered VALUES (?, ?)",
                    [stored.event.key, time.time()],
                )
                connection.execute("UPDATE delivery SET value = value + 1 WHERE name = 'delivered'")
            self._promote(connection, stored.event.customer)

    def dead(self, stored: StoredEvent, reason: str, message: str, timeout: float) -> None:
        """Make an event a dead letter, and make the customer's next event ready."""
        with self._transaction(timeout) as connection:
            connection.execute(
                f"UPDATE events SET state = {DEAD}, reason = ?, message = ?, dead_at = ? "
                "WHERE id = ?",
                [reason, message, time.time(), stored.id],
            )
            self._promote(connection, stored.event.customer)

    def defer(self, stored: StoredEvent, failures: int, timeout: float) -> None:
        """Let an event wait until `release`; events of other customers overtake it."""
        with self._transaction(timeout) as connection:
            connection.execute(
                f"UPDATE events SET state = {DEFERRED}, failures = ? WHERE id = ?",
                [failures, stored.id],
            )

    def release(self, identifiers: Sequence[int], timeout: float) -> None:
        """Make deferred events ready."""
        with self._transaction(timeout) as connection:
            connection.executemany(
                f"UPDATE events SET state = {READY} WHERE id = ? AND state = {DEFERRED}",
                [(identifier,) for identifier in identifiers],
            )

    def _promote(self, connection: sqlite3.Connection, customer: str) -> None:
        """Make the first waiting event of a customer ready, if it is behind an event that left."""
        connection.execute(
            f"""
            UPDATE events SET state = {READY} WHERE state = {BEHIND} AND id = (
                SELECT min(id) FROM events WHERE customer = ? AND state <> {DEAD}
            )
            """,
            [customer],
        )

    def close(self) -> None:
        """Close the connection. The next call opens another one."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @contextmanager
    def _transaction(self, timeout: float) -> Iterator[sqlite3.Connection]:
        with self._locked(timeout) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                connection.rollback()
                raise

    @contextmanager
    def _locked(self, timeout: float) -> Iterator[sqlite3.Connection]:
        deadline = time.monotonic() + timeout
        if not self._lock.acquire(timeout=timeout):
            raise sqlite3.OperationalError("other threads use the file")
        try:
            connection = self._open()
            wait = max(0, int(1000 * (deadline - time.monotonic())))
            connection.execute(f"PRAGMA busy_timeout = {wait}")
            yield connection
        finally:
            self._lock.release()

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
            try:
                connection.execute("PRAGMA journal_mode = TRUNCATE")
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("PRAGMA secure_delete = ON")
                connection.execute("PRAGMA temp_store = MEMORY")
                prepare(connection)
                (page_size,) = connection.execute("PRAGMA page_size").fetchone()
                connection.execute(f"PRAGMA max_page_count = {self._max_bytes // page_size}")
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection


_storages: "weakref.WeakSet[Storage]" = weakref.WeakSet()
