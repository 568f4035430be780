"""
When the next request may be sent, and the next attempt of an event that failed.

No clock and no I/O: times are seconds on the monotonic clock, which the caller passes.
"""

import heapq
import math

from .policy import MAX_PAUSE, Decision

RECOVERY = 1.0  # how much the rate grows in a minute after it was halved, in requests per minute
MIN_RATE = 1.0  # requests per minute


class Pacing:
    """
    Spaces requests evenly, so that several senders share the service's limit without shared state.

    A 429 halves the rate, which then grows linearly up to the maximum. The sender with the highest
    rate therefore gives up the most.

    Args:
        per_minute: The maximum rate, in requests per minute, 1 or more; 0 for no limit: then only
            pauses delay requests.
    """

    def __init__(self, per_minute: float) -> None:
        self._highest = float(per_minute)
        self._rate = self._highest  # at the time `_rate_at`
        self._rate_at = 0.0
        self._next = 0.0
        self.paused_until = 0.0

    def rate(self, now: float) -> float:
        """Return the current rate in requests per minute; 0 for no limit."""
        grown = self._rate + RECOVERY * (now - self._rate_at) / 60
        return min(grown, self._highest)

    def wait(self, now: float) -> float:
        """Return the seconds until the next request may be sent; 0 if it may be sent now."""
        return max(0.0, self._next - now, self.paused_until - now)

    def sent(self, now: float) -> None:
        """Note that a request is sent now."""
        if self._highest:
            self._next = now + 60 / self.rate(now)

    def after(self, decision: Decision, now: float) -> None:
        """Apply a decision: halve the rate, and pause."""
        if decision.is_rate_limited and self._highest:
            self._rate = max(self.rate(now) / 2, MIN_RATE)
            self._rate_at = now
            self._next = now + 60 / self._rate
        if decision.pause:
            self.paused_until = now + decision.pause


class Deferred:
    """The events that failed, and when each may be sent again."""

    def __init__(self) -> None:
        self._failed: dict[int, tuple[float, float]] = {}  # by id: when it failed, when it is due
        self._heap: list[tuple[float, int]] = []

    def add(self, identifier: int, wait: float, now: float) -> None:
        """
        Add an event that failed now, and may be sent again after a wait in seconds.

        After an infinite wait, it is sent again when no other event is ready.
        """
        self._failed.pop(identifier, None)  # so that the order is that of the failures
        self._failed[identifier] = (now, now + wait)
        if wait < math.inf:
            heapq.heappush(self._heap, (now + wait, identifier))

    def pop_due(self, now: float) -> list[int]:
        """Remove and return the events that are due."""
        due = []
        while self._heap and self._heap[0][0] <= now:
            time, identifier = heapq.heappop(self._heap)
            if self._failed.get(identifier, (0.0, None))[1] == time:  # else it is outdated
                del self._failed[identifier]
                due.append(identifier)
        return due

    def pop_idle(self, now: float) -> list[int]:
        """
        Remove and return the event that failed first, when no other event is ready.

        It is returned once it has waited for MAX_PAUSE, so that delivery resumes soon after an
        outage, even if all waiting events have failed many times.
        """
        for identifier, (failed_at, _) in self._failed.items():
            if failed_at + MAX_PAUSE <= now:
                del self._failed[identifier]
                return [identifier]
            break
        return []
