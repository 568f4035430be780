"""Upper bounds on the duration and the memory of a call."""

import contextlib
import email.utils
import itertools
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cutmeshort import ApiClient, ApiException, CMSClient, Configuration, TrackingApi

from ..support.addresses import needs_unresponsive_address, unresponsive_address
from ..support.events import PAYLOAD, TOKEN, client_of, lead
from ..support.faults import FAULTS, FINE
from ..support.paths import ROOT
from ..support.server import Connection, Server, accept, never_read, raw, respond
from ..support.timing import SLACK, Clock, timed

MEBIBYTE = 2**20


@needs_unresponsive_address
def test_a_host_that_accepts_no_connection_is_a_timeout() -> None:
    """A call to a host that accepts no connection is a `timeout` at the deadline."""
    with unresponsive_address() as (host, port):
        configuration = Configuration(
            f"http://{host}:{port}", TOKEN, timeout=0.3, request_timeout=60
        )
        with CMSClient(configuration=configuration) as client:
            result, seconds = timed(lambda: lead(client))
    assert result["type"] == "timeout"
    assert 0.25 < seconds < 0.3 + SLACK


@pytest.mark.parametrize("reused", [False, True])
def test_a_server_that_stops_reading_does_not_block_a_call(reused: bool) -> None:
    """A call ends at its deadline if the server stops reading the request."""

    def respond_once(connection: Connection) -> bool:
        connection.socket.sendall(FINE)
        return never_read(connection)

    small = [(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**16)]
    with Server(respond_once, on_connect=[accept if reused else never_read]) as server:
        configuration = Configuration(
            server.url, TOKEN, timeout=0.3, request_timeout=60, socket_options=small
        )
        api = TrackingApi(ApiClient(configuration))
        if reused:
            api.track_lead(PAYLOAD, _deadline=60)
        started = time.monotonic()
        with pytest.raises(ApiException) as caught:
            api.track_lead(PAYLOAD, _headers={"X": "y" * 2**20})
        assert caught.value.type == "timeout"
        assert time.monotonic() - started < 0.3 + SLACK
        api.api_client.close()


@pytest.mark.parametrize(("jitter", "expected"), [(0.0, [0] * 9), (0.5, [0.25]), (1.0, [0.5])])
def test_a_wait_that_would_end_after_the_deadline_ends_the_call(
    jitter: float, expected: list[float], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call gives up if the wait before its next attempt would end after the deadline."""
    monkeypatch.setattr("random.random", lambda: jitter)
    with Server(respond(503)) as server, client_of(server, timeout=0.7, max_retries=9) as client:
        result = lead(client)
        assert result["type"] == "service_unavailable"
        assert clock.waits == expected
        assert len(server.requests) == len(expected) + 1


MEMBERS = ",".join(f'"{number:x}":"\\u{number % 5000 + 65:04x}"' for number in range(60_000))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_no_response_takes_more_than_64_mib() -> None:
    """The process grows by less than 64 MiB in all for large, endless and compressed responses."""
    steps = [
        *(fault.step for fault in FAULTS if fault.type != "timeout"),
        respond(200, f'{{"success": false, "data": {{{MEMBERS}}}}}'),
        respond(400, f'{{"error": "{TOKEN}", {MEMBERS}}}'),
        respond(200, '{"data": [' + "1.5," * 250_000 + "0]}"),
        raw([b"HTTP/1.1 200 OK\r\n", *[b"X: " + b"y" * 60000 + b"\r\n"] * 90]),
    ]
    with contextlib.ExitStack() as servers:
        urls = [servers.enter_context(Server(step)).url for step in [raw(FINE), *steps]]
        command = [sys.executable, "-m", "tests.support.memory", *urls]
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=180
        )
    growth = int(done.stdout) * 1024
    print(f"grew by {growth / MEBIBYTE:.1f} MiB")
    assert growth < 64 * MEBIBYTE


def test_wall_clock_jumps_have_no_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jumps of the wall clock have no effect, as timeouts and waits use the monotonic clock."""
    jumps = itertools.cycle([0.0, 4e9, 1.0, 2e9])
    monkeypatch.setattr(time, "time", lambda: next(jumps))
    monkeypatch.setattr("random.random", lambda: 0.1)
    with Server(respond(503), respond(503), respond()) as server, client_of(server) as client:
        assert lead(client)["success"] is True
        assert len(server.requests) == 3


@pytest.mark.parametrize(("ahead", "attempts"), [(0, 2), (3600, 1)])
def test_a_date_in_retry_after_is_compared_with_the_wall_clock(
    ahead: int, attempts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client compares a date in Retry-After with the system's wall clock."""
    now = 1_800_000_000.0
    monkeypatch.setattr(time, "time", lambda: now)
    date = email.utils.formatdate(now + ahead, usegmt=True)
    with Server(respond(503, headers={"Retry-After": date}), respond()) as server:
        with client_of(server) as client:
            result = lead(client)
        assert result.get("retry_after") == (ahead or None)
        assert len(server.requests) == attempts
