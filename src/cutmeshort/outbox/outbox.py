"""Outbox: queues events in a SQLite file."""

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Optional, Union

from typing_extensions import Self

from ..checks import check_count, check_path
from ..exceptions import ApiValueError
from ..models import ExternalId
from ..results import Outcome
from .events import QueuedEvent, customer_hash
from .lock import is_locked
from .policy import PER_MINUTE
from .problems import explain
from .queue_tracker import DEFAULT_TIMEOUT, QueueTracker, outbox_error
from .schema import BEHIND, DEAD, DEFERRED, READY
from .status import EventInfo, OutboxStatus
from .storage import ListedEvent, Storage

if TYPE_CHECKING:
    from ..client import CMSClient
    from .delivery import DeliveryThread

MAX_BYTES = 2**30
_MAX_INTEGER = 2**63 - 1
_MIN_BYTES = 2**16  # the empty tables need more than half of it

_WAITING = {
    BEHIND: "It waits for an earlier event of the customer.",
    READY: "It is due.",
    DEFERRED: "It waits for its next attempt.",
}


class Outbox(QueueTracker):
    """
    Queues events in a SQLite file, with the tracking methods of CMSClient. Thread-safe and
    fork-safe.

    Any number of processes on one machine can share the file. `cutmeshort deliver PATH` delivers
    the events, or a thread of this process: see `delivering`.

    The tracking methods return within `timeout`, unless the disk hangs. Their results are those of
    `QueueTracker`. The methods that manage the events raise ApiException, with the type
    `outbox_full` or `outbox_error`, if the file can't be used.

    Args:
        path: The path of the file, on a local disk. The file is created with mode 0600 if it does
            not exist. Its directory must exist and be writable.
        timeout: Seconds for one call; above 0, at most 86400.
        enabled: If False, the methods validate, queue nothing, and return an error of type
            `disabled`. Defaults to `CMS_ENABLED`, then to True.
        max_bytes: The maximum size of the file in bytes, 65536 or more. At that size, results have
            the type `outbox_full`. Delivery still works, and can slightly exceed it.
        on_outcome: A function, not async, that is called with an Outcome after each call. The
            Outcome says whether the event was queued, not whether it was delivered.

    Raises:
        ApiValueError: A setting is not valid, or the file can't be used for a reason that a later
            attempt can't solve, such as missing permissions. A disabled outbox does not check it.
        ApiTypeError: `on_outcome` is not a function.
    """

    _queue_errors = ()

    def __init__(
        self,
        path: Union[str, "os.PathLike[str]"],
        *,
        timeout: float = DEFAULT_TIMEOUT,
        enabled: Optional[bool] = None,
        max_bytes: int = MAX_BYTES,
        on_outcome: Optional[Callable[[Outcome], object]] = None,
    ) -> None:
        super().__init__(self._put_one, timeout=timeout, enabled=enabled, on_outcome=on_outcome)
        self.storage = Storage(
            check_path("path", path, "the path of a file"),
            max_bytes=check_count("max_bytes", max_bytes, _MIN_BYTES),
        )
        if self._enabled:
            self._check()

    def put(
        self,
        events: Sequence[QueuedEvent],
        *,
        timeout: Optional[float] = None,
        may_be_recorded: bool = False,
    ) -> list[bool]:
        """
        Add events that were queued elsewhere, all or none; return whether each is a duplicate.

        Args:
            events: The events, in the order of delivery.
            timeout: Seconds for this call, instead of the outbox's.
            may_be_recorded: Whether the events may already have been sent, for example from an
                outbox file that was lost. A 409 may then mean that the service has the event.

        Raises:
            ApiException: The events were not added; its `type` is `outbox_full` or `outbox_error`.
        """
        seconds = self._timeout if timeout is None else timeout
        with _file_errors():
            return self.storage.put(events, seconds, may_be_recorded=may_be_recorded)

    def delivering(
        self, client: "Optional[CMSClient]" = None, *, per_minute: int = PER_MINUTE
    ) -> "DeliveryThread":
        """
        Deliver the events in a thread of this process, while a `with` block runs.

        Only one process or thread at a time delivers the events of a file; the others wait until it
        ends. At its end, the block waits for the request in progress.

        Args:
            client: The client that sends the events. By default, one with the settings of the
                environment, which logs failed attempts at DEBUG only.
            per_minute: The maximum number of requests per minute; 0 for no limit.

        Raises:
            ApiValueError: A setting is not valid, or there is no token; raised by `with`, too.
        """
        from .delivery import DeliveryThread

        return DeliveryThread(self.storage, client, per_minute=per_minute)

    def deliver(self, client: "Optional[CMSClient]" = None) -> int:
        """
        Deliver the events that wait, in this thread and as fast as possible, and return.

        For tests and scripts: it ignores the rate limit, and stops at the first failure that makes
        delivery pause. The next call retries the events that failed.

        Args:
            client: The client that sends the events. By default, one with the settings of the
                environment, which logs failed attempts at DEBUG only.

        Returns:
            The number of events that still wait.

        Raises:
            ApiException: The file can't be used, or another process delivers its events. Its `type`
                is `outbox_full` or `outbox_error`.
            ApiValueError: There is no token, or a setting of the environment is not valid.
        """
        from .delivery import deliver_ready

        with _file_errors():
            if not deliver_ready(self.storage, client):
                raise outbox_error("Another process or thread delivers the events of this outbox.")
            return int(self.storage.summary(self._timeout)["waiting"])

    def status(self) -> OutboxStatus:
        """Return the number of events in each state, and whether they are being delivered."""
        with _file_errors():
            found = self.storage.summary(self._timeout)
            is_delivering = is_locked(self.storage.path)
            size = Path(self.storage.path).stat().st_size
        now = time.time()
        oldest = found["oldest"]
        pause = (found.get("pause_until") or now) - now if is_delivering else 0.0
        return {
            "waiting": found["waiting"],
            "oldest_age": None if oldest is None else max(0.0, now - oldest),
            "dead": found["dead"],
            "delivered": found["delivered"],
            "is_delivering": is_delivering,
            "pause": pause if pause > 0 else None,
            "reason": found.get("reason") if pause > 0 else None,
            "per_minute": found.get("per_minute") if is_delivering else None,
            "bytes": size,
        }

    def events(
        self, *, dead: bool, after: int = 0, limit: int = 1000, with_body: bool = False
    ) -> list[EventInfo]:
        """
        Return events in the order in which they were queued.

        Args:
            dead: True for the dead letters, False for the events that wait.
            after: Return only events with greater ids. To get the next page, pass the last id of
                the page before.
            limit: The maximum number of events.
            with_body: Whether to return the payloads. They contain customer data.

        Raises:
            ApiValueError: `after` or `limit` is not a whole number of 0 or more.
        """
        # SQLite has no greater numbers.
        after = min(check_count("after", after), _MAX_INTEGER)
        limit = min(check_count("limit", limit), _MAX_INTEGER)
        with _file_errors():
            found = self.storage.list(self._timeout, dead=dead, after=after, limit=limit)
        return [_describe(event, with_body) for event in found]

    def retry(self, ids: Optional[Sequence[int]] = None) -> int:
        """
        Queue dead letters for delivery again, and return their number.

        A dead letter keeps its place in the order of its customer's events. One that has expired
        gets 30 more days.

        Args:
            ids: The ids of the dead letters; None for all. Other ids are ignored.
        """
        with _file_errors():
            return self.storage.retry(ids, self._timeout)

    def purge(self, *, customer: Optional[ExternalId] = None, dead: bool = False) -> int:
        """
        Erase events that were not delivered, and return their number. Their data is overwritten.

        Args:
            customer: The id of a customer, to erase all events of that customer.
            dead: True to erase all dead letters.

        Raises:
            ApiValueError: Neither argument is given, or both are.
        """
        if (customer is not None) is dead:
            raise ApiValueError("purge needs either customer=... or dead=True", "customer")
        with _file_errors():
            hashed = None if customer is None else customer_hash(customer)
            return self.storage.purge(hashed, self._timeout)

    def close(self) -> None:
        """Close the file. A later call opens it again."""
        self.storage.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _put_one(self, event: QueuedEvent, timeout: float) -> bool:
        (duplicate,) = self.put([event], timeout=timeout)
        return duplicate

    def _check(self) -> None:
        """Open the file, and raise ApiValueError for a problem that waiting does not solve."""
        try:
            self.storage.check(self._timeout)
        except (sqlite3.Error, OSError) as error:
            problem = explain(error)
            if problem.is_permanent:
                raise ApiValueError(f"path: {problem.text}", "path") from error


@contextmanager
def _file_errors() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise explain(error).to_exception() from error


def _describe(event: ListedEvent, with_body: bool) -> EventInfo:
    info: EventInfo = {
        "id": event.id,
        "operation": event.operation,
        "state": "dead" if event.state == DEAD else "waiting",
        "created_at": event.created_at,
        "attempts": event.attempts,
        "reason": event.reason,
        "message": event.message or _WAITING.get(event.state, ""),
    }
    if with_body:
        info["body"] = event.body
    return info
