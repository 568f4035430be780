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
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cutmeshort import ApiClient, ApiException, CMSClient, Configuration, TrackingApi

from ..support.addresses import Resolver, dead_address
from ..support.events import PAYLOAD, TOKEN, client_of, lead
from ..support.faults import FAULTS, FINE, OVERSHOOT
from ..support.paths import ROOT
from ..support.server import Connection, Server, at_once, deaf, raw, reply

MEBIBYTE = 2**20


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    """A resolver that every name look-up of the test asks; its threads end with the test."""
    resolver = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    yield resolver
    resolver.released.set()
    for thread in threading.enumerate():
        if thread.name.startswith("look up "):
            thread.join()


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


@pytest.mark.parametrize("connect", [3.0, 0.2])
def test_a_host_of_many_dead_addresses_does_not_hold_a_call(
    connect: float, resolver: Resolver
) -> None:
    """Connecting to one address after the other ends with the deadline."""
    with dead_address() as address:
        resolver.addresses = (address,) * 8
        configuration = Configuration("https://many.example", TOKEN, request_timeout=(connect, 5))
        with CMSClient(configuration=configuration, timeout=0.3) as client:
            result, taken = timed(client)
    assert result["type"] == "timeout"
    assert 0.25 < taken < 0.3 + OVERSHOOT


def test_a_living_address_behind_a_dead_one_is_found(resolver: Resolver) -> None:
    """Each address has its own time to connect."""
    with dead_address() as address, Server() as server:
        resolver.addresses = (address, ("127.0.0.1", server.port))
        configuration = Configuration(request_timeout=(0.5, 5))
        with client_of(server, configuration=configuration) as client:
            assert lead(client, max_retries=0)["success"] is True


@pytest.mark.parametrize("threads", [1, 20])
def test_a_name_server_that_never_responds_does_not_hold_a_call(
    threads: int, resolver: Resolver
) -> None:
    """Calls end at their deadline; together they look the name up once, and connect afterwards."""
    resolver.released.clear()
    host = "http://name.example"
    configuration = Configuration(host, TOKEN, timeout=0.3, allow_insecure_http=True)
    with Server() as server, CMSClient(configuration=configuration) as client:
        resolver.addresses = (("127.0.0.1", server.port),)
        with ThreadPoolExecutor(threads) as pool:
            for result, taken in pool.map(lambda _: timed(client), range(threads)):
                assert (result["type"], result["retryable"]) == ("timeout", True)
                assert 0.25 < taken < 0.3 + OVERSHOOT
        assert (resolver.asked, server.connections) == (1, 0)
        resolver.released.set()
        assert lead(client, timeout=10)["success"] is True


DEAD_NAME_SERVER = """
import socket, subprocess, sys, time

from cutmeshort import CMSClient

subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
subprocess.run(["mount", "--bind", sys.argv[1], "/etc/resolv.conf"], check=True)
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as name_server:
    name_server.bind(("127.0.0.1", 53))
    for host in ("https://api.name.example", "https://name"):
        with CMSClient("token", host, timeout=0.5) as client:
            begin = time.monotonic()
            result = client.track_lead("Sign up", "user_42", "click_1")
            print(result["type"], time.monotonic() - begin)
    name_server.settimeout(5)
    assert b"example" in name_server.recv(4096)
"""


def test_the_systems_resolver_does_not_hold_a_call(tmp_path: Path) -> None:
    """A real name server that never responds, with the search list that Kubernetes writes."""
    configuration = tmp_path / "resolv.conf"
    configuration.write_text(
        "nameserver 127.0.0.1\noptions ndots:5\n"
        "search shop.svc.cluster.local svc.cluster.local cluster.local\n"
    )
    unshare = ["unshare", "--user", "--map-root-user", "--mount", "--net"]
    try:
        subprocess.run([*unshare, "ip", "link", "set", "lo", "up"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs network namespaces of its own")
    command = [*unshare, sys.executable, "-c", DEAD_NAME_SERVER, str(configuration)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    for line in done.stdout.splitlines():
        kind, seconds = line.split()
        assert kind == "timeout"
        assert 0.45 < float(seconds) < 2.6
    print(done.stdout)


def test_calls_that_wait_for_the_same_name_share_the_look_up(resolver: Resolver) -> None:
    """Twenty calls at a time never look a name up twice at a time, and all get its addresses."""
    with Server() as server:
        resolver.addresses = (("127.0.0.1", server.port),)
        configuration = Configuration("http://a.example", TOKEN, allow_insecure_http=True)
        with CMSClient(configuration=configuration) as client, ThreadPoolExecutor(20) as pool:
            results = list(pool.map(lambda _: lead(client), range(100)))
        assert all(result["success"] for result in results)
        assert resolver.most == 1


def test_an_address_and_a_kept_connection_need_no_look_up(resolver: Resolver) -> None:
    """Only a new connection to a name starts a thread."""
    with Server() as server:
        resolver.addresses = (("127.0.0.1", server.port),)
        with client_of(server) as client:
            assert lead(client)["success"] is True
            assert resolver.asked == 1  # of an address, the system knows what it is at once
        configuration = Configuration("http://a.example", TOKEN, allow_insecure_http=True)
        with CMSClient(configuration=configuration) as client:
            assert lead(client)["success"] is lead(client)["success"] is True
        assert resolver.asked == 2


def test_a_name_that_fails_to_resolve_is_tried_again(resolver: Resolver) -> None:
    """A name server that fails is the network's failure."""
    resolver.addresses = (socket.gaierror(socket.EAI_AGAIN, "try again"),)
    with CMSClient(TOKEN, "https://nobody.example", max_retries=1) as client:
        result, _ = timed(client)
    assert (result["type"], result["status_code"]) == ("network_error", 0)
    assert "nobody.example could not be resolved" in result["error"]
    assert result["retryable"] is True
    assert resolver.asked == 2


@pytest.mark.parametrize("addresses", [(), (ValueError("port"),)])
def test_a_look_up_that_finds_nothing_is_a_network_error(
    addresses: Any, resolver: Resolver
) -> None:
    """So is one that fails in another way than a name server does."""
    resolver.addresses = addresses
    with CMSClient(TOKEN, "https://nobody.example", max_retries=0) as client:
        assert lead(client)["type"] == "network_error"


def test_a_call_works_where_no_thread_can_be_started(
    resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As at the exit of an interpreter: then the name is looked up without a thread."""
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name.startswith("look up "):
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with Server() as server:
        resolver.addresses = (("127.0.0.1", server.port),)
        configuration = Configuration("http://a.example", TOKEN, allow_insecure_http=True)
        with CMSClient(configuration=configuration) as client:
            assert lead(client)["success"] is True


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
        assert taken < 2.7
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
        command = [sys.executable, "-m", "tests.support.memory", *urls]
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
