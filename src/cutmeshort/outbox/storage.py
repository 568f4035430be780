"""Storage: the events in the outbox file."""

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from sqlite3 import Connection, Error
from typing import Any, Callable, NamedTuple, Optional

from .database import Database
from .events import QueuedEvent
from .policy import MAX_AGE
from .schema import BEHIND, DEAD, DEFERRED, READY

_DELIVERED_MEMORY = 7 * 86_400.0  # seconds for which the keys of delivered events are kept
_PRUNE_INTERVAL = 3600.0  # seconds
_MAX_SCRUBBED = 5000  # events; more would lock the file for too long

_PUT = """
INSERT INTO events (key, customer, operation, body, created_at, state, may_be_recorded)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""

_STATE = f"""
SELECT CASE state WHEN {DEAD} THEN 'dead' ELSE 'waiting' END FROM events WHERE key = ?
UNION ALL SELECT 'delivered' FROM delivered WHERE key = ?
UNION ALL SELECT 'purged' FROM purged WHERE key = ?
"""

_PART = 10_000  # dead letters
_DEAD = f"SELECT id, customer FROM events WHERE state = {DEAD} AND id > ? ORDER BY id LIMIT ?"

_FIRST = f"(SELECT min(id) FROM events WHERE customer = ? AND state <> {DEAD})"

_LISTED = "id, key, operation, state, created_at, attempts, reason, message, body"


class StoredEvent(NamedTuple):
    """
    An event in the file.

    Attributes:
        id: Increases in the order of hand-over.
        event: The event.
        failures: The number of attempts that ended with a transient error.
        may_be_recorded: Whether the service may have recorded an earlier attempt.
    """

    id: int
    event: QueuedEvent
    failures: int
    may_be_recorded: bool


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
        reason: Of a dead letter: the type of the result; otherwise None.
        message: Of a dead letter: why, without event data; otherwise None.
        body: The payload as JSON. It contains customer data.
    """

    id: int
    key: str
    operation: str
    state: int
    created_at: float
    attempts: int
    reason: Optional[str]
    message: Optional[str]
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

    Attributes:
        path: The absolute path of the file, without symbolic links.
    """

    def __init__(self, path: str, *, max_bytes: int) -> None:
        self._database = Database(path, max_bytes)
        self.path = self._database.path
        self._prune_at = -math.inf

    @property
    def file(self) -> Optional[tuple[int, int]]:
        """The identity of the file that the latest call has used; None before the first one."""
        return self._database.file

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
            return [_put(connection, event, may_be_recorded) for event in added]

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
        """
        Return the oldest event of those that are ready and failed least often; None if none is.

        So events that always fail do not keep the others from being sent.
        """
        statement = f"""
            SELECT id, failures, may_be_recorded, operation, body, created_at, key, customer
            FROM events WHERE state = {READY} ORDER BY failures, id LIMIT 1
        """

        def work(connection: Connection) -> Optional[StoredEvent]:
            row = connection.execute(statement).fetchone()
            if row is None:
                return None
            identifier, failures, may_be_recorded, *values = row
            return StoredEvent(identifier, QueuedEvent(*values), failures, bool(may_be_recorded))

        return self._database.read(work, timeout)

    # The methods below compare the key as well: another file may have replaced that of the event.

    def note_attempt(self, stored: StoredEvent, timeout: float) -> bool:
        """Note an attempt before it is sent; return False if the event is no longer there."""

        def work(connection: Connection) -> bool:
            noted = connection.execute(
                "UPDATE events SET attempts = attempts + 1, may_be_recorded = 1 "
                "WHERE id = ? AND key = ?",
                _of(stored),
            )
            return noted.rowcount == 1

        return self._database.write(work, timeout)

    def not_recorded(self, stored: StoredEvent, timeout: float) -> None:
        """Note that the service has not recorded the attempt that was noted last."""

        def work(connection: Connection) -> None:
            connection.execute(
                "UPDATE events SET may_be_recorded = ? WHERE id = ? AND key = ?",
                [stored.may_be_recorded, *_of(stored)],
            )

        self._database.write(work, timeout)

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
                oldest = time.time() - _DELIVERED_MEMORY
                connection.execute("DELETE FROM delivered WHERE delivered_at < ?", [oldest])
                connection.execute("DELETE FROM purged WHERE purged_at < ?", [oldest])

        self._database.write(work, timeout)
        if now >= self._prune_at:
            self._prune_at = now + _PRUNE_INTERVAL
            with suppress(Error, OSError):  # it needs more space than the delivery
                self._database.write(_scrub, timeout)

    def dead(self, stored: StoredEvent, reason: str, message: str, timeout: float) -> None:
        """Make an event a dead letter, and make the customer's next event ready."""

        def work(connection: Connection) -> None:
            connection.execute(
                f"UPDATE events SET state = {DEAD}, reason = ?, message = ? "
                "WHERE id = ? AND key = ?",
                [reason, message, *_of(stored)],
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

        Those that have expired count as handed over now. Other processes can use the file between
        parts of the work.

        Args:
            identifiers: Which dead letters; None for all.
            timeout: Seconds to wait for other threads and processes.
        """
        now = time.time()
        selected = None if identifiers is None else set(identifiers)

        def work(after: int, connection: Connection) -> tuple[int, Optional[int]]:
            dead = connection.execute(_DEAD, [after, _PART]).fetchall()
            wanted = [row for row in dead if selected is None or row[0] in selected]
            connection.executemany(
                f"UPDATE events SET state = {BEHIND}, failures = 0, reason = NULL, message = NULL, "
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
            return len(wanted), _last(dead)

        return self._in_parts(work, timeout)

    def purge(self, customer: Optional[str], timeout: float) -> int:
        """
        Erase events, and return how many. Their keys are remembered like those of delivered events.

        Other processes can use the file between parts of the work on dead letters.

        Args:
            customer: The hash of the customer whose events are erased; None for all dead letters.
            timeout: Seconds to wait for other threads and processes.
        """
        if customer is not None:

            def erase(connection: Connection) -> int:
                erased = _purge(connection, "customer = ?", [customer])
                _scrub(connection)
                return erased

            return self._database.write(erase, timeout)

        def work(after: int, connection: Connection) -> tuple[int, Optional[int]]:
            last = _last(connection.execute(_DEAD, [after, _PART]).fetchall())
            if last is None:
                _scrub(connection)
                return 0, None
            condition = f"state = {DEAD} AND id > ? AND id <= ?"
            return _purge(connection, condition, [after, last]), last

        return self._in_parts(work, timeout)

    def _in_parts(
        self, work: Callable[[int, Connection], tuple[int, Optional[int]]], timeout: float
    ) -> int:
        """
        Change the dead letters in transactions so short that other processes do not wait for long.

        Args:
            work: Changes the dead letters with ids after the given one, at most `_PART`. It returns
                how many it has changed, and the id of the last one it has seen, or None.
            timeout: Seconds to wait for other threads and processes.
        """
        changed, last = 0, 0
        while True:
            started = time.monotonic()
            number, seen = self._database.write(partial(work, last), timeout)
            changed += number
            if seen is None:
                return changed
            last = seen
            time.sleep(time.monotonic() - started)  # so that others can lock the file

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


def _put(connection: Connection, event: QueuedEvent, may_be_recorded: bool) -> bool:
    found = "SELECT state, may_be_recorded FROM events WHERE key = ?"
    state, earlier = connection.execute(found, [event.key]).fetchone() or (None, False)
    if state not in (None, DEAD):
        return True
    delivered = "SELECT 1 FROM delivered WHERE key = ?"
    if connection.execute(delivered, [event.key]).fetchone():
        return True
    if state == DEAD:
        connection.execute("DELETE FROM events WHERE key = ?", [event.key])
    connection.execute("DELETE FROM purged WHERE key = ?", [event.key])
    first = f"SELECT 1 FROM events WHERE customer = ? AND state <> {DEAD} LIMIT 1"
    behind = connection.execute(first, [event.customer]).fetchone()
    state = BEHIND if behind else READY
    values = (event.key, event.customer, event.operation, event.body, event.created_at)
    connection.execute(_PUT, (*values, state, may_be_recorded or earlier))
    return False


def _last(rows: Sequence[tuple[int, str]]) -> Optional[int]:
    return rows[-1][0] if rows else None


def _purge(connection: Connection, condition: str, values: Sequence[Any]) -> int:
    connection.execute(
        f"INSERT OR REPLACE INTO purged SELECT key, ? FROM events WHERE {condition}",
        [time.time(), *values],
    )
    return connection.execute(f"DELETE FROM events WHERE {condition}", values).rowcount


def _scrub(connection: Connection) -> None:
    """
    Overwrite what is left of erased events, if the file does not have too many others.

    When SQLite moves a row to another page, it does not overwrite the old copy, not even with
    `secure_delete`. So this writes all events again, into new pages.
    """
    more = connection.execute("SELECT 1 FROM events LIMIT 1 OFFSET ?", [_MAX_SCRUBBED]).fetchone()
    if more is None:
        events = connection.execute("SELECT * FROM events ORDER BY id").fetchall()
        connection.execute("DELETE FROM events")
        if events:
            values = ", ".join("?" * len(events[0]))
            connection.executemany(f"INSERT INTO events VALUES ({values})", events)


def _count_delivered(connection: Connection, change: int) -> None:
    connection.execute("UPDATE delivery SET value = value + ? WHERE name = 'delivered'", [change])


def _promote(connection: Connection, customer: str) -> None:
    """Make the first waiting event of a customer ready, if it is behind an event that left."""
    connection.execute(
        f"UPDATE events SET state = {READY} WHERE state = {BEHIND} AND id = {_FIRST}", [customer]
    )
