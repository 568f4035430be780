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
    started = time.monotonic()
    result = call()
    return result, time.monotonic() - started


class Clock:
    """
    A monotonic clock that only `sleep` advances, so that waits take no time.

    Attributes:
        waits: The seconds of each sleep.
    """

    def __init__(self) -> None:
        self.waits: list[float] = []

    def monotonic(self) -> float:
        """Return the time."""
        return sum(self.waits)

    def sleep(self, seconds: float) -> None:
        """Advance the clock."""
        self.waits.append(seconds)
