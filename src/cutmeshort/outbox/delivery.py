"""Deliverer: delivers the events of an outbox file, one at a time."""

import logging
import math
import random
import sqlite3
import threading
import time
from contextlib import nullcontext
from functools import partial
from typing import Any, Callable, Optional

from typing_extensions import Self

from ..checks import check_count
from ..client import CMSClient
from ..exceptions import ApiValueError
from ..logs import log, log_failure
from .attempt import QuietClient, deliver_once
from .lock import DeliveryLock
from .pacing import Deferred, Pacing
from .policy import PER_MINUTE, Action, Decision, Streak, is_expired
from .storage import Storage, StoredEvent

POLL = 0.5  # seconds between two polls for new events
LOCK_POLL = 1.0  # seconds between two attempts to acquire the lock
STORAGE_TIMEOUT = 5.0  # seconds for one access to the file
STORAGE_WAIT = 5.0  # seconds to wait after a failed access


class Deliverer:
    """
    Delivers the events of an outbox file. Only one may run for a file: see DeliveryLock.

    Args:
        storage: The file.
        client: The client that sends the events.
        per_minute: The maximum number of requests per minute; 0 for no limit.

    Attributes:
        streak: How the latest attempts ended.
        pacing: The current rate and pause.
        reason: Why delivery pauses: the `type` of a result. None while it does not pause.
        is_set_up_wrong: Whether a person must correct the set-up.

    Raises:
        ApiValueError: `per_minute` is not a number of 0 or more.
    """

    def __init__(
        self, storage: Storage, client: CMSClient, *, per_minute: int = PER_MINUTE
    ) -> None:
        self._storage = storage
        self._client = client
        self.pacing = Pacing(check_count("per_minute", per_minute))
        self.streak = Streak()
        self.reason: Optional[str] = None
        self.is_set_up_wrong = False
        self._file: Optional[tuple[int, int]] = None  # another one may replace it at any time
        self._deferred = Deferred()
        # An outcome that is not in the file yet. Until it is, no event is sent: the file would
        # return the same event again.
        self._unrecorded: Optional[Callable[[], object]] = None
        self._reported: dict[str, Any] = {}
        self._is_failing = False

    def run(self, stop: threading.Event, lock: Optional[DeliveryLock] = None) -> None:
        """
        Deliver until `stop` is set, or the lock is lost because its file was removed.

        A request in progress is finished and recorded first.
        """
        while not stop.is_set() and (lock is None or lock.is_held()):
            try:
                wait = self._step()
            except Exception as error:  # noqa: BLE001 - delivery must not end
                self._log_failure(error)
                wait = STORAGE_WAIT
            else:
                if self._is_failing:
                    self._is_failing = False
                    log(logging.INFO, "Delivery can use the outbox file again")
            if wait > 0:
                stop.wait(wait)

    def run_once(self) -> None:
        """
        Deliver until no event is ready, or until a pause begins.

        Raises:
            sqlite3.Error, OSError: The file can't be used.
        """
        while not self._step():
            pass

    def _step(self) -> float:
        """Make at most one attempt, and return the seconds until the next step."""
        self._record()
        self._release(self._deferred.pop_due(time.monotonic()))
        wait = self.pacing.wait(time.monotonic())
        if wait > 0:
            return wait
        self._report(0.0)
        stored = self._storage.next(STORAGE_TIMEOUT)
        if self._storage.file != self._file:
            self._start()
            return 0.0
        if stored is None:
            self._release(self._deferred.pop_idle(time.monotonic()))
            return POLL
        self._deliver(stored)
        return 0.0

    def _start(self) -> None:
        """Make the events ready that waited when the last delivery from this file ended."""
        self._storage.start(STORAGE_TIMEOUT)
        self._deferred = Deferred()
        self._file = self._storage.file

    def _release(self, identifiers: list[int]) -> None:
        if identifiers:
            self._record(partial(self._storage.release, identifiers, STORAGE_TIMEOUT))

    def _record(self, outcome: Optional[Callable[[], object]] = None) -> None:
        """Record an outcome, or the one that could not be recorded before."""
        if outcome is not None:
            self._unrecorded = outcome
        if self._unrecorded is not None:
            self._unrecorded()
            self._unrecorded = None

    def _deliver(self, stored: StoredEvent) -> None:
        if not is_expired(stored.event.created_at, time.time()):
            if not self._storage.note_attempt(stored, STORAGE_TIMEOUT):
                return  # it was purged
            self.pacing.sent(time.monotonic())
        decision = deliver_once(
            self._client,
            stored.event,
            attempts=int(stored.may_be_recorded),
            failures=stored.failures,
            streak=self.streak,
            jitter=random.random(),
        )
        self.streak = self.streak.after(decision)
        self.pacing.after(decision, time.monotonic())
        self._apply(decision, stored)

    def _apply(self, decision: Decision, stored: StoredEvent) -> None:
        """Log a decision, and record it."""
        if decision.action is Action.DONE:
            self._log_delivered(stored)
            self._record(partial(self._storage.delivered, stored, STORAGE_TIMEOUT))
            return
        self._log_error(decision, stored)
        self._record(partial(self._record_error, decision, stored))
        self._report(decision.pause)

    def _record_error(self, decision: Decision, stored: StoredEvent) -> None:
        if not decision.may_be_recorded:
            self._storage.not_recorded(stored, STORAGE_TIMEOUT)
        if decision.action is Action.DEAD_LETTER:
            reason, message = str(decision.reason), str(decision.message)
            self._storage.dead(stored, reason, message, STORAGE_TIMEOUT)
        elif decision.is_transient or decision.is_set_up_wrong:
            failures = stored.failures + decision.is_transient
            self._storage.defer(stored, failures, STORAGE_TIMEOUT)
            # If the set-up seems wrong, the next attempts use other events, in case these are why.
            wait = math.inf if decision.is_set_up_wrong else decision.wait
            self._deferred.add(stored.id, wait, time.monotonic())

    def _log_delivered(self, stored: StoredEvent) -> None:
        log(logging.DEBUG, "Event %d (%s) delivered", stored.id, stored.event.operation)
        if self.reason is not None:
            self.reason = None
            self.is_set_up_wrong = False
            log(logging.INFO, "Delivery resumes")

    def _log_error(self, decision: Decision, stored: StoredEvent) -> None:
        reason = decision.reason
        if decision.is_set_up_wrong and not self.is_set_up_wrong:
            self.is_set_up_wrong = True
            log(
                logging.ERROR,
                "Delivery stops: %s. No event is lost. Run `cutmeshort doctor` with the settings "
                "of this process, correct them, and restart it. Until then, it makes an attempt "
                "every %.0f s",
                reason,
                decision.pause,
            )
        elif decision.pause:
            log(logging.INFO, "Delivery pauses for %.0f s: %s", decision.pause, reason)
        if decision.pause:
            self.reason = reason
        level, text = logging.DEBUG, "Event %d (%s) not delivered, tried again later: %s"
        if decision.action is Action.DEAD_LETTER:
            level = logging.WARNING
            text = "Event %d (%s) is a dead letter: %s. `cutmeshort outbox list` shows why"
        log(level, text, stored.id, stored.event.operation, reason)

    def _log_failure(self, error: Exception) -> None:
        """Log an exception, unless the previous step also failed."""
        if self._is_failing:
            return
        self._is_failing = True
        if isinstance(error, (sqlite3.Error, OSError, ApiValueError)):
            text = "Delivery can't use the outbox file, and tries again every %.0f s: %s"
            log(logging.ERROR, text, STORAGE_WAIT, error)
        else:
            log_failure("the delivery", error)

    def _report(self, pause: float) -> None:
        """Tell `status` about the pause and the rate, if they have changed."""
        rate = self.pacing.rate(time.monotonic())
        values = {
            "pause_until": time.time() + pause if pause else None,
            "reason": self.reason if pause else None,
            "per_minute": round(rate) or None,
        }
        if values != self._reported:
            self._storage.report(values, STORAGE_TIMEOUT)
            self._reported = values


