"""Storage: the events in the outbox file."""

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from sqlite3 import Connection
from typing import Any, NamedTuple, Optional

from .database import Database
from .events import QueuedEvent
from .policy import MAX_AGE
from .schema import BEHIND, DEAD, DEFERRED, READY

DELIVERED_MEMORY = 7 * 86_400.0  # seconds
_PRUNE_INTERVAL = 3600.0  # seconds

_PUT = """
INSERT INTO events (key, customer, operation, body, created_at, state, attempts)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""

_STATE = f"""
SELECT CASE state WHEN {DEAD} THEN 'dead' ELSE 'waiting' END FROM events WHERE key = ?
UNION ALL SELECT 'delivered' FROM delivered WHERE key = ?
UNION ALL SELECT 'purged' FROM purged WHERE key = ?
"""

_FIRST = f"(SELECT min(id) FROM events WHERE customer = ? AND state <> {DEAD})"

_LISTED = """
id, key, operation, state, created_at, attempts, failures, reason, message, dead_at, body
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


class ListedEvent(NamedTuple):
    """
    An event with what a person needs to know about it.

    Attributes:
        id: Increases in the order of hand-over.
        key: The hash of the fields by which the service deduplicates events.
        operation: The name of its operation.
        state: One of the states in `schema`.
        created_at: When it was queued, in seconds since the epoch.
        attempts: The number of attempts that were noted.
        failures: The number of attempts that ended with a transient error.
        reason: For a dead letter, the type of the result; otherwise None.
        message: For a dead letter, why it is one, without event data; otherwise None.
        dead_at: For a dead letter, when it became one, in seconds since the epoch; otherwise None.
        body: The payload as JSON. It contains customer data.
    """

    id: int
    key: str
    operation: str
    state: int
    created_at: float
    attempts: int
    failures: int
    reason: Optional[str]
    message: Optional[str]
    dead_at: Optional[float]
    body: str


