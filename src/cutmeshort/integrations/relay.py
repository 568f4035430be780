"""
The relay: copies events from a table of a database into an outbox, which delivers them.

Each integration with a database library implements `Rows`.
"""

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from itertools import groupby
from typing import NamedTuple, Optional

from ..checks import check_seconds
from ..exceptions import ApiException
from ..logs import log
from ..outbox import Outbox, QueuedEvent

PAGE = 500  # the number of rows that a query reads
DEFAULT_INTERVAL = 1.0  # seconds
MAX_WAIT = 60.0  # seconds between two attempts while the database or the outbox can't be used
_FILE_TIMEOUT = 5.0  # seconds to wait for other processes that use the outbox
_PASS_PAUSE = 50  # the pause after a pass, as a multiple of its duration
_MAX_DOUBLINGS = 10
_SETTLED = ("delivered", "purged")  # in these states of an event, its row can be deleted


class Reference(NamedTuple):
    """
    A row without its event.

    Attributes:
        id: Increases in the order of the inserts, but rows may commit in another order.
        key: The key of the event. Several rows may have the same.
        is_handed_over: Whether the event was copied into the outbox at least once.
    """

    id: int
    key: str
    is_handed_over: bool


class Rows(ABC):
    """The table. Each method uses its own transaction, and may raise any exception."""

    @abstractmethod
    def after(self, identifier: int) -> list[Reference]:
        """Return the first PAGE rows with a higher id, by id."""

    @abstractmethod
    def new(self) -> list[Reference]:
        """Return the first PAGE rows that were not handed over, by id."""

    @abstractmethod
    def events(self, identifiers: Sequence[int]) -> list[QueuedEvent]:
        """Return the events of these rows, by id, except of rows that are no longer there."""

    @abstractmethod
    def note_hand_over(self, identifiers: Sequence[int]) -> None:
        """Note that the outbox has the events."""

    @abstractmethod
    def delete(self, identifiers: Sequence[int]) -> None:
        """Delete rows."""

    @abstractmethod
    def disconnect(self) -> None:
        """Close the connections after an error, so that the next attempt opens new ones."""


class Relay:
    """
    Copies events from a table into an outbox, and deletes the rows of those delivered or purged.

    The relay marks the rows that it has copied, so that it does not skip a row that commits after
    rows with higher ids. Periodically, a pass over all rows compares them with the outbox.

    Args:
        rows: The table.
        outbox: The outbox.
        interval: Seconds between polls of the table.

    Raises:
        ApiValueError: The interval is not valid.
    """

    def __init__(self, rows: Rows, outbox: Outbox, interval: float) -> None:
        self._rows = rows
        self._outbox = outbox
        self._interval = check_seconds("interval", interval)
        self._next_pass = 0.0  # on the monotonic clock
        # A key that the outbox has. If it no longer has it, the file was deleted or replaced.
        self._known_key: Optional[str] = None

    def run(self, stop: threading.Event) -> None:
        """Run until `stop` is set. An error is logged once, and the relay tries again."""
        failures = 0
        while not stop.is_set():
            try:
                self._round(stop)
            except Exception as error:  # noqa: BLE001 - drivers raise many; the relay must not end
                if failures == 0:
                    log(logging.ERROR, "The relay failed, and tries again: %s", _explain(error))
                failures += 1
                with suppress(Exception):
                    self._rows.disconnect()
            else:
                if failures:
                    log(logging.INFO, "The relay works again")
                failures = 0
            wait = self._interval * 2 ** min(failures, _MAX_DOUBLINGS)
            stop.wait(max(self._interval, min(wait, MAX_WAIT)))

    def _round(self, stop: threading.Event) -> None:
        started = time.monotonic()
        if started >= self._next_pass or self._is_file_lost():
            pause = _PASS_PAUSE * self._pass(stop)
            self._next_pass = started + max(self._interval, pause)
        while not stop.is_set():
            new = self._rows.new()
            self._hand_over(new)
            if len(new) < PAGE:
                break

    def _is_file_lost(self) -> bool:
        """Return whether the outbox lost its events, which are older than the new ones."""
        known_key = self._known_key
        return known_key is not None and not self._outbox.storage.states([known_key], _FILE_TIMEOUT)

    def _pass(self, stop: threading.Event) -> float:
        """
        Compare all rows with the outbox: delete the settled ones, and copy the missing ones.

        Returns:
            How many seconds the comparisons took, without the copies.
        """
        self._known_key = None
        last, seconds = 0, 0.0
        while not stop.is_set():
            started = time.monotonic()
            page = self._rows.after(last)
            states = self._outbox.storage.states([row.key for row in page], _FILE_TIMEOUT)
            settled = [
                row.id for row in page if row.is_handed_over and states.get(row.key) in _SETTLED
            ]
            if settled:
                self._rows.delete(settled)
            self._known_key = next(iter(states), self._known_key)
            seconds += time.monotonic() - started
            self._hand_over([row for row in page if row.key not in states])
            if len(page) < PAGE:
                break
            last = page[-1].id
        return seconds

    def _hand_over(self, rows: Sequence[Reference]) -> None:
        """Add the events to the outbox. Those handed over earlier may already have been sent."""
        for is_handed_over, group in groupby(rows, key=lambda row: row.is_handed_over):
            references = list(group)
            identifiers = [row.id for row in references]
            events = self._rows.events(identifiers)
            self._outbox.put(events, timeout=_FILE_TIMEOUT, may_be_recorded=is_handed_over)
            # If the process dies here, the next relay adds the events again, as duplicates.
            if not is_handed_over:
                self._rows.note_hand_over(identifiers)
            self._known_key = references[-1].key


def _explain(error: Exception) -> str:
    """Return the type and the first line of the message, which has no event data."""
    message = error.message if isinstance(error, ApiException) else str(error)
    return f"{type(error).__name__}: {message}".splitlines()[0]
