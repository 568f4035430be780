"""Numbers the changes in the sandbox, and tells listeners of them."""

import threading
import time
from collections import deque
from typing import Any, Callable, NamedTuple, Optional

from typing_extensions import Literal

MAX_CHANGES = 1_000

# What changed: an exchange; the chain of a customer; the clicks, faults, settings, hints or totals;
# or everything.
Topic = Literal["request", "chain", "clicks", "faults", "settings", "hints", "totals", "all"]


class Change(NamedTuple):
    """
    One change.

    Attributes:
        sequence: The number of the change.
        topic: What changed.
        key: Which one: the exchange of a request, the customer of a chain, else None.
    """

    sequence: int
    topic: Topic
    key: Any


class Changes:
    """
    The newest 1,000 changes, and the functions to call after each one. Threads can share an object.

    The numbers start at the time in microseconds, so that they are above those of an earlier run.

    Attributes:
        sequence: The number of the newest change.
    """

    def __init__(self) -> None:
        self.sequence = int(time.time() * 1_000_000)
        self._newest: deque[Change] = deque(maxlen=MAX_CHANGES)
        self._first = self.sequence  # all changes after this one are known
        self._lock = threading.Lock()
        self._listeners: tuple[Callable[[], object], ...] = ()

    def add(self, topic: Topic, key: Any = None) -> None:
        """Number a change, and call the listeners in this thread."""
        with self._lock:
            self.sequence += 1
            if len(self._newest) == MAX_CHANGES:
                self._first = self._newest[0].sequence
            self._newest.append(Change(self.sequence, topic, key))
        self.notify()

    def notify(self) -> None:
        """Call the listeners in this thread, so that they look again."""
        for listener in self._listeners:
            listener()

    def since(self, sequence: int) -> Optional[list[Change]]:
        """Return the changes after a number; None if some are forgotten, or it is unknown."""
        with self._lock:
            if not self._first <= sequence <= self.sequence:
                return None
            count = self.sequence - sequence
            return list(self._newest)[len(self._newest) - count :]

    def listen(self, listener: Callable[[], object]) -> None:
        """Call a function after each change; it must return at once, and raise nothing."""
        with self._lock:
            self._listeners = (*self._listeners, listener)

    def stop_listening(self, listener: Callable[[], object]) -> None:
        """No longer call a function."""
        with self._lock:
            self._listeners = tuple(each for each in self._listeners if each is not listener)
