"""Each event is recorded once, with a correct result, whichever request or response is lost."""

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
from cutmeshort.operations import OPERATIONS, Operation
from cutmeshort.sandbox import Sandbox

from ..support.operations import each_operation, example, recorded, track
from ..support.results import assert_documented
from ..support.server import (
    Connection,
    Request,
    Server,
    accept,
    after_bytes,
    drop,
    never_respond,
    raw,
    reset,
    respond,
)

each_response_to_duplicates = pytest.mark.parametrize("duplicate_status", [200, 409])


@each_operation
@pytest.mark.usefixtures("no_wait")
@each_response_to_duplicates
@pytest.mark.parametrize(
    ("fault", "read_timeout"),
    [
        ({"drop": True}, 5),
        ({"drop": True, "recorded": True}, 5),
        ({"drop": True, "recorded": True, "times": 3}, 5),
        ({"status": 503}, 5),
        ({"status": 500, "recorded": True}, 5),
        ({"status": 504, "recorded": True, "times": 3}, 5),
        ({"status": 429, "retry_after": 0}, 5),
        ({"latency": 0.4}, 0.2),
    ],
    ids=str,
)
def test_each_event_is_recorded_once_under_faults(
    operation: Operation, fault: Any, read_timeout: float, duplicate_status: Any
) -> None:
    """Each event is recorded once and is a success, even if its first attempt fails."""
    # On a busy machine, attempts without a fault may also take longer than the read timeout.
    configuration = Configuration(request_timeout=(3, read_timeout), timeout=60, retries=20)
    identities = ["first", "second"]
    with (
        Sandbox(duplicate_status=duplicate_status) as sandbox,
        CMSClient(sandbox.token, sandbox.url, configuration=configuration) as client,
    ):
        for identity in identities:
            sandbox.fail_next(**fault)
            changes = {example(operation).identity: identity}
            assert track(client, operation, **changes)["success"] is True
            assert not sandbox._state.faults.pending()  # all of them were injected
        assert recorded(sandbox, operation) == identities


class FaultyProxy:
    """
    Passes requests on to a server, and injects faults into some of them.

    Args:
        port: The server's port.
        share: The share of requests with a fault, from 0 to 1.

    Attributes:
        counts: How often each fault was injected; `none` counts requests without one.
    """

    def __init__(self, port: int, share: float) -> None:
        self._port = port
        self._share = share
        self._random = random.Random(7)
        self._faults = itertools.cycle(FAULTS)
        self._on_connect = itertools.cycle(ON_CONNECT)
        self.counts: Counter[str] = Counter()

    def __call__(self, connection: Connection) -> bool:
        """Respond to a request, with or without a fault; this is a step of a server."""
        request = connection.request
        assert request is not None
        inject = FAULTS.get(self._draw(self._faults), pass_on)
        return inject(connection, lambda: self._forward(request))

    def on_connect(self, connection: Connection) -> bool:
        """Close or reset some connections before, or while, their first request arrives."""
        return ON_CONNECT.get(self._draw(self._on_connect), accept)(connection)

    def _draw(self, faults: Iterator[str]) -> str:
        name = next(faults) if self._random.random() < self._share else "none"
        self.counts[name] += 1
        return name

    def _forward(self, request: Request) -> bytes:
        """Return the response of the server."""
        headers = {name: values[0] for name, values in request.headers.items()}
        with closing(http.client.HTTPConnection("127.0.0.1", self._port)) as upstream:
            upstream.request(request.method, request.target, request.body, headers)
            response = upstream.getresponse()
            body = response.read()
        head = f"HTTP/1.1 {response.status} -\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode() + body


Forward = Callable[[], bytes]
Inject = Callable[[Connection, Forward], bool]


def pass_on(connection: Connection, forward: Forward) -> bool:
    """Pass the request on, and the response back."""
    return raw(forward(), close=False)(connection)


def before_commit(step: Any) -> Inject:
    """Run a step instead of passing the request on."""
    return lambda connection, _forward: step(connection)


def after_commit(step: Any) -> Inject:
    """Pass the request on, then run a step instead of responding."""

    def inject(connection: Connection, forward: Forward) -> bool:
        forward()
        return bool(step(connection))

    return inject


ON_CONNECT = {
    "closed at once": drop,
    "reset at once": reset,
    "reset in the request's head": after_bytes(20, reset),
    "closed in the request's body": after_bytes(350, drop),
}
FAULTS: dict[str, Inject] = {
    "closed before the commit": before_commit(drop),
    "reset before the commit": before_commit(reset),
    "silent before the commit": before_commit(never_respond),
    "429 before the commit": before_commit(respond(429, headers={"Retry-After": "0"})),
    "503 before the commit": before_commit(respond(503, "<html>")),
    "truncated head before the commit": before_commit(raw(b"HTTP/1.1 200 OK\r\nContent-")),
    "closed after the commit": after_commit(drop),
    "reset after the commit": after_commit(reset),
    "silent after the commit": after_commit(never_respond),
    "500 after the commit": after_commit(respond(500, json={"error": "Failed"})),
    "504 after the commit": after_commit(respond(504)),
    "truncated head": lambda connection, forward: raw(forward()[:20])(connection),
    "truncated body": lambda connection, forward: raw(forward()[:-1])(connection),
    "closed after the response": lambda connection, forward: raw(forward())(connection),
}


@each_response_to_duplicates
@pytest.mark.parametrize(
    "events", [400, pytest.param(5000, marks=pytest.mark.soak)], ids=["short", "long"]
)
def test_no_event_is_lost_or_recorded_twice_under_faults(
    events: int, duplicate_status: Any, request: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of many events, each success is recorded once, and each failure is retryable."""
    if events < 1000:
        request.getfixturevalue("no_wait")
    with Sandbox(duplicate_status=duplicate_status) as sandbox:
        proxy = FaultyProxy(int(sandbox.url.rpartition(":")[2]), 0.2)
        configuration = Configuration(request_timeout=(3, 0.5), timeout=60, retries=9)
        with (
            Server(proxy, on_connect=[proxy.on_connect]) as server,
            CMSClient(sandbox.token, server.url, configuration=configuration) as client,
            ThreadPoolExecutor(8) as threads,
        ):

            def track_event(number: int) -> Any:
                operation = OPERATIONS[number % len(OPERATIONS)]
                return track(client, operation, **{example(operation).identity: str(number)})

            results = dict(enumerate(threads.map(track_event, range(events))))
            requests = len(server.requests)
        numbers = [int(each) for operation in OPERATIONS for each in recorded(sandbox, operation)]
    assert len(numbers) == len(set(numbers))
    succeeded = {number for number, result in results.items() if result["success"]}
    assert succeeded <= set(numbers)
    for number, result in results.items():
        assert_documented(result)
        assert number in succeeded or result["retryable"] is True
    outcomes = Counter(result.get("type", "success") for result in results.values())
    with capsys.disabled() if events > 1000 else nullcontext():
        print(
            f"\n{events} events, {requests} requests, {duplicate_status} to duplicates: "
            f"{dict(outcomes)}, {len(numbers)} recorded, each once; "
            f"{len(set(numbers) - succeeded)} recorded and retryable"
            f"\nfaults: {dict(sorted(proxy.counts.items()))}"
        )
    assert set(proxy.counts) == {"none", *FAULTS, *ON_CONNECT}
    assert len(succeeded) > 0.9 * events
