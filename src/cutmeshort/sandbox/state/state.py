"""Everything that a sandbox knows, as one object."""

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from typing_extensions import Unpack

from ...models import EventPayload
from ...operations import Operation
from .changes import Changes
from .clicks import Click, Clicks, make_click
from .content import Content
from .exchanges import Exchange, ExchangeLog
from .faults import Fault, FaultQueue, PendingFault
from .rate_limit import RateLimit
from .service import Service
from .settings import SettingOptions, Settings

if TYPE_CHECKING:
    from .storage import Storage


class _Cleared(NamedTuple):
    """What `clear` or an import has removed."""

    content: Content
    faults: list[PendingFault]
    imported: Optional[Content] = None  # what an import has put in its place
    settings: Optional[tuple[Settings, SettingOptions]] = None  # those that an import has replaced


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
        self._changed_settings: SettingOptions = {}  # since the start, or in an earlier run
        self._cleared: Optional[_Cleared] = None
        self._storage: Optional[Storage] = None
        # So that the data file and the changes have the order of this object.
        self._lock = threading.RLock()

    def record(self, operation: Operation, event: EventPayload, request_id: str) -> dict[str, Any]:
        """
        Record an event, unless it is a duplicate, and return the `data` of the response.

        Raises:
            Refusal: The service does not accept the event.
        """
        with self._lock:
            data = self.service.record(operation, event, request_id)
            if "duplicate" in data:
                return data
            if self._storage is not None:
                self._storage.add_event(self.service.newest())
            self.changes.add("chain", event.customer_external_id)
        return data

    def finish(self, exchange: Exchange, log: ExchangeLog) -> None:
        """Add an exchange that has ended to the log that was there when it arrived."""
        with self._lock:
            log.add(exchange)
            if log is not self.log:
                return
            if self._storage is not None:
                self._storage.add_exchange(exchange, log.counts())
            self.changes.add("request", exchange)

    def follow_link(self, link: str) -> Click:
        """Record that a visitor follows a short link."""
        click = make_click(link)
        with self._lock:
            self.clicks.add(click)
            if self._storage is not None:
                self._storage.add_click(click)
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
        with self._lock:
            settings = replace(self.settings, **options)
            self._changed_settings = {**self._changed_settings, **options}
            self._set_settings(settings)

    def _set_settings(self, settings: Settings) -> None:
        self.settings = settings
        self.service.duplicate_status = settings.duplicate_status
        self.rate_limit.limit = settings.rate_limit
        if self._storage is not None:
            self._storage.set_settings(self._changed_settings)
        self.changes.add("settings")

    def attach(self, storage: "Storage", arguments: SettingOptions) -> None:
        """
        Replace everything with the content of a data file, and store all changes there.

        Args:
            storage: The data file.
            arguments: The settings that take precedence over those of the file.
        """
        with self._lock:
            content, self._changed_settings = storage.load()
            settings: SettingOptions = {**self._changed_settings, **arguments}
            self._set_settings(replace(self._initial_settings, **settings))
            self._cleared = None
            self._empty(content)
            self._storage = storage

    def detach(self) -> None:
        """Store no further changes."""
        with self._lock:
            self._storage = None

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

    def remove_faults(self, id: Optional[int] = None) -> None:
        """Remove the pending faults, or only the one with an id, if it is pending."""
        if id is None:
            self.faults.clear()
        else:
            self.faults.remove(id)
        self.changes.add("faults")

    def set_outage(self, fault: Optional[Fault]) -> Optional[Fault]:
        """Set the fault of all requests that have no pending fault, and return the one before."""
        before, self.faults.lasting = self.faults.lasting, fault
        self.changes.add("faults")
        return before

    @property
    def can_undo(self) -> bool:
        """Whether `undo` can restore something."""
        return self._cleared is not None

    def content(self) -> Content:
        """Return the clicks, the events and the log of requests."""
        with self._lock:
            return Content(self.clicks.all(), self.service.recorded(), self.log)

    def clear(self) -> None:
        """
        Forget all events, customers' clicks, requests and pending faults, until `undo`.

        If there are none, `undo` still restores what it would have restored before.
        """
        with self._lock:
            content, faults = self.content(), self.faults.pending()
            if content.clicks or content.recorded or content.log.counts() or faults:
                self._cleared = _Cleared(content, faults)
            self._empty()

    def replace_all(self, content: Content, settings: SettingOptions) -> None:
        """Do as `clear`, and put other content and settings in its place, until `undo`."""
        with self._lock:
            self._cleared = _Cleared(
                self.content(),
                self.faults.pending(),
                content,
                (self.settings, self._changed_settings),
            )
            self._changed_settings = settings
            self._set_settings(replace(self._initial_settings, **settings))
            self._empty(content)

    def undo(self) -> bool:
        """
        Restore what the last `clear` or `replace_all` removed, before what has been added since.

        What `replace_all` put in its place is removed, and the settings from before are restored.

        Returns:
            False if there is nothing to restore.
        """
        with self._lock:
            cleared, self._cleared = self._cleared, None
            if cleared is None:
                return False
            if cleared.imported is not None:
                self._remove(cleared.imported)
            if cleared.settings is not None:
                settings, self._changed_settings = cleared.settings
                self._set_settings(settings)
            clicks, recorded, log = cleared.content
            self.clicks = Clicks([*clicks, *self.clicks.all()])
            self.service.replace([*recorded, *self.service.recorded()])
            self.log.prepend(log)
            self.faults.prepend(cleared.faults)
            self._store_all()
            self.changes.add("all")
        return True

    def reset(self) -> None:
        """Do as `clear`, for good; forget the use of the rate limit, and restore the settings."""
        with self._lock:
            self._cleared = None
            self._changed_settings = {}
            self._set_settings(self._initial_settings)
            self.rate_limit.reset()
            self._empty()

    def _empty(self, content: Optional[Content] = None) -> None:
        """Forget everything except the settings, and put other content in its place."""
        clicks, recorded, log = content or Content([], [], ExchangeLog())
        self.clicks = Clicks(clicks)
        self.service.replace(recorded)
        self.log = ExchangeLog()  # so that requests that have not ended are not in it
        self.log.prepend(log)
        self.faults.clear()
        self._store_all()
        self.changes.add("all")

    def _remove(self, content: Content) -> None:
        """Remove what `_empty` has put in place."""
        clicks, recorded = set(content.clicks), set(map(id, content.recorded))
        self.clicks = Clicks(each for each in self.clicks.all() if each not in clicks)
        self.service.replace(each for each in self.service.recorded() if id(each) not in recorded)
        self.log.remove(content.log)

    def _store_all(self) -> None:
        if self._storage is not None:
            self._storage.replace(self.content())
