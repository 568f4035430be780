"""Connections: when the client reuses, replaces or closes one."""

import os
import socket
import threading
import time
from contextlib import suppress
from typing import Any

import pytest

from cutmeshort import (
    CMSClient,
    Configuration,
)

from ..support.events import TOKEN, client_of, lead, track_once
from ..support.faults import CHUNKED, FINE
from ..support.server import (
    OK,
    Connection,
    Server,
    drop,
    hang_for,
    raw,
    reset,
    respond,
)
from ..support.timing import LONG, SLACK, Clock, timed


def test_socket_options_are_set() -> None:
    """The client sets `socket_options` on its sockets; an invalid option is a network error."""
    with Server(OK) as server:
        valid = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
        assert track_once(server, socket_options=valid)["success"] is True
        invalid = [(socket.SOL_SOCKET, 99999, 1)]
        assert track_once(server, socket_options=invalid, retries=0)["type"] == "network_error"


def test_the_number_of_idle_connections_is_limited() -> None:
    """The client closes connections beyond `connection_pool_maxsize` after their call."""
    barrier = threading.Barrier(2)

    def together(connection: Connection) -> bool:
        with suppress(threading.BrokenBarrierError):
            barrier.wait(LONG)
        return OK(connection)

    with Server(together) as server:
        configuration = Configuration(connection_pool_maxsize=1)
        with CMSClient(TOKEN, server.url, configuration=configuration) as client:
            threads = [threading.Thread(target=lead, args=(client,)) for _ in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert server.wait_until(lambda: server.open_connections == 1)
        assert server.connections == 2


def test_an_idle_connection_that_the_server_closed_is_replaced_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Replacing an idle connection that the server closed costs no retry and no wait."""
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("waited"))
    body = b'{"success": true}'
    once = raw(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    with Server(once) as server, client_of(server) as client:
        for number in (1, 2, 3):
            assert lead(client, max_retries=0)["success"] is True
            assert server.wait_until_all_closed()
            assert (len(server.requests), server.connections) == (number, number)


@pytest.mark.parametrize("close", [drop, reset])
def test_a_reused_connection_that_closes_during_a_request_costs_no_wait(
    close: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reused connection that closes as the request arrives costs an attempt, but no wait."""
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    with Server(OK, close, OK, close) as server, client_of(server) as client:
        assert lead(client)["success"] is lead(client)["success"] is True
        assert waits == [0]
        assert [request.connection for request in server.requests] == [1, 1, 2]
        assert lead(client, max_retries=0)["type"] == "network_error"
        assert len(server.requests) == 4


RESPOND_AND_CLOSE = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")


@pytest.mark.parametrize(
    ("first", "second"),
    [(OK, raw(b"HT")), (OK, respond(503)), (OK, None), (RESPOND_AND_CLOSE, drop)],
    ids=["truncated", "503", "hung", "replaced"],
)
def test_a_retry_after_any_other_failure_waits(
    first: Any, second: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A retry waits as usual if a reused connection fails in another way, or a new one fails."""
    monkeypatch.setattr("random.random", lambda: 1.0)
    with Server(first, second or hang_for(5.1, clock), OK) as server, client_of(server) as client:
        lead(client)
        assert first is OK or server.wait_until_all_closed()
        result, seconds = timed(lambda: lead(client))
        assert result["success"] is True
        assert clock.waits == [0.5]
        assert seconds < SLACK


def test_a_call_works_with_many_files_open() -> None:
    """A call works with a socket number above 1024, which select() does not support."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1300:
        pytest.skip("needs 1,300 open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1300), hard))
    files = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        with Server(OK) as server, client_of(server) as client:
            assert lead(client)["success"] is lead(client)["success"] is True
            assert client.api_client._rest._pool.pool is not None
    finally:
        for file in files:
            os.close(file)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_calls_in_sequence_share_a_connection() -> None:
    """Calls in sequence use one connection, even after an error."""
    with Server(OK, respond(422), OK) as server, client_of(server) as client:
        assert [lead(client)["success"] for _ in range(3)] == [True, False, True]
        assert server.connections == 1


LONG_BODY = b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n" + b"x" * (2**20 + 1)


@pytest.mark.parametrize(
    "response",
    [
        LONG_BODY,
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n{}",
        CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Length: 2\r\n\r\n") + b"2\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n",
        FINE + b"HTTP/1.1 422 -\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_a_connection_that_ends_with_its_response_is_not_reused(response: bytes) -> None:
    """The client does not reuse a connection that its response ends, even if it stays open."""
    with Server(raw(response, close=False), OK) as server, client_of(server) as client:
        lead(client)
        assert lead(client)["success"] is True
        assert server.connections == 2
