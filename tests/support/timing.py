"""
Time limits that hold on a busy machine.

A test that waits for an event waits at most LONG seconds, and passes only if the event comes. A
test of an upper bound adds SLACK seconds to the expected time.
"""

import time
from typing import Any, Callable

LONG = 30.0
SLACK = 4.0


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """Call a function; return its result and how many seconds it took."""
    started = time.perf_counter()
    result = call()
    return result, time.perf_counter() - started


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for what another thread or process does, and nothing announces."""
    deadline = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


class Clock:
    """
    A fake monotonic clock, which advances only when a test advances it or a call sleeps.

    A server advances it between two pieces of a response, to test a slow response without waiting.

    Attributes:
        waits: The seconds of each sleep.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self.waits: list[float] = []

    def monotonic(self) -> float:
        """Return the current time."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Record the sleep and advance the clock."""
        self.waits.append(seconds)
        self._now += seconds

    def advance(self, seconds: float) -> None:
        """Advance the clock by some seconds."""
        self._now += seconds
