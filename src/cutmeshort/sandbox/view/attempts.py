"""Finds out which requests are attempts of one call. The requests themselves do not say it."""

from collections import OrderedDict
from datetime import timedelta
from typing import NamedTuple

from ...retry import is_retried
from ..state.exchanges import MAX_REQUESTS, Exchange

_MAX_WAIT = timedelta(seconds=60)
# How long the SDK waits for a response by default, in seconds.
READ_TIMEOUT = 5.0


class Attempt(NamedTuple):
    """
    The place of a request in its call.

    Attributes:
        call: The id of the call's first request.
        number: The number of the attempt, from 1.
    """

    call: str
    number: int


class Attempts:
    """
    Assigns requests to calls.

    A request is a further attempt if it sends the same bytes to the same path as an earlier one
    that failed in a way that the SDK retries, or whose response came too late for the SDK, less
    than 60 seconds before. A request that the sandbox sends again (a replay) belongs to no call of
    the application, and neither does one whose body the sandbox does not have in full.
    """

    def __init__(self) -> None:
        # The newest request that the client may retry, by path and body; oldest first.
        self._failed: OrderedDict[tuple[str, bytes], tuple[Exchange, Attempt]] = OrderedDict()

    def add(self, exchange: Exchange) -> Attempt:
        """Return the place of a request; requests must be added in the order of their responses."""
        first = Attempt(exchange.request_id, 1)
        body = exchange.body
        if exchange.replay_of is not None or not body.data or body.truncated:
            return first
        key = (exchange.operation.path, body.data)
        attempt = first
        earlier, place = self._failed.pop(key, (None, first))
        if (
            earlier is not None
            and exchange.arrived - (earlier.ended or earlier.arrived) < _MAX_WAIT
        ):
            attempt = Attempt(place.call, place.number + 1)
        late = exchange.seconds >= READ_TIMEOUT
        if late or exchange.status is None or is_retried(exchange.status):
            self._failed[key] = (exchange, attempt)
            if len(self._failed) > MAX_REQUESTS:
                self._failed.popitem(last=False)
        return attempt
