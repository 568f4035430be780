"""Name look-ups: none blocks a call beyond its deadline, and calls share them."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cutmeshort import CMSClient, Configuration
from cutmeshort.resolver import _LookUp

from ..support.addresses import Resolver, needs_unresponsive_address, unresponsive_address
from ..support.events import TOKEN, client_of, lead
from ..support.server import Server
from ..support.timing import LONG, SLACK, timed


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    """A resolver that replaces the system's during the test; its threads end with the test."""
    resolver = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    yield resolver
    resolver.released.set()
    for thread in threading.enumerate():
        if thread.name.startswith("look up "):
            thread.join()


@needs_unresponsive_address
@pytest.mark.parametrize("connect", [60.0, 0.2])
def test_many_unresponsive_addresses_do_not_block_a_call(
    connect: float, resolver: Resolver
) -> None:
    """A call ends at its deadline if none of the host's many addresses responds."""
    with unresponsive_address() as address:
        resolver.addresses = (address,) * 8
        configuration = Configuration("https://many.example", TOKEN, request_timeout=(connect, 60))
        with CMSClient(configuration=configuration, timeout=0.3) as client:
            result, seconds = timed(lambda: lead(client))
    assert result["type"] == "timeout"
    assert 0.25 < seconds < 0.3 + SLACK


@needs_unresponsive_address
@pytest.mark.usefixtures("no_wait")
def test_a_responsive_address_after_an_unresponsive_one_is_used(resolver: Resolver) -> None:
    """The client connects to a host's second address if the first one does not respond."""
    with unresponsive_address() as address, Server() as server:
        resolver.addresses = (address, ("127.0.0.1", server.port))
        configuration = Configuration(request_timeout=(0.3, 5), timeout=60)
        with client_of(server, configuration=configuration) as client:
            assert lead(client)["success"] is True


@pytest.mark.parametrize("threads", [1, 20])
def test_a_name_server_that_never_responds_does_not_block_a_call(
    threads: int, resolver: Resolver
) -> None:
    """Calls share a look-up that hangs and end at their deadlines, and a later call connects."""
    resolver.released.clear()
    host = "http://name.example"
    configuration = Configuration(
        host, TOKEN, timeout=0.3, request_timeout=60, allow_insecure_http=True
    )
    with Server() as server, CMSClient(configuration=configuration) as client:
        resolver.addresses = (("127.0.0.1", server.port),)
        with ThreadPoolExecutor(threads) as pool:
            for result, seconds in pool.map(lambda _: timed(lambda: lead(client)), range(threads)):
                assert (result["type"], result["retryable"]) == ("timeout", True)
                assert 0.25 < seconds < 0.3 + SLACK
        assert (resolver.lookups, server.connections) == (1, 0)
        resolver.released.set()
        assert lead(client, timeout=60)["success"] is True


HUNG_NAME_SERVER = """
import socket, subprocess, sys, time

from cutmeshort import CMSClient, Configuration

subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
subprocess.run(["mount", "--bind", sys.argv[1], "/etc/resolv.conf"], check=True)
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as name_server:
    name_server.bind(("127.0.0.1", 53))
    for host in ("https://api.name.example", "https://name"):
        configuration = Configuration(host, "token", timeout=0.3, request_timeout=60)
        with CMSClient(configuration=configuration) as client:
            started = time.monotonic()
            result = client.track_lead("Sign up", "user_42", "click_1")
            print(result["type"], time.monotonic() - started)
    name_server.settimeout(30)
    assert b"example" in name_server.recv(4096)
"""


