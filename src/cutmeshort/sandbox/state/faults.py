"""The faults that the sandbox injects into the next requests."""

import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Optional

from ...checks import check_count, check_flag, check_seconds
from ...exceptions import ApiValueError
from .settings import check_error_status


@dataclass(frozen=True)
class Fault:
    """
    What happens to one request.

    Attributes:
        status: The status of an error response; None for the service's own response.
        drop: Whether the connection is closed without a response.
        latency: Seconds before the response, or before the connection is closed.
        recorded: Whether the service processes the request, before the latency.
        retry_after: Seconds in the Retry-After header of the error response.
    """

    status: Optional[int]
    drop: bool
    latency: float
    recorded: bool
    retry_after: Optional[int]

    @property
    def fails(self) -> bool:
        """Whether the request fails; if not, its response is only late."""
        return self.drop or self.status is not None

    @property
    def label(self) -> str:
        """A few words for humans, such as `429, retry after 30 s` or `record, then drop`."""
        parts = []
        if self.fails:
            outcome = "drop" if self.drop else str(self.status)
            parts.append(f"record, then {outcome}" if self.recorded else outcome)
        if self.retry_after is not None:
            parts.append(f"retry after {self.retry_after} s")
        if self.latency:
            parts.append(f"{self.latency:g} s late")
        return ", ".join(parts)


def make_fault(
    *,
    status: Optional[int] = None,
    drop: bool = False,
    latency: float = 0.0,
    recorded: Optional[bool] = None,
    retry_after: Optional[int] = None,
) -> Fault:
    """
    Create a fault from the arguments of Sandbox.fail_next.

    Raises:
        ApiValueError: An argument or their combination is invalid.
    """
    check_error_status("status", status)
    for name, value in (("drop", drop), ("recorded", recorded)):
        if value is not None:
            check_flag(name, value)
    if latency:
        check_seconds("latency", latency)
    if retry_after is not None:
        check_count("retry_after", retry_after)
        if status is None:
            raise ApiValueError("retry_after requires a status", "retry_after")
    if status is not None and drop:
        raise ApiValueError("status and drop=True can't be combined", "status")
    delayed_only = status is None and not drop
    if delayed_only and not latency:
        raise ApiValueError("fail_next needs a status, drop=True or a latency", "status")
    if delayed_only and recorded is False:
        raise ApiValueError(
            "recorded=False requires a status or drop=True: with a latency alone, the event is "
            "recorded",
            "recorded",
        )
    return Fault(status, drop, latency, delayed_only or bool(recorded), retry_after)


@dataclass(frozen=True)
class PendingFault:
    """
    A fault for some of the next requests.

    Attributes:
        id: Tells the faults of a queue apart.
        fault: What happens to each request.
        times: The number of requests that are left.
    """

    id: int
    fault: Fault
    times: int


class FaultQueue:
    """
    The faults to inject into the next requests, oldest first. Threads can share a queue.

    Attributes:
        lasting: The fault to inject if none is pending; None if there is none.
    """

    def __init__(self) -> None:
        self.lasting: Optional[Fault] = None
        self._pending: deque[PendingFault] = deque()
        self._lock = threading.Lock()
        self._next_id = 1

    def pending(self) -> list[PendingFault]:
        """Return the pending faults."""
        with self._lock:
            return list(self._pending)

    def add(self, fault: Fault, times: int) -> None:
        """Add a fault for `times` requests."""
        with self._lock:
            self._pending.append(PendingFault(self._next_id, fault, times))
            self._next_id += 1

    def prepend(self, pending: Iterable[PendingFault]) -> None:
        """Put faults that were pending earlier in front of those that are pending now."""
        with self._lock:
            self._pending.extendleft(reversed(list(pending)))

    def remove(self, id: int) -> None:
        """Remove the fault with this id, if it is pending."""
        with self._lock:
            self._pending = deque(each for each in self._pending if each.id != id)

    def clear(self) -> None:
        """Remove all pending faults."""
        with self._lock:
            self._pending.clear()

    def take(self) -> Optional[Fault]:
        """Return the fault for the next request, and count it; None if there is none."""
        with self._lock:
            if not self._pending:
                return self.lasting
            first = self._pending.popleft()
            if first.times > 1:
                self._pending.appendleft(replace(first, times=first.times - 1))
            return first.fault
