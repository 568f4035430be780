"""Everything that a sandbox knows, as one object."""

import time
from dataclasses import replace
from typing import Any, NamedTuple, Optional

from typing_extensions import Unpack

from ...models import EventPayload
from ...operations import Operation
from .changes import Changes
from .clicks import Click, Clicks, make_click
from .exchanges import Exchange, ExchangeLog
from .faults import Fault, FaultQueue, PendingFault
from .rate_limit import RateLimit
from .service import Recorded, Service
from .settings import SettingOptions, Settings


class _Cleared(NamedTuple):
    """What `clear` has removed."""

    recorded: list[Recorded]
    log: ExchangeLog
    clicks: list[Click]
    faults: list[PendingFault]


class State:
    """
    The settings, the service and its events, the clicks, the faults, and the log of requests.

    Threads can share an object.

    Args:
        settings: The settings to begin with, which `reset` restores.

    Attributes:
        changes: The numbers of all changes.
        clicks: The clicks on short links.
        faults: The faults to inject into the next requests.
        log: The requests with their responses. A request belongs to the log that was there when it
            arrived, as `clear` and `reset` create a new one.
        rate_limit: The limit of requests.
        service: The recorded events, and the rules of the service.
        settings: The settings.
    """

    def __init__(self, settings: Settings) -> None:
        self.changes = Changes()
        self.clicks = Clicks()
        self.faults = FaultQueue()
        self.log = ExchangeLog()
        self.rate_limit = RateLimit(settings.rate_limit)
        self.service = Service(settings.duplicate_status)
        self.settings = self._initial_settings = settings
        self._cleared: Optional[_Cleared] = None

    def record(self, operation: Operation, event: EventPayload, request_id: str) -> dict[str, Any]:
        """
        Record an event, unless it is a duplicate, and return the `data` of the response.

        Raises:
            Refusal: The service does not accept the event.
        """
        data = self.service.record(operation, event, request_id)
        if "duplicate" not in data:
            self.changes.add("chain", event.customer_external_id)
        return data

    def finish(self, exchange: Exchange, log: ExchangeLog) -> None:
        """Add an exchange that has ended to the log that was there when it arrived."""
        log.add(exchange)
        if log is self.log:
            self.changes.add("request", exchange)

    def follow_link(self, link: str) -> Click:
        """Record that a visitor follows a short link."""
        click = make_click(link)
        self.clicks.add(click)
        self.changes.add("clicks")
        return click

    def rate_limit_used(self) -> int:
        """Return how many requests of the last minute count towards the rate limit."""
        return self.rate_limit.used(time.monotonic())

    def update_settings(self, **options: Unpack[SettingOptions]) -> None:
        """
        Change some settings.

        Raises:
            ApiValueError: A value is invalid; no setting changes.
            TypeError: A setting does not exist.
        """
        self._set_settings(replace(self.settings, **options))

    def _set_settings(self, settings: Settings) -> None:
        self.settings = settings
        self.service.duplicate_status = settings.duplicate_status
        self.rate_limit.limit = settings.rate_limit
        self.changes.add("settings")

    def add_fault(self, fault: Fault, times: int) -> None:
        """Inject a fault into the next requests, after the faults that are pending."""
        self.faults.add(fault, times)
        self.changes.add("faults")

    def take_fault(self) -> Optional[Fault]:
        """Return the fault for the next request; None if there is none."""
        fault = self.faults.take()
        if fault is not None:
            self.changes.add("faults")
        return fault

    def remove_faults(self, id: Optional[int] = None) -> bool:
        """Remove a pending fault, or all of them; return False if none has this id."""
        found = True
        if id is None:
            self.faults.clear()
        else:
            found = self.faults.remove(id)
        self.changes.add("faults")
        return found

    def set_outage(self, fault: Optional[Fault]) -> Optional[Fault]:
        """Set the fault of all requests that have no pending fault, and return the one before."""
        before, self.faults.lasting = self.faults.lasting, fault
        self.changes.add("faults")
        return before

    @property
    def can_undo(self) -> bool:
        """Whether `undo` can restore something."""
        return self._cleared is not None

    def clear(self) -> None:
        """Forget all events, customers' clicks, requests and pending faults, until `undo`."""
        self._cleared = _Cleared(
            self.service.recorded(), self.log, self.clicks.all(), self.faults.pending()
        )
        self._empty()

    def undo(self) -> bool:
        """
        Restore what the last `clear` removed, before what has been added since.

        Returns:
            False if there is nothing to restore.
        """
        cleared, self._cleared = self._cleared, None
        if cleared is None:
            return False
        self.service.replace([*cleared.recorded, *self.service.recorded()])
        self.log.prepend(cleared.log)
        self.clicks = Clicks([*cleared.clicks, *self.clicks.all()])
        self.faults.prepend(cleared.faults)
        self.changes.add("all")
        return True

    def reset(self) -> None:
        """Do as `clear`, for good; forget the use of the rate limit, and restore the settings."""
        self._cleared = None
        self._set_settings(self._initial_settings)
        self.rate_limit.reset()
        self._empty()

    def _empty(self) -> None:
        self.service.replace([])
        self.log = ExchangeLog()
        self.clicks = Clicks()
        self.faults.clear()
        self.changes.add("all")
