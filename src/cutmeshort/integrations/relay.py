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

PAGE = 500  # rows that are read at once
DEFAULT_INTERVAL = 1.0  # seconds
MAX_WAIT = 60.0  # seconds between two attempts while the database or the outbox can't be used
_FILE_TIMEOUT = 5.0  # seconds to wait for other processes that use the outbox
_PASS_PAUSE = 50  # times the duration of a pass
_MAX_DOUBLINGS = 10
_SETTLED = ("delivered", "purged")  # states in the outbox of an event whose row is deleted


class Reference(NamedTuple):
    """
    A row without its event.

    Attributes:
        id: Increases in the order of the inserts, but rows may commit in another order.
        key: The key of the event. Several rows may have the same.
        is_handed_over: Whether the outbox had the event at least once.
    """

    id: int
    key: str
    is_handed_over: bool


class Rows(ABC):
    """The table. Each method uses a transaction of its own, and may raise any exception."""

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

    Rows are marked when they were handed over, so that no row is skipped that commits after rows
    with higher ids. From time to time, a pass over all rows compares them with the outbox.

    Args:
        rows: The table.
        outbox: The outbox.
        interval: Seconds between two looks at the table.

    Raises:
        ApiValueError: The interval is not valid.
    """

    def __init__(self, rows: Rows, outbox: Outbox, interval: float) -> None:
        self._rows = rows
        self._outbox = outbox
        self._interval = check_seconds("interval", interval)
        self._next_pass = 0.0  # on the monotonic clock
        # A key that the outbox knows. If it no longer does, the file was deleted or replaced.
        self._witness: Optional[str] = None

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
            self._pass(stop)
            pause = _PASS_PAUSE * (time.monotonic() - started)
            self._next_pass = started + max(self._interval, pause)
        while not stop.is_set():
            new = self._rows.new()
            self._hand_over(new)
            if len(new) < PAGE:
                break

    def _is_file_lost(self) -> bool:
        """Return whether the outbox lost its events, which are older than the new ones."""
        witness = self._witness
        return witness is not None and not self._outbox.storage.states([witness], _FILE_TIMEOUT)

    def _pass(self, stop: threading.Event) -> None:
        """Go through all rows: delete those settled, and hand over those not in the outbox."""
        self._witness = None
        last = 0
        while not stop.is_set():
            page = self._rows.after(last)
            states = self._outbox.storage.states([row.key for row in page], _FILE_TIMEOUT)
            settled = [
                row.id for row in page if row.is_handed_over and states.get(row.key) in _SETTLED
            ]
            if settled:
                self._rows.delete(settled)
            self._witness = next(iter(states), self._witness)
            self._hand_over([row for row in page if row.key not in states])
            if len(page) < PAGE:
                break
            last = page[-1].id

    def _hand_over(self, rows: Sequence[Reference]) -> None:
        """Add the events to the outbox. Those handed over before may have been sent since."""
        for is_handed_over, group in groupby(rows, key=lambda row: row.is_handed_over):
            references = list(group)
            identifiers = [row.id for row in references]
            events = self._rows.events(identifiers)
            self._outbox.put(events, timeout=_FILE_TIMEOUT, may_be_recorded=is_handed_over)
            # If the process dies here, the outbox recognizes the events.
            if not is_handed_over:
                self._rows.note_hand_over(identifiers)
            self._witness = references[-1].key


def _explain(error: Exception) -> str:
    """Return the type and the first line of the message, which has no event data."""
    message = error.message if isinstance(error, ApiException) else str(error)
    return f"{type(error).__name__}: {message}".splitlines()[0]
