"""The limit on the size of request bodies."""

import gc
import json
import socket
import time
import tracemalloc
from typing import Any

import pytest

from cutmeshort.sandbox import Sandbox
from cutmeshort.sandbox.http import bodies
from cutmeshort.sandbox.http.bodies import MAX_BODY_BYTES

from ..support.timing import LONG, wait_until
from .helpers import LEAD, connect, head, post, read_to_end


@pytest.mark.parametrize("format", ["envelope", "message", "code", "html", "empty"])
def test_a_body_that_is_too_large_is_rejected(format: Any) -> None:
    """The sandbox rejects a body above the limit with 413, in the format of other errors."""
    with Sandbox(error_response=format) as sandbox:
        response = post(sandbox, b" " * (MAX_BODY_BYTES + 1), retries=False)
    assert response.status == 413
    expected = {"html": b"<!doctype html>", "empty": b""}.get(format, b"exceed 1048576 bytes")
    assert expected in response.data


def test_a_large_content_length_is_rejected_before_the_body(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sandbox rejects a large Content-Length before the body, and closes the connection."""
    monkeypatch.setattr(bodies, "_IDLE_SECONDS", 0.1)
    with connect(sandbox) as connection:
        connection.sendall(head(sandbox, f"Content-Length: {MAX_BODY_BYTES + 1}"))
        response = read_to_end(connection)
    assert response.startswith(b"HTTP/1.1 413 ")
    assert b"\r\nconnection: close\r\n" in response


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_may_be_as_large_as_the_limit(chunked: bool, sandbox: Sandbox) -> None:
    """The sandbox accepts a body of exactly the limit, and rejects one with one byte more."""
    event = json.dumps(LEAD).encode()
    framing = {"Transfer-Encoding": "chunked"} if chunked else {}
    for size, status in ((MAX_BODY_BYTES + 1, 413), (MAX_BODY_BYTES, 200)):
        response = post(sandbox, event.ljust(size), retries=False, **framing)
        assert (response.status, len(sandbox.leads)) == (status, status == 200)


@pytest.mark.parametrize("framing", ["Content-Length: 25165824", "Transfer-Encoding: chunked"])
def test_a_large_body_is_not_kept_in_memory(
    framing: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sandbox discards a large body; a client that sends all of it still gets the 413."""
    monkeypatch.setattr(bodies, "_IDLE_SECONDS", LONG)
    monkeypatch.setattr(bodies, "_DISCARD_SECONDS", LONG)
    piece = b"a" * 65536
    chunk = b"10000\r\n%b\r\n" % piece if "chunked" in framing else piece
    tracemalloc.start()
    try:
        with connect(sandbox) as connection:
            connection.sendall(head(sandbox, framing))
            for _ in range(384):
                connection.sendall(chunk)
            if chunk is not piece:
                connection.sendall(b"0\r\n\r\n")
            assert read_to_end(connection).startswith(b"HTTP/1.1 413 ")
        assert tracemalloc.get_traced_memory()[1] < 12 * 1024 * 1024
    finally:
        tracemalloc.stop()


def test_an_endless_body_is_discarded_for_a_limited_time(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sandbox closes the connection of a client that never stops sending."""
    monkeypatch.setattr(bodies, "_DISCARD_SECONDS", 0.2)

    def send_chunks(connection: socket.socket) -> None:
        deadline = time.monotonic() + LONG
        while time.monotonic() < deadline:
            connection.sendall(b"10000\r\n%b\r\n" % (b"a" * 65536))

    with connect(sandbox) as connection:
        connection.sendall(head(sandbox, "Transfer-Encoding: chunked"))
        with pytest.raises(ConnectionError):
            send_chunks(connection)


@pytest.mark.parametrize("size", [bodies.MAX_BODY_BYTES, bodies.MAX_BODY_BYTES + 1])
def test_the_log_keeps_16_kib_of_a_rejected_body(sandbox: Sandbox, size: int) -> None:
    """The memory of a rejected request does not grow with its body, which the log cuts."""
    tracemalloc.start()
    try:
        for _ in range(8):
            assert post(sandbox, b"a" * size, retries=False).status in (400, 413)
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] < 4 * bodies.MAX_BODY_BYTES
    finally:
        tracemalloc.stop()
    kept = [each.body for each in sandbox._state.log.newest()]
    # The response to a body that is too large comes before the rest of the body is read.
    wait_until(lambda: [len(body.data) for body in kept] == [16 * 1024] * 8)
