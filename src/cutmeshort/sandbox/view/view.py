"""The JSON that the page, the endpoints and `Sandbox` show of the state."""

import threading
import time
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Optional
from weakref import WeakKeyDictionary

from ..state.changes import Change
from ..state.exchanges import MAX_REQUESTS, Exchange
from ..state.faults import Fault
from ..state.state import State
from ..state.tokens import DEFAULT_TOKEN, mask_token
from .attempts import Attempts
from .chains import Chains
from .exchange_json import messages, summarise
from .hints import find_hints
from .pytest_snippets import Earlier, chain_to_pytest, to_pytest
from .reasons import Known, explain
from .seen import Seen, read_exchange
from .snippets import to_curl, to_python
from .totals import Funnel, Revenue, request_totals

MAX_CHAINS = 1_000
HINT_SECONDS = 0.5
_RATE_LIMIT_SECONDS = 1.0

Json = dict[str, Any]


class _Entry(NamedTuple):
    """What is derived from an exchange, once."""

    seen: Seen
    summary: Json


class View:
    """
    The JSON of a state. Threads can share an object, and all event streams should share one.

    Nothing is derived until a method is called; then only what is new since the last call. The
    objects that the methods return are shared: do not change them.

    Two things change without an event: the hints, which are found at most twice a second, and the
    use of the rate limit, which falls as time passes. A stream that waits for the next change must
    wait at most `due()` seconds, and call `update` then. If hints or totals have changed, this call
    adds a change to `state.changes`, which all streams receive like any other::

        changed.wait(timeout=view.due())
        update = view.update(last)  # None: send `view.snapshot()`
        if update is not None and update["sequence"] > last: ...  # send it

    Args:
        state: The state.
        url: The base URL of the sandbox.
        token: Its token.
        version: The version of the package.
        data: The path of the file that keeps the state; None if there is none.
    """

    def __init__(
        self, state: State, *, url: str, token: str, version: str, data: Optional[str]
    ) -> None:
        self._state = state
        self._url = url
        self._token = token
        self._version = version
        self._data = data
        self._lock = threading.RLock()  # a listener of the changes may call a method
        self._entries: WeakKeyDictionary[Exchange, _Entry] = WeakKeyDictionary()
        self._synced = -1  # the change up to which everything is derived
        self._hints: list[Json] = []
        self._hints_pending = True
        self._hints_found = float("-inf")
        self._used = 0  # of the rate limit
        self._start_again()

    def snapshot(self, include_token: bool = False) -> Json:
        """Return everything except the requests."""
        with self._lock:
            sequence = self._state.changes.sequence
            self._sync(find_hints_now=True)
            shown = include_token or self._token == DEFAULT_TOKEN
            return {
                "sequence": sequence,
                "url": self._url,
                "token": self._token if shown else mask_token(self._token),
                "token_masked": not shown,
                "version": self._version,
                "data": self._data,
                "settings": self._settings(),
                "totals": self._totals(),
                "revenue": self._revenue.to_json(),
                "chains": [chain.to_json() for chain in self._chains.newest(MAX_CHAINS)],
                "hints": self._hints,
                **self._faults(),
                "undo": self._state.can_undo,
            }

    def update(self, since: int) -> Optional[Json]:
        """
        Return what has changed since a sequence number.

        Returns:
            The number of the newest change as `sequence`, and what has changed; if nothing has,
            only the number. None if a snapshot is needed: the number is unknown or too old, or
            everything has changed.
        """
        with self._lock:
            self._sync()
            changes = self._state.changes.since(since)
            if changes is None or any(change.topic == "all" for change in changes):
                return None
            self._sync()  # the changes may be newer than the first call
            update: Json = {"sequence": changes[-1].sequence if changes else since}
            topics = {change.topic for change in changes}
            if "request" in topics:
                update["requests"] = self._summaries(_keys(changes, "request"))
            if "chain" in topics:
                chains = map(self._chains.get, dict.fromkeys(_keys(changes, "chain")))
                update["chains"] = [chain.to_json() for chain in chains if chain is not None]
                update["revenue"] = self._revenue.to_json()
            if topics & {"request", "chain", "clicks", "settings", "totals"}:
                update["totals"] = self._totals()
            if "hints" in topics:
                update["hints"] = self._hints
            if "faults" in topics:
                update.update(self._faults())
            if "settings" in topics:
                update["settings"] = self._settings()
            return update

    def faults(self) -> list[Json]:
        """Return the pending faults, oldest first."""
        return [_fault(each.fault, each.id, each.times) for each in self._state.faults.pending()]

    def due(self) -> Optional[float]:
        """
        Return after how many seconds to call `update` although nothing has changed.

        None if there is no need to.
        """
        with self._lock:
            if self._hints_pending:
                return max(0.0, self._hints_found + HINT_SECONDS - time.monotonic())
            return _RATE_LIMIT_SECONDS if self._used else None

    def requests(self, limit: int = MAX_REQUESTS, customer: Optional[str] = None) -> Json:
        """Return the summaries of the newest requests, newest first, of one customer if given."""
        with self._lock:
            self._sync()
            newest = self._summaries(reversed(self._state.log.newest()))
            if customer is not None:
                newest = [each for each in newest if each["customer"] == customer]
            total = sum(self._state.log.counts().values())
            return {"total": total, "requests": newest[: max(limit, 0)]}

    def request(self, request_id: str, include_token: bool = False) -> Optional[Json]:
        """Return everything about a request; None if it is not in the log."""
        with self._lock:
            self._sync()
            exchange = self._state.log.get(request_id)
            entry = None if exchange is None else self._entries.get(exchange)
            if exchange is None or entry is None:
                return None
            copy = self._copies(exchange, entry.seen)
            return {**entry.summary, **messages(exchange, include_token), "copy": copy}

    def summary(self, exchange: Exchange) -> Json:
        """Return the summary of a request; {} if a clear has removed it."""
        with self._lock:
            self._sync()
            entry = self._entries.get(exchange)
            return {} if entry is None else entry.summary

    def chain(self, customer: str) -> Optional[Json]:
        """Return the chain of a customer; None if no event of the customer is recorded."""
        with self._lock:
            self._sync()
            chain = self._chains.get(customer)
            if chain is None:
                return None
            events = [
                each
                for each in self._state.service.recorded()
                if each.event.customer_external_id == customer
            ]
            return {**chain.to_json(), "copy": {"pytest": chain_to_pytest(customer, events)}}

    def _copies(self, exchange: Exchange, seen: Seen) -> Json:
        chain = self._chains.get(seen.customer)
        earlier = Earlier(self._chains.find(seen), chain.deferred if chain is not None else None)
        return {
            "python": to_python(exchange, self._token),
            "curl": to_curl(exchange, self._token),
            "pytest": to_pytest(exchange, seen, self._token, earlier),
        }

    def _start_again(self) -> None:
        self._generation = self._state.service.generation
        self._events = 0  # how many recorded events are derived
        self._attempts = Attempts()
        self._chains = Chains(self._state.clicks.get)
        self._funnel = Funnel()
        self._revenue = Revenue()
        self._entries.clear()

    def _sync(self, find_hints_now: bool = False) -> None:
        """Derive what is new: of the recorded events first, as the requests refer to them."""
        sequence = self._state.changes.sequence
        changes = self._state.changes.since(self._synced)
        topics = {change.topic for change in changes or ()}
        if "all" in topics or self._generation != self._state.service.generation:
            self._start_again()
            changes = None
        if changes is None or "clicks" in topics:
            self._funnel.add_clicks(click.click_id for click in self._state.clicks.all())
        for recorded in self._state.service.recorded(self._events):
            self._events += 1
            self._chains.add(recorded)
            self._funnel.add(recorded)
            self._revenue.add(recorded)
            self._hints_pending = True
        exchanges = self._state.log.newest() if changes is None else _keys(changes, "request")
        for exchange in exchanges:
            if exchange not in self._entries:
                self._entries[exchange] = self._derive(exchange)
                self._hints_pending = True
        self._synced = sequence
        self._find_hints(find_hints_now)
        self._check_rate_limit()

    def _derive(self, exchange: Exchange) -> _Entry:
        seen = read_exchange(exchange)
        place = self._attempts.add(exchange)
        chain = self._chains.get(seen.customer)
        known = Known(
            token=self._token,
            recorded=self._chains.find(seen),
            deferred=chain.deferred if chain is not None else None,
            attempt=place.number,
        )
        summary = summarise(exchange, seen, place, explain(exchange, seen, known))
        return _Entry(seen, summary)

    def _summaries(self, exchanges: Iterable[Exchange]) -> list[Json]:
        entries = map(self._entries.get, exchanges)
        return [entry.summary for entry in entries if entry is not None]

    def _find_hints(self, now: bool) -> None:
        """Find the hints, unless they were found in the last half second."""
        seconds = time.monotonic() - self._hints_found
        if not self._hints_pending or (seconds < HINT_SECONDS and not now):
            return
        self._hints_found = time.monotonic()
        self._hints_pending = False
        entries = map(self._entries.get, self._state.log.newest())
        hints = find_hints([entry.seen for entry in entries if entry is not None], self._has_lead)
        before, self._hints = self._hints, [hint.to_json() for hint in hints]
        if self._hints != before:
            self._state.changes.add("hints")

    def _has_lead(self, customer: str) -> bool:
        chain = self._chains.get(customer)
        return chain is not None and chain.has_lead

    def _check_rate_limit(self) -> None:
        before, self._used = self._used, self._state.rate_limit_used()
        if self._used < before:
            self._state.changes.add("totals")

    def _settings(self) -> Json:
        return dict(vars(self._state.settings))

    def _totals(self) -> Json:
        return {
            **self._funnel.to_json(),
            "customers": len(self._chains),
            "requests": request_totals(self._state.log.counts()),
            "rate_limit": {"limit": self._state.settings.rate_limit, "used": self._used},
        }

    def _faults(self) -> Json:
        outage = self._state.faults.lasting
        return {
            "faults": self.faults(),
            "outage": _fault(outage, None, None) if outage is not None else None,
        }


def _keys(changes: Sequence[Change], topic: str) -> list[Any]:
    return [change.key for change in changes if change.topic == topic]


def _fault(fault: Fault, id: Optional[int], times: Optional[int]) -> Json:
    return {"id": id, "times": times, "label": fault.label, **vars(fault)}