def deliver_ready(storage: Storage, client: Optional[CMSClient]) -> bool:
    """
    Deliver in this thread until no event is ready, or until a pause begins.

    Args:
        storage: The file.
        client: The client that sends the events; None for one with the settings of the environment.

    Returns:
        False if another process or thread delivers the events of the file.
    """
    lock = DeliveryLock(storage.path)
    if not lock.acquire():
        return False
    try:
        with QuietClient() if client is None else nullcontext(client) as sender:
            Deliverer(storage, sender, per_minute=0).run_once()
    finally:
        lock.release()
    return True


class DeliveryThread:
    """
    Delivers the events of an outbox file in a thread of this process, within a `with` block.

    If another process delivers them, the thread waits until that ends. At its end, the block waits
    for the request in progress. A forked child does not deliver.

    Args:
        storage: The file.
        client: The client that sends the events; None for one with the settings of the environment,
            which is closed at the end of the block.
        per_minute: The maximum number of requests per minute; 0 for no limit.

    Raises:
        ApiValueError: A setting is not valid; raised by `with`, too.
    """

    def __init__(
        self, storage: Storage, client: Optional[CMSClient], *, per_minute: int = PER_MINUTE
    ) -> None:
        self._storage = storage
        self._client = client
        self._per_minute = check_count("per_minute", per_minute)
        self._stop = threading.Event()

    def __enter__(self) -> Self:
        own = self._client is None
        client = self._client or QuietClient()
        self._stop = threading.Event()
        # A daemon, so that the process can exit if the application never leaves the block.
        self._thread = threading.Thread(
            target=self._run, args=(client, own), name="cutmeshort-delivery", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self, client: CMSClient, own: bool) -> None:
        lock = DeliveryLock(self._storage.path)
        try:
            while _wait_for(lock, self._stop):
                log(logging.INFO, "Delivery of the events in %s starts", self._storage.path)
                Deliverer(self._storage, client, per_minute=self._per_minute).run(self._stop, lock)
                lock.release()
        finally:
            lock.release()
            if own:
                client.close()
        log(logging.INFO, "Delivery ends")


def _wait_for(lock: DeliveryLock, stop: threading.Event) -> bool:
    """Wait for a lock; return False if `stop` was set first."""
    logged = False
    while not stop.is_set():
        level, problem = logging.INFO, "another process delivers the events of this file"
        try:
            if lock.acquire():
                return True
        except OSError as error:
            level, problem = logging.ERROR, f"the lock can't be acquired: {error}"
        if not logged:
            logged = True
            log(level, "Delivery waits: %s", problem)
        stop.wait(LOCK_POLL)
    return False
