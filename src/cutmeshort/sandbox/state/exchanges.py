"""The requests to the operations, with their responses."""

import threading
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Optional

from typing_extensions import Literal, get_args

from ...operations import Operation
from .faults import Fault
from .refusal import Refusal

MAX_REQUESTS = 1_000
MAX_KEPT_BODY = 16 * 1024

Headers = Sequence[tuple[bytes, bytes]]
Outcome = Literal["recorded", "pending", "duplicate", "refused", "failed"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


@dataclass(frozen=True)
class Received:
    """
    A request to one of the operations, and its response.

    It contains no values of the request, and no token. Its `str` is one line for humans.

    Attributes:
        operation: The operation's name (`track_lead`, for example), from the path of the request.
        status: The HTTP status of the response; None if there was no response.
        type: `ok` if the request succeeded; `dropped` if the sandbox dropped the connection;
            `disconnected` if the client closed it before the response; else as in Refused.
        message: What happened, human-readable.
        time: When the response was sent, or the connection closed, in UTC.
        request_id: The request id in the response, which is also in the SDK's result.
    """

    operation: str
    status: Optional[int]
    type: str
    message: str
    time: datetime
    request_id: str

    def __str__(self) -> str:
        outcome = self.type if self.status is None else f"{self.status} {self.type}"
        return f"{self.operation} {outcome}: {self.message}"


@dataclass(frozen=True)
class Refused(Received):
    """
    An error response to a request to one of the operations.

    It contains no values of the request, and no token.

    Attributes:
        operation: The operation's name (`track_lead`, for example), from the path of the request.
        status: The HTTP status of the response: 300 to 599, or 200 if the sandbox was created with
            a `response` that rejects events.
        type: Machine-readable reason, as in the response: `unauthorized` or `duplicate_event`, for
            example. It is also set if the format has no type, such as `html`. With
            status 200 it is the type that the SDK reports: `api_error` or `invalid_response`.
        message: Human-readable reason, as in the response if its format has one. With status 200 it
            names the `response` of the sandbox.
        time: When the response was sent, in UTC.
        request_id: The request id in the response, which is also in the SDK's result.
    """

    status: int


@dataclass(eq=False)
class Body:
    """
    The first 16 KiB of a body.

    Attributes:
        data: These bytes.
        size: The size of the whole body, in bytes.
    """

    data: bytes = b""
    size: int = 0

    def add(self, chunk: bytes) -> None:
        """Append the next part of the body."""
        if self.size < MAX_KEPT_BODY:
            self.data = (self.data + chunk)[:MAX_KEPT_BODY]
        self.size += len(chunk)

    @property
    def truncated(self) -> bool:
        """Whether the body was larger than what is kept."""
        return self.size > len(self.data)


@dataclass(eq=False)
class Exchange:
    """
    A request to one of the operations with all its values, and the response.

    Attributes:
        request_id: Identifies the request; it is also in the response.
        operation: The operation at the request's path.
        method: The HTTP method.
        headers: The headers of the request.
        body: The body of the request, as far as it was read.
        arrived: When the request arrived, in UTC.
        ended: When the response was sent, or the connection closed, in UTC.
        seconds: The time between the two.
        status: The HTTP status of the response; None if there was no response.
        response_headers: The headers of the response.
        response_body: The body of the response.
        type: As in Received, for a request that was not refused.
        message: As in Received, for a request that was not refused.
        refusal: Why the response is an error response; None if it is not one.
        data: The `data` of the service's response; None if the service did not accept the event.
        fault: The fault that was injected; None if there was none.
        forced: The setting that rejects every event, such as `error_status=503`; else None.
        replay_of: The id of the request that was sent again; None if this is not a replay.
    """

    request_id: str
    operation: Operation
    method: str
    headers: Headers
    arrived: datetime
    body: Body = field(default_factory=Body)
    ended: Optional[datetime] = None
    seconds: float = 0.0
    status: Optional[int] = None
    response_headers: Headers = ()
    response_body: Body = field(default_factory=Body)
    type: str = "ok"
    message: str = ""
    refusal: Optional[Refusal] = None
    data: Optional[dict[str, Any]] = None
    fault: Optional[Fault] = None
    forced: Optional[str] = None
    replay_of: Optional[str] = None

    @property
    def recorded(self) -> bool:
        """Whether this request recorded its event, whatever the response."""
        return self.data is not None and "duplicate" not in self.data

    @property
    def outcome(self) -> Outcome:
        """The outcome of the request, from the client's point of view."""
        if self.status is None or self.forced or (self.fault is not None and self.fault.fails):
            return "failed"
        if self.data is None:
            duplicate = self.refusal is not None and self.refusal.type == "duplicate_event"
            return "duplicate" if duplicate else "refused"
        if "duplicate" in self.data:
            return "duplicate"
        return "pending" if "deferredAssociationStored" in self.data else "recorded"

    def received(self) -> Received:
        """Return what the application's tests see."""
        name, refusal, time = self.operation.name, self.refusal, self.ended or self.arrived
        if self.status is None or refusal is None:
            return Received(name, self.status, self.type, self.message, time, self.request_id)
        return Refused(name, self.status, refusal.type, refusal.message, time, self.request_id)


class ExchangeLog:
    """The newest exchanges, and the newest with an error response. Threads can share an object."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._newest: deque[Exchange] = deque(maxlen=MAX_REQUESTS)
        self._refused: deque[Exchange] = deque(maxlen=MAX_REQUESTS)
        self._counts: Counter[str] = Counter()

    @classmethod
    def restore(
        cls, exchanges: Iterable[Exchange], counts: Optional[Mapping[Any, int]] = None
    ) -> "ExchangeLog":
        """
        Create the log of an earlier run.

        Args:
            exchanges: The exchanges, oldest first.
            counts: How many requests had each outcome, including those that are no longer kept;
                by default, those of the exchanges.
        """
        log = cls()
        for exchange in exchanges:
            log.add(exchange)
        if counts is not None:
            log._counts = Counter(counts)
        return log

    def add(self, exchange: Exchange) -> None:
        """Add an exchange that has ended."""
        with self._lock:
            self._newest.append(exchange)
            if exchange.status is not None and exchange.refusal is not None:
                self._refused.append(exchange)
            self._counts[exchange.outcome] += 1

    def prepend(self, earlier: "ExchangeLog") -> None:
        """Put the exchanges of an earlier log in front."""
        with self._lock:
            self._newest = _join(earlier.newest(), self._newest)
            self._refused = _join(earlier.refused(), self._refused)
            self._counts += earlier.counts()

    def remove(self, earlier: "ExchangeLog") -> None:
        """Undo `prepend`."""
        removed = set(map(id, earlier.newest()))
        with self._lock:
            self._newest, self._refused = (
                _join([each for each in exchanges if id(each) not in removed])
                for exchanges in (self._newest, self._refused)
            )
            self._counts.subtract(earlier.counts())

    def newest(self) -> list[Exchange]:
        """Return the newest exchanges, in the order of their responses."""
        with self._lock:
            return list(self._newest)

    def get(self, request_id: str) -> Optional[Exchange]:
        """Return the exchange of a request; None if it is not kept."""
        found = (each for each in self.newest() if each.request_id == request_id)
        return next(found, None)

    def refused(self) -> list[Exchange]:
        """Return the newest exchanges with an error response."""
        with self._lock:
            return list(self._refused)

    def counts(self) -> Counter[str]:
        """Return how many requests had each outcome, including those that are no longer kept."""
        with self._lock:
            return self._counts.copy()


def _join(earlier: Iterable[Exchange], later: Iterable[Exchange] = ()) -> deque[Exchange]:
    return deque([*earlier, *later], maxlen=MAX_REQUESTS)
