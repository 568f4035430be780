"""Runs the real Deliverer in fast motion, where its waits advance a fake clock; reads the file."""

import sqlite3
import threading
from typing import Any, Callable

from cutmeshort import CMSClient
from cutmeshort.outbox import Outbox
from cutmeshort.outbox.delivery import Deliverer

from ..support.timing import Clock


class FastStop(threading.Event):
    """
    Advances a fake clock instead of waiting.

    Args:
        clock: The clock.
        until: Called in each wait; if it returns True, the deliverer stops.
    """

    def __init__(self, clock: Clock, until: Callable[[], bool]) -> None:
        super().__init__()
        self._clock = clock
        self._until = until

    def wait(self, timeout: Any = None) -> bool:
        """Advance the clock by the timeout."""
        self._clock.advance(timeout)
        if self._until():
            self.set()
        return self.is_set()


def query(outbox: Outbox, statement: str) -> list[Any]:
    """Return the rows of a statement that reads the file."""
    connection = sqlite3.connect(outbox.storage.path)
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


def waiting(outbox: Outbox) -> int:
    """Return the number of events that are neither delivered nor dead letters."""
    ((count,),) = query(outbox, "SELECT count(*) FROM events WHERE state <> 3")
    return int(count)


def dead_letters(outbox: Outbox) -> list[Any]:
    """Return the ids and reasons of the dead letters."""
    return query(outbox, "SELECT id, reason FROM events WHERE state = 3 ORDER BY id")


def deliver(
    outbox: Outbox, client: CMSClient, clock: Clock, *, seconds: float = 1e6, per_minute: int = 0
) -> Deliverer:
    """Deliver until no event waits, or for some seconds on the fake clock."""
    end = clock.monotonic() + seconds
    stop = FastStop(clock, lambda: clock.monotonic() >= end or not waiting(outbox))
    deliverer = Deliverer(outbox.storage, client, per_minute=per_minute)
    deliverer.run(stop)
    return deliverer
