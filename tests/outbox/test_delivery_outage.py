"""An outage of four hours, in fast motion: few requests, and delivery resumes soon."""

from pathlib import Path

import pytest

from cutmeshort.outbox import Outbox

from ..support.events import client_of, sale
from ..support.server import OK, Connection, Server, Step, accept, drop, reset, respond
from ..support.timing import Clock
from .fast import deliver, waiting

OUTAGE = 4 * 3600.0


class Outage:
    """
    Fails until the end of the outage, and notes when each request or connection comes.

    Args:
        clock: The clock.
        failure: What happens during the outage.
        success: What happens after it.
    """

    def __init__(self, clock: Clock, failure: Step, success: Step) -> None:
        self._clock = clock
        self._failure = failure
        self._success = success
        self.times: list[float] = []

    def __call__(self, connection: Connection) -> bool:
        """Act on a request or a new connection."""
        now = self._clock.monotonic()
        self.times.append(now)
        return (self._failure if now < OUTAGE else self._success)(connection)


@pytest.mark.parametrize(
    ("failure", "number"), [("503", 300), ("connection closed", 5), ("connection reset", 1)]
)
def test_an_outage(path: Path, clock: Clock, failure: str, number: int) -> None:
    """In four hours, at most 100 requests are sent, and delivery resumes within five minutes."""
    on_connect, step = Outage(clock, reset, accept), Outage(clock, respond(503), OK)
    if failure == "connection closed":
        step = Outage(clock, drop, OK)
    connects = (on_connect,) if failure == "connection reset" else (accept,)
    with Outbox(path) as outbox:
        for each in range(number):
            # Some customers have more than one event.
            sale(outbox, invoice_id=each, customer_external_id=each // 2)
        with Server(step, on_connect=connects) as server, client_of(server) as client:
            deliver(outbox, client, clock, per_minute=50)
            if failure == "connection reset":
                times = [time for time in on_connect.times if time < OUTAGE]
            else:
                times = [time for time in step.times if time < OUTAGE]
            resumed = min(time for time in step.times if time >= OUTAGE)
        assert waiting(outbox) == 0
    assert len(times) <= 100
    assert resumed - OUTAGE <= 300
    assert clock.monotonic() - OUTAGE <= 300 + 60 / 50 * number + 900