class Storage:
    """
    The events in a SQLite file. Thread-safe, fork-safe, and shared by any number of processes.

    Methods raise sqlite3.Error, or OSError, if the file can't be used. `timeout` is the number of
    seconds to wait for other threads and processes.

    Args:
        path: The file, which is created with mode 0600 if it does not exist.
        max_bytes: The maximum size of the file. It applies only to `put`: delivery frees space, but
            may need some first.
        delivered_memory: Seconds for which the keys of delivered events are kept.

    Attributes:
        path: The absolute path of the file, without symbolic links.
    """

    def __init__(
        self, path: str, *, max_bytes: int, delivered_memory: float = DELIVERED_MEMORY
    ) -> None:
        self._database = Database(path, max_bytes)
        self.path = self._database.path
        self._delivered_memory = delivered_memory
        self._prune_at = -math.inf

    def check(self, timeout: float) -> None:
        """Open the file, and write to it."""

        def work(connection: Connection) -> None:
            for change in (1, -1):  # SQLite would not write a row that does not change
                _count_delivered(connection, change)

        self._database.write(work, timeout)

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
        added = list(events)

        def work(connection: Connection) -> list[bool]:
            return [_put(connection, event, int(may_be_recorded)) for event in added]

        return self._database.write(work, timeout, limited=True)

    def states(self, keys: Sequence[str], timeout: float) -> dict[str, str]:
        """Return `waiting`, `dead`, `delivered` or `purged` for each key that is known."""

        def work(connection: Connection) -> dict[str, str]:
            rows = ((key, connection.execute(_STATE, [key] * 3).fetchone()) for key in keys)
            return {key: row[0] for key, row in rows if row is not None}

        return self._database.read(work, timeout)

    def report(self, values: Mapping[str, Any], timeout: float) -> None:
        """Set values that describe the delivery, for `status`."""

        def work(connection: Connection) -> None:
            connection.executemany("INSERT OR REPLACE INTO delivery VALUES (?, ?)", values.items())

        self._database.write(work, timeout)

    def start(self, timeout: float) -> None:
        """Make the events ready that waited when the last deliverer stopped."""

        def work(connection: Connection) -> None:
            connection.execute(f"UPDATE events SET state = {READY} WHERE state = {DEFERRED}")

        self._database.write(work, timeout)

    def next(self, timeout: float) -> Optional[StoredEvent]:
        """Return the oldest event that is ready; None if there is none."""
        statement = f"""
            SELECT id, attempts, failures, operation, body, created_at, key, customer
            FROM events WHERE state = {READY} ORDER BY id LIMIT 1
        """

        def work(connection: Connection) -> Optional[StoredEvent]:
            row = connection.execute(statement).fetchone()
            if row is None:
                return None
            identifier, attempts, failures, *values = row
            return StoredEvent(identifier, QueuedEvent(*values), attempts, failures)

        return self._database.read(work, timeout)

    def note_attempt(self, identifier: int, timeout: float) -> bool:
        """Note an attempt before it is sent; return False if the event is no longer there."""

        def work(connection: Connection) -> bool:
            noted = connection.execute(
                "UPDATE events SET attempts = attempts + 1 WHERE id = ?", [identifier]
            )
            return noted.rowcount == 1

        return self._database.write(work, timeout)

    # The methods below compare the key as well: another file may have replaced that of the event.

    def delivered(self, stored: StoredEvent, timeout: float) -> None:
        """Erase a delivered event, remember its key, and make the customer's next event ready."""
        now = time.monotonic()

        def work(connection: Connection) -> None:
            erased = connection.execute("DELETE FROM events WHERE id = ? AND key = ?", _of(stored))
            if erased.rowcount:
                connection.execute(
                    "INSERT OR REPLACE INTO delivered VALUES (?, ?)",
                    [stored.event.key, time.time()],
                )
                _count_delivered(connection, 1)
            _promote(connection, stored.event.customer)
            if now >= self._prune_at:
                oldest = time.time() - self._delivered_memory
                connection.execute("DELETE FROM delivered WHERE delivered_at < ?", [oldest])
                connection.execute("DELETE FROM purged WHERE purged_at < ?", [oldest])

        self._database.write(work, timeout)
        if now >= self._prune_at:
            self._prune_at = now + _PRUNE_INTERVAL

    def dead(self, stored: StoredEvent, reason: str, message: str, timeout: float) -> None:
        """Make an event a dead letter, and make the customer's next event ready."""

        def work(connection: Connection) -> None:
            connection.execute(
                f"UPDATE events SET state = {DEAD}, reason = ?, message = ?, dead_at = ? "
                "WHERE id = ? AND key = ?",
                [reason, message, time.time(), *_of(stored)],
            )
            _promote(connection, stored.event.customer)

        self._database.write(work, timeout)

    def defer(self, stored: StoredEvent, failures: int, timeout: float) -> None:
        """
        Let an event wait until `release`; events of other customers overtake it.

        If an earlier event of the customer was retried meanwhile, it waits for that one.
        """

        def work(connection: Connection) -> None:
            connection.execute(
                f"UPDATE events SET failures = ?, "
                f"state = CASE id WHEN {_FIRST} THEN {DEFERRED} ELSE {BEHIND} END "
                "WHERE id = ? AND key = ?",
                [failures, stored.event.customer, *_of(stored)],
            )

        self._database.write(work, timeout)

    def release(self, identifiers: Sequence[int], timeout: float) -> None:
        """Make deferred events ready."""

        def work(connection: Connection) -> None:
            connection.executemany(
                f"UPDATE events SET state = {READY} WHERE id = ? AND state = {DEFERRED}",
                [(identifier,) for identifier in identifiers],
            )

        self._database.write(work, timeout)

    def retry(self, identifiers: Optional[Sequence[int]], timeout: float) -> int:
        """
        Let dead letters wait again, in the order of hand-over, and return how many.

        Those that have expired count as handed over now.

        Args:
            identifiers: Which dead letters; None for all.
            timeout: Seconds to wait for other threads and processes.
        """
        now = time.time()

        def work(connection: Connection) -> int:
            dead = connection.execute(f"SELECT id, customer FROM events WHERE state = {DEAD}")
            wanted = [row for row in dead if identifiers is None or row[0] in identifiers]
            connection.executemany(
                f"UPDATE events SET state = {BEHIND}, failures = 0, reason = NULL, message = NULL, "
                "dead_at = NULL, "
                "created_at = CASE WHEN created_at < ? THEN ? ELSE created_at END WHERE id = ?",
                [(now - MAX_AGE, now, identifier) for identifier, _ in wanted],
            )
            for customer in {customer for _, customer in wanted}:
                connection.execute(
                    f"UPDATE events SET state = {BEHIND} "
                    f"WHERE customer = ? AND state <> {DEAD} AND id <> {_FIRST}",
                    [customer, customer],
                )
                _promote(connection, customer)
            return len(wanted)

        return self._database.write(work, timeout)

    def purge(self, customer: Optional[str], timeout: float) -> int:
        """
        Erase events, and return how many. Their keys are remembered like those of delivered events.

        Args:
            customer: The hash of the customer whose events are erased; None for all dead letters.
            timeout: Seconds to wait for other threads and processes.
        """
        condition = f"state = {DEAD}" if customer is None else "customer = ?"

        def work(connection: Connection) -> int:
            values = () if customer is None else (customer,)
            connection.execute(
                f"INSERT OR REPLACE INTO purged SELECT key, ? FROM events WHERE {condition}",
                (time.time(), *values),
            )
            return connection.execute(f"DELETE FROM events WHERE {condition}", values).rowcount

        return self._database.write(work, timeout)

    def list(
        self, timeout: float, *, dead: bool, after: int = 0, limit: int = 1000
    ) -> "list[ListedEvent]":
        """
        Return events in the order of hand-over.

        Args:
            timeout: Seconds to wait for other threads and processes.
            dead: Whether to return dead letters, or the events that wait.
            after: Only events with a greater id.
            limit: The maximum number of events.
        """
        comparison = "=" if dead else "<>"
        statement = (
            f"SELECT {_LISTED} FROM events WHERE state {comparison} {DEAD} AND id > ? "
            "ORDER BY id LIMIT ?"
        )

        def work(connection: Connection) -> "list[ListedEvent]":
            return [ListedEvent(*row) for row in connection.execute(statement, [after, limit])]

        return self._database.read(work, timeout)

    def summary(self, timeout: float) -> dict[str, Any]:
        """
        Return the values of `report`, and those below, by name.

        - `delivered`: how many events were delivered;
        - `waiting`, `dead`: how many events wait, and how many are dead letters;
        - `oldest`: when the oldest waiting event was queued, in seconds since the epoch; None if
          none waits.
        """

        def work(connection: Connection) -> dict[str, Any]:
            values = dict(connection.execute("SELECT name, value FROM delivery"))
            for name, comparison in (("waiting", "<>"), ("dead", "=")):
                count = f"SELECT count(*) FROM events WHERE state {comparison} {DEAD}"
                (values[name],) = connection.execute(count).fetchone()
            first = f"SELECT created_at FROM events WHERE state <> {DEAD} ORDER BY id LIMIT 1"
            (values["oldest"],) = connection.execute(first).fetchone() or (None,)
            return values

        return self._database.read(work, timeout)

    def close(self) -> None:
        """Close the connection. The next call opens another one."""
        self._database.close()


