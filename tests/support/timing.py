"""
Bounds on time, with slack: no test may depend on how busy the machine is.

A test that awaits something waits up to LONG, which passes only if that never happens. A test of an
upper bound adds SLACK to the expected time.
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


class Clock:
    """
    A monotonic clock that stands still, except when it is advanced or a call waits.

    A server advances it between two pieces of a response to make a slow one that takes no time.

    Attributes:
        waits: The seconds of each wait.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self.waits: list[float] = []

    def monotonic(self) -> float:
        """Return the time."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Wait."""
        self.waits.append(seconds)
        self._now += seconds

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += seconds