def test_the_systems_resolver_does_not_block_a_call(tmp_path: Path) -> None:
    """A call ends at its deadline if the system's own name server never responds."""
    configuration = tmp_path / "resolv.conf"
    configuration.write_text(
        "nameserver 127.0.0.1\noptions ndots:5\n"
        "search shop.svc.cluster.local svc.cluster.local cluster.local\n",  # as in Kubernetes
        encoding="utf-8",
    )
    unshare = ["unshare", "--user", "--map-root-user", "--mount", "--net"]
    try:
        subprocess.run([*unshare, "ip", "link", "set", "lo", "up"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs permission to create a network namespace")
    command = [*unshare, sys.executable, "-c", HUNG_NAME_SERVER, str(configuration)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    for line in done.stdout.splitlines():
        type_, seconds = line.split()
        assert type_ == "timeout"
        assert 0.25 < float(seconds) < 0.3 + SLACK


def test_calls_that_wait_for_the_same_name_share_the_look_up(resolver: Resolver) -> None:
    """Concurrent calls run one look-up of a name at a time, and all get its addresses."""
    with Server() as server:
        resolver.addresses = (("127.0.0.1", server.port),)
        configuration = Configuration("http://a.example", TOKEN, allow_insecure_http=True)
        with CMSClient(configuration=configuration) as client, ThreadPoolExecutor(20) as pool:
            results = list(pool.map(lambda _: lead(client), range(100)))
        assert all(result["success"] for result in results)
        assert resolver.max_running == 1


def test_a_look_up_that_starts_during_another_waits_for_it(
    resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two concurrent look-ups of a name, one calls the resolver, and both get its addresses."""
    resolver.released.clear()
    resolver.addresses = (("127.0.0.1", 80),)
    first, second = _LookUp("a.example", 80), _LookUp("a.example", 80)
    first.start()
    assert resolver.called.wait(LONG)

    def release_and_join() -> None:
        resolver.released.set()
        threading.Thread.join(first)

    monkeypatch.setattr(first, "join", release_and_join)
    second.run()
    assert second.outcome == first.outcome
    assert second.outcome
    assert resolver.lookups == 1


def test_only_a_new_connection_calls_the_resolver(resolver: Resolver) -> None:
    """The client calls the resolver once for a new connection, and not for a reused one."""
    with Server() as server:
        resolver.addresses = (("127.0.0.1", server.port),)
        with client_of(server) as client:
            assert lead(client)["success"] is True
            assert resolver.lookups == 1  # for an IP address, without a name server
        configuration = Configuration("http://a.example", TOKEN, allow_insecure_http=True)
        with CMSClient(configuration=configuration) as client:
            assert lead(client)["success"] is lead(client)["success"] is True
        assert resolver.lookups == 2


def test_a_name_that_fails_to_resolve_is_retried(resolver: Resolver) -> None:
    """A failing name server is a network error, which the client retries."""
    resolver.addresses = (socket.gaierror(socket.EAI_AGAIN, "try again"),)
    with CMSClient(TOKEN, "https://unknown.example", max_retries=1) as client:
        result = lead(client)
    assert (result["type"], result["status_code"]) == ("network_error", 0)
    assert "unknown.example could not be resolved" in result["error"]
    assert result["retryable"] is True
    assert resolver.lookups == 2


@pytest.mark.parametrize("addresses", [(), (ValueError("port"),)])
def test_a_look_up_that_finds_nothing_is_a_network_error(
    addresses: Any, resolver: Resolver
) -> None:
    """A look-up that finds no address, or raises another exception, is a network error."""
    resolver.addresses = addresses
    with CMSClient(TOKEN, "https://unknown.example", max_retries=0) as client:
        assert lead(client)["type"] == "network_error"


def test_a_call_works_if_no_thread_can_be_started(
    resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If no thread can be started, as at exit, the client looks the name up without one."""
    start = threading.Thread.start

    def fail_to_start(thread: threading.Thread) -> None:
        if thread.name.startswith("look up "):
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", fail_to_start)
    with Server() as server:
        resolver.addresses = (("127.0.0.1", server.port),)
        configuration = Configuration("http://a.example", TOKEN, allow_insecure_http=True)
        with CMSClient(configuration=configuration) as client:
            assert lead(client)["success"] is True