def _of(stored: StoredEvent) -> tuple[int, str]:
    return stored.id, stored.event.key


def _put(connection: Connection, event: QueuedEvent, attempts: int) -> bool:
    found = "SELECT state, attempts FROM events WHERE key = ?"
    state, earlier_attempts = connection.execute(found, [event.key]).fetchone() or (None, 0)
    if state not in (None, DEAD):
        return True
    delivered = "SELECT 1 FROM delivered WHERE key = ?"
    if connection.execute(delivered, [event.key]).fetchone():
        return True
    if state == DEAD:
        connection.execute("DELETE FROM events WHERE key = ?", [event.key])
    connection.execute("DELETE FROM purged WHERE key = ?", [event.key])
    earlier = f"SELECT 1 FROM events WHERE customer = ? AND state <> {DEAD} LIMIT 1"
    behind = connection.execute(earlier, [event.customer]).fetchone()
    state = BEHIND if behind else READY
    values = (event.key, event.customer, event.operation, event.body, event.created_at)
    connection.execute(_PUT, (*values, state, max(attempts, earlier_attempts)))
    return False


def _count_delivered(connection: Connection, change: int) -> None:
    connection.execute("UPDATE delivery SET value = value + ? WHERE name = 'delivered'", [change])


def _promote(connection: Connection, customer: str) -> None:
    """Make the first waiting event of a customer ready, if it is behind an event that left."""
    connection.execute(
        f"UPDATE events SET state = {READY} WHERE state = {BEHIND} AND id = {_FIRST}", [customer]
    )
