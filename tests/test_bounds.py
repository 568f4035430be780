"""How long a call takes and how much memory, at the most."""

import contextlib
import email.utils
import itertools
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cutmeshort import ApiClient, ApiException, CMSClient, Configuration, TrackingApi

from .conftest import PAYLOAD, TOKEN, client_of, lead
from .faults import FAULTS, FINE, OVERSHOOT
from .server import Connection, Server, at_once, deaf, raw, reply

MEBIBYTE = 2**20
ROOT = Path(__file__).parent.parent


@contextlib.contextmanager
def dead_address() -> Iterator[tuple[str, int]]:
    """An address that takes no connection and refuses none."""
    with contextlib.ExitStack() as sockets:
        full = sockets.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(3):
            filler = sockets.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        yield full.getsockname()


def resolve_to(addresses: list[Any], monkeypatch: pytest.MonkeyPatch, after: float = 0) -> None:
    """Let every name have these addresses, or fail with an error; after some seconds."""

    def getaddrinfo(*_arguments: Any, **_options: Any) -> Any:
        threading.Event().wait(after)
        for address in addresses:
            if isinstance(address, OSError):
                raise address
        kind = (socket.AF_INET, socket.SOCK_STREAM, 0, "")
        return [(*kind, address) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def timed(client: CMSClient, **options: Any) -> tuple[Any, float]:
    """Track a lead; return the result and the seconds."""
    begin = time.monotonic()
    result = lead(client, **options)
    return result, time.monotonic() - begin


def test_a_connection_that_can_not_be_made_in_time_is_a_timeout() -> None:
    """A host that takes no connection ends as `timeout`, on time."""
    with (
        dead_address() as (host, port),
        CMSClient(TOKEN, f"http://{host}:{port}", timeout=0.3) as client,
    ):
        result, taken = timed(client)
    assert result["type"] == "timeout"
    assert taken < 0.3 + OVERSHOOT


@pytest.mark.parametrize(("connect", "seconds"), [(3.0, 0.3), (0.2, 0.4)])
def test_a_host_of_many_dead_addresses_does_not_hold_a_call(
    connect: float, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the deadline no address is tried; the last one may take one connect more."""
    with dead_address() as address:
        resolve_to([address] * 8, monkeypatch)
        configuration = Configuration("https://many.example", TOKEN, request_timeout=(connect, 5))
        with CMSClient(configuration=configuration, timeout=0.3) as client:
            result, taken = timed(client)
    assert result["type"] == "timeout"
    assert seconds - 0.05 < taken < seconds + OVERSHOOT


def test_a_living_address_behind_a_dead_one_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each address has its own time to connect."""
    with dead_address() as address, Server() as server:
        resolve_to([address, ("127.0.0.1", server.port)], monkeypatch)
        configuration = Configuration(request_timeout=(0.1, 5))
        with client_of(server, configuration=configuration) as client:
            assert lead(client, max_retries=0)["success"] is True


def test_a_slow_name_server_adds_its_time_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the name is resolved after the deadline, nothing is connected to."""
    with Server() as server, client_of(server, timeout=0.1) as client:
        resolve_to([("127.0.0.1", server.port)], monkeypatch, after=0.3)
        result, taken = timed(client)
        assert result["type"] == "timeout"
        assert taken < 0.3 + OVERSHOOT
        assert server.connections == 0


def test_a_name_that_fails_to_resolve_is_tried_until_the_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name server that fails, slowly, is the network's failure, and ends in time."""
    resolve_to([socket.gaierror(socket.EAI_AGAIN, "try again")], monkeypatch, after=0.1)
    monkeypatch.setattr("random.random", lambda: 0.1)
    with CMSClient(TOKEN, "https://nobody.example", timeout=0.4) as client:
        result, taken = timed(client)
    assert (result["type"], result["status_code"]) == ("network_error", 0)
    assert "nobody.example could not be resolved" in result["error"]
    assert result["retryable"] is True
    assert taken < 0.4 + 0.1 + OVERSHOOT


@pytest.mark.parametrize("kept", [False, True])
def test_a_server_that_stops_reading_does_not_hold_a_call(kept: bool) -> None:
    """A request that is too large for the buffers on its way ends in time, too."""

    def answer_once(connection: Connection) -> bool:
        connection.socket.sendall(FINE)
        return deaf(connection)

    small = [(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**16)]
    with Server(answer_once, greetings=[at_once if kept else deaf]) as server:
        configuration = Configuration(server.url, TOKEN, timeout=0.3, socket_options=small)
        api = TrackingApi(ApiClient(configuration))
        if kept:
            api.track_lead(PAYLOAD, _deadline=60)
        begin = time.monotonic()
        with pytest.raises(ApiException) as caught:
            api.track_lead(PAYLOAD, _headers={"X": "y" * 2**20})
        assert caught.value.type == "timeout"
        assert time.monotonic() - begin < 0.3 + OVERSHOOT
        api.api_client.close()


@pytest.mark.parametrize(("jitter", "attempts"), [(0.0, 10), (0.5, 2), (1.0, 2)])
def test_a_wait_that_would_not_fit_ends_the_call(
    jitter: float, attempts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Waits count against the deadline: the call gives up before it would oversleep."""
    monkeypatch.setattr("random.random", lambda: jitter)
    with Server(reply(503)) as server, client_of(server, timeout=0.7, max_retries=9) as client:
        result, taken = timed(client)
        assert result["type"] == "service_unavailable"
        assert taken < 0.7
        assert len(server.requests) == attempts


TEXTS = ",".join(f'"{number:x}":"\\u{number % 5000 + 65:04x}"' for number in range(60_000))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_no_answer_takes_more_than_64_mib() -> None:
    """Bombs, floods, long heads, deep and bushy JSON: the process grows by less, all together."""
    steps = [
        *(fault.step for fault in FAULTS if fault.type != "timeout"),
        reply(200, f'{{"success": false, "data": {{{TEXTS}}}}}'),
        reply(400, f'{{"error": "{TOKEN}", {TEXTS}}}'),
        reply(200, '{"data": [' + "1.5," * 250_000 + "0]}"),
        raw([b"HTTP/1.1 200 OK\r\n", *[b"X: " + b"y" * 60000 + b"\r\n"] * 90]),
    ]
    with contextlib.ExitStack() as servers:
        urls = [servers.enter_context(Server(step)).url for step in [raw(FINE), *steps]]
        command = [sys.executable, "-m", "tests.memory", *urls]
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
        )
    grown = int(done.stdout) * 1024
    print(f"grown by {grown / MEBIBYTE:.1f} MiB")
    assert grown < 64 * MEBIBYTE


def test_wall_clock_jumps_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time-outs, waits and attempts go by the monotonic clock."""
    jumps = itertools.cycle([0.0, 4e9, 1.0, 2e9])
    monkeypatch.setattr(time, "time", lambda: next(jumps))
    monkeypatch.setattr("random.random", lambda: 0.1)
    with Server(reply(503), reply(503), reply()) as server, client_of(server) as client:
        assert lead(client)["success"] is True
        assert len(server.requests) == 3


@pytest.mark.parametrize(("ahead", "tried"), [(0, 2), (3600, 1)])
def test_only_a_date_to_retry_after_goes_by_the_wall_clock(
    ahead: int, tried: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A date is as far away as this machine's clock says."""
    now = 1_800_000_000.0
    monkeypatch.setattr(time, "time", lambda: now)
    date = email.utils.formatdate(now + ahead, usegmt=True)
    with Server(reply(503, headers={"Retry-After": date}), reply()) as server:
        with client_of(server) as client:
            result = lead(client)
        assert result.get("retry_after") == (ahead or None)
        assert len(server.requests) == tried
