"""Whatever gets lost on the way, an event counts once, and its result tells the truth."""

import http.client
import itertools
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from typing import Any, Callable

import pytest

from cutmeshort import CMSClient, Configuration
from cutmeshort.sandbox import Sandbox

from ..support.events import lead, sale
from ..support.results import assert_documented
from ..support.server import (
    Connection,
    Request,
    Server,
    after,
    at_once,
    drop,
    raw,
    reply,
    reset,
    silence,
)

each_reply_to_duplicates = pytest.mark.parametrize("duplicate_status", [200, 409])


@pytest.mark.usefixtures("no_wait")
@each_reply_to_duplicates
@pytest.mark.parametrize(
    "fault",
    [
        {"drop": True},
        {"drop": True, "recorded": True},
        {"drop": True, "recorded": True, "times": 3},
        {"status": 503},
        {"status": 500, "recorded": True},
        {"status": 504, "recorded": True, "times": 3},
        {"status": 429, "retry_after": 0},
        {"latency": 0.4},
    ],
    ids=str,
)
def test_n_events_called_give_n_recorded(fault: Any, duplicate_status: Any) -> None:
    """Each event is recorded once and reported as a success, though its first attempt failed."""
    configuration = Configuration(request_timeout=(3, 0.2))
    with (
        Sandbox(duplicate_status=duplicate_status) as sandbox,
        CMSClient(sandbox.token, sandbox.url, configuration=configuration) as client,
    ):
        for number in range(2):
            sandbox.fail_next(**fault)
            assert sale(client, invoice_id=f"inv_{number}")["success"] is True
            sandbox.fail_next(**fault)
            assert lead(client, customer_external_id=f"user_{number}")["success"] is True
            assert not sandbox._faults.pending  # all of them were met
        assert [event.invoice_id for event in sandbox.sales] == ["inv_0", "inv_1"]
        assert [event.customer_external_id for event in sandbox.leads] == ["user_0", "user_1"]


class FaultyProxy:
    """
    Passes requests on to a server, and spoils some of them.

    Args:
        port: The server's.
        share: How many are spoilt, from 0 to 1.

    Attributes:
        counts: How often each fault was played; `none` for what was passed on as it is.
    """

    def __init__(self, port: int, share: float) -> None:
        self._port = port
        self._share = share
        self._random = random.Random(7)
        self._faults = itertools.cycle(FAULTS)
        self._greetings = itertools.cycle(GREETINGS)
        self.counts: Counter[str] = Counter()

    def __call__(self, connection: Connection) -> bool:
        """Answer a request, or don't: a step of a server."""
        request = connection.request
        assert request is not None
        spoil = FAULTS.get(self._draw(self._faults), pass_on)
        return spoil(connection, lambda: self._forward(request))

    def greet(self, connection: Connection) -> bool:
        """Spoil some connections before, or while, their first request comes."""
        return GREETINGS.get(self._draw(self._greetings), at_once)(connection)

    def _draw(self, faults: Iterator[str]) -> str:
        name = next(faults) if self._random.random() < self._share else "none"
        self.counts[name] += 1
        return name

    def _forward(self, request: Request) -> bytes:
        """Let the server answer."""
        headers = {name: values[0] for name, values in request.headers.items()}
        with closing(http.client.HTTPConnection("127.0.0.1", self._port)) as upstream:
            upstream.request(request.method, request.target, request.body, headers)
            answer = upstream.getresponse()
            body = answer.read()
        head = f"HTTP/1.1 {answer.status} -\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode() + body


Forward = Callable[[], bytes]
Spoil = Callable[[Connection, Forward], bool]


def pass_on(connection: Connection, forward: Forward) -> bool:
    """Answer like the server."""
    return raw(forward(), close=False)(connection)


def unheard(step: Any) -> Spoil:
    """Do something instead of passing the request on."""
    return lambda connection, _forward: step(connection)


def after_commit(step: Any) -> Spoil:
    """Pass the request on, and do something instead of answering."""

    def spoil(connection: Connection, forward: Forward) -> bool:
        forward()
        return bool(step(connection))

    return spoil


GREETINGS = {
    "closed at once": drop,
    "reset at once": reset,
    "reset in the request's head": after(20, reset),
    "closed in the request's body": after(350, drop),
}
FAULTS: dict[str, Spoil] = {
    "closed before": unheard(drop),
    "reset before": unheard(reset),
    "silent before": unheard(silence),
    "429 before": unheard(reply(429, headers={"Retry-After": "0"})),
    "503 before": unheard(reply(503, "<html>")),
    "broken head before": unheard(raw(b"HTTP/1.1 200 OK\r\nContent-")),
    "closed after the commit": after_commit(drop),
    "reset after the commit": after_commit(reset),
    "silent after the commit": after_commit(silence),
    "500 after the commit": after_commit(reply(500, json={"error": "Failed"})),
    "504 after the commit": after_commit(reply(504)),
    "cut head": lambda connection, forward: raw(forward()[:20])(connection),
    "cut body": lambda connection, forward: raw(forward()[:-1])(connection),
    "closed after the answer": lambda connection, forward: raw(forward())(connection),
}


@each_reply_to_duplicates
@pytest.mark.parametrize(
    "events", [400, pytest.param(5000, marks=pytest.mark.soak)], ids=["short", "long"]
)
def test_nothing_is_lost_or_counted_twice_under_faults(
    events: int, duplicate_status: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of many events, each is recorded once and a success, or retryable; no success is a lie."""
    with Sandbox(duplicate_status=duplicate_status) as sandbox:
        proxy = FaultyProxy(int(sandbox.url.rpartition(":")[2]), 0.2)
        configuration = Configuration(request_timeout=(3, 0.3))
        with (
            Server(proxy, greetings=[proxy.greet]) as server,
            CMSClient(sandbox.token, server.url, configuration=configuration) as client,
            ThreadPoolExecutor(8) as threads,
        ):

            def track(number: int) -> Any:
                if number % 2:
                    return lead(client, customer_external_id=str(number))
                return sale(client, invoice_id=str(number))

            results = dict(enumerate(threads.map(track, range(events))))
            requests = len(server.requests)
        recorded = [int(event.customer_external_id) for event in sandbox.leads]
        recorded += [int(event.invoice_id) for event in sandbox.sales]
    assert len(recorded) == len(set(recorded))
    succeeded = {number for number, result in results.items() if result["success"]}
    assert succeeded <= set(recorded)
    for number, result in results.items():
        assert_documented(result)
        assert number in succeeded or result["retryable"] is True
    outcomes = Counter(result.get("type", "success") for result in results.values())
    with capsys.disabled() if events > 1000 else nullcontext():
        print(
            f"\n{events} events, {requests} requests, duplicates answered {duplicate_status}: "
            f"{dict(outcomes)}, {len(recorded)} recorded, each once; "
            f"{len(set(recorded) - succeeded)} recorded and retryable"
            f"\nfaults: {dict(sorted(proxy.counts.items()))}"
        )
    assert set(proxy.counts) == {"none", *FAULTS, *GREETINGS}
    assert len(succeeded) > 0.9 * events
