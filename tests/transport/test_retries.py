"""Retries: which failures are retried, how long a call waits, and which time limits apply."""

import random
import time
from typing import Any

import pytest

from cutmeshort.operations import Operation

from ..support.events import client_of, lead
from ..support.operations import each_operation, track
from ..support.server import (
    OK,
    Connection,
    Server,
    drop,
    hang_for,
    never_respond,
    raw,
    reset,
    respond,
)
from ..support.timing import SLACK, Clock, timed


@each_operation
@pytest.mark.usefixtures("no_wait")
@pytest.mark.parametrize(
    "first", [drop, reset, respond(503), respond(429), respond(500), raw(b"HT")]
)
def test_a_transient_error_is_retried_with_the_same_bytes(operation: Operation, first: Any) -> None:
    """After a transient error, the client sends the same request again and returns its response."""
    with Server(first, OK) as server, client_of(server) as client:
        assert track(client, operation) == {"success": True, "message": "Done", "data": {}}
        one, two = server.requests
        assert (one.body, one.headers) == (two.body, two.headers)


def test_waits_grow_and_are_random(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between attempts a call waits a random part of 0.5, 1 and 2 seconds."""
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    monkeypatch.setattr(random, "random", lambda: 0.5)
    with Server(respond(503)) as server, client_of(server) as client:
        lead(client)
    assert waits == [0.25, 0.5, 1.0]


def test_retry_after_is_obeyed_before_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service's Retry-After replaces the back-off if the wait ends before the deadline."""
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    steps = [respond(429, headers={"Retry-After": "3"}), OK]
    with Server(*steps) as server, client_of(server) as client:
        assert lead(client)["success"] is True
    assert waits == [3.0]


def test_a_retry_after_of_the_whole_deadline_is_returned_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A call returns at once if Retry-After would leave no time for another attempt."""
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("waited"))
    with (
        Server(respond(429, headers={"Retry-After": "10"})) as server,
        client_of(server, timeout=10) as client,
    ):
        result = lead(client)
        assert (result["type"], result["retry_after"]) == ("rate_limit_exceeded", 10.0)
        assert result["retryable"] is True
        assert len(server.requests) == 1


@pytest.mark.parametrize("retries", [0, 1, 2])
@pytest.mark.usefixtures("no_wait")
def test_max_retries_counts_the_attempts_after_the_first(retries: int) -> None:
    """A call's `max_retries`, even 0, takes precedence over the client's."""
    with Server(respond(500)) as server, client_of(server, max_retries=5) as client:
        lead(client, max_retries=retries)
        assert len(server.requests) == retries + 1


@pytest.mark.usefixtures("no_wait")
def test_one_hung_attempt_leaves_time_for_another(clock: Clock) -> None:
    """The client retries an attempt that gets no response within its read timeout."""
    with Server(hang_for(5.1, clock), OK) as server, client_of(server) as client:
        result, seconds = timed(lambda: lead(client))
        assert result["success"] is True
        assert len(server.requests) == 2
        assert seconds < SLACK


def test_connect_and_read_timeout_are_independent(clock: Clock) -> None:
    """The connect timeout does not limit the time of a response."""

    def respond_late(connection: Connection) -> bool:
        clock.advance(4)
        connection.socket.sendall(b"HTTP/1.1 200 OK\r\n")
        connection.stopping.wait(0.05)  # so that the client receives two pieces
        connection.socket.sendall(b"Content-Length: 2\r\n\r\n{}")
        return True

    with Server(respond_late) as server, client_of(server) as client:
        assert lead(client)["success"] is True
        assert len(server.requests) == 1


def test_the_deadline_of_a_call_takes_precedence_over_the_clients() -> None:
    """A call's `timeout` takes precedence over the client's."""
    with Server(never_respond) as server, client_of(server, timeout=60) as client:
        result, seconds = timed(lambda: lead(client, timeout=0.2))
        assert result["type"] == "timeout"
        assert seconds < 0.2 + SLACK
