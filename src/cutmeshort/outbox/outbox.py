"""Outbox: queues events in a SQLite file."""

import os
import sqlite3
from collections.abc import Sequence
from typing import TYPE_CHECKING, Callable, Optional, Union

from typing_extensions import Self

from ..checks import check_count, check_path
from ..results import Outcome
from .events import QueuedEvent
from .queue_tracker import DEFAULT_TIMEOUT, QueueTracker, outbox_error, outbox_full
from .storage import Storage

if TYPE_CHECKING:
    from ..client import CMSClient
    from .delivery import DeliveryThread

MAX_BYTES = 2**30


class Outbox(QueueTracker):
    """
    Queues events in a SQLite file, with the methods of CMSClient. Thread-safe and fork-safe.

    Any number of processes on one machine can share the file. `cutmeshort deliver PATH` delivers
    the events, or a thread of this process: see `delivering`.

    Args:
        path: The file, on a local disk. It is created with mode 0600.
        timeout: Seconds for one call; above 0, at most 86400.
        enabled: If False, the methods validate, queue nothing, and return an error of type
            `disabled`. Defaults to `CMS_ENABLED`, then to True.
        max_bytes: The largest size of the file in bytes. At that size, results have the type
            `outbox_full`.
        on_outcome: A function, not async, that is called with an Outcome after each call.

    Raises:
        ApiValueError: A setting is not valid, or the file can't be used.
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
            check_path("path", path), max_bytes=check_count("max_bytes", max_bytes, 1)
        )

    def put(
        self,
        events: Sequence[QueuedEvent],
        *,
        timeout: Optional[float] = None,
        may_be_recorded: bool = False,
    ) -> list[bool]:
        """
        Add events that are queued elsewhere, all or none, and return whether each is a duplicate.

        Args:
            events: The events, in the order of hand-over.
            timeout: Seconds for this call, instead of the outbox's.
            may_be_recorded: Whether an earlier attempt may have been sent from elsewhere.

        Raises:
            ApiException: The events were not added; its `type` is `outbox_full` or `outbox_error`.
        """
        try:
            seconds = self._timeout if timeout is None else timeout
            return self.storage.put(events, seconds, may_be_recorded=may_be_recorded)
        except (sqlite3.Error, OSError) as error:
            if "full" in str(error):
                raise outbox_full("The outbox is full, or the disk.") from error
            raise outbox_error(f"The outbox can't be used: {error}.") from error

    def delivering(
        self, client: "Optional[CMSClient]" = None, *, per_minute: int = 50
    ) -> "DeliveryThread":
        """
        Deliver the events in a thread of this process, while a `with` block runs.

        Of all processes that deliver the events of a file, one does, and the others wait until it
        ends. The end of the block waits for a call that was sent.

        Args:
            client: The client that sends the events. By default, one with the settings of the
                environment, which logs failed attempts at DEBUG only.
            per_minute: The highest number of requests per minute; 0 for no limit.

        Raises:
            ApiValueError: A setting is not valid, or there is no token; raised by `with`, too.
        """
        from .delivery import DeliveryThread

        return DeliveryThread(self.storage, client, per_minute=per_minute)

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
