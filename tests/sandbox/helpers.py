"""Helpers of the sandbox's tests: events, requests, connections, programs and loggers."""

import contextlib
import json
import logging
import socket
from collections.abc import Iterator
from typing import Any, Optional

import pytest
import urllib3

from cutmeshort.sandbox import Sandbox

from ..support.timing import LONG, wait_until

LEAD = {"eventName": "Sign up", "customerExternalId": "user_42", "clickId": "click_1"}
SALE = {
    "eventName": "Purchase",
    "customerExternalId": "user_42",
    "clickId": "click_1",
    "invoiceId": "inv_1",
    "amount": 4999,
    "currency": "USD",
}

SERVER_THREAD = "cutmeshort-sandbox"
LIBRARIES = ("uvicorn.error", "uvicorn.access", "uvicorn.asgi", "asyncio")


def request(sandbox: Sandbox, method: str, path: str, **options: Any) -> Any:
    """Send a request and return the response."""
    with urllib3.PoolManager() as pool:
        return pool.request(method, sandbox.url + path, **options)


def post(
    sandbox: Sandbox,
    body: Any,
    path: str = "/track/lead",
    retries: Optional[bool] = None,
    **headers: str,
) -> Any:
    """Send a POST request with bytes, or with an object as JSON, and return the response."""
    headers = {
        "Authorization": f"Bearer {sandbox.token}",
        "Content-Type": "application/json",
        **headers,
    }
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return request(sandbox, "POST", path, body=data, headers=headers, retries=retries)


def port_of(sandbox: Sandbox) -> int:
    """Return the port on which a sandbox listens."""
    return int(sandbox.url.rpartition(":")[2])


def connect(sandbox: Sandbox) -> socket.socket:
    """Open a connection without sending anything."""
    return socket.create_connection(("127.0.0.1", port_of(sandbox)), timeout=LONG)


def head(sandbox: Sandbox, *lines: str) -> bytes:
    """Return the head of a request that tracks a lead, with additional header lines."""
    lines = (f"Authorization: Bearer {sandbox.token}", "Content-Type: application/json", *lines)
    return "\r\n".join(["POST /track/lead HTTP/1.1", "Host: localhost", *lines, "", ""]).encode()


def read_to_end(connection: socket.socket) -> bytes:
    """Read until the sandbox closes the connection."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


@contextlib.contextmanager
def pending(sandbox: Sandbox, **changes: Any) -> Iterator[socket.socket]:
    """Send a lead whose response is late; the block begins when it has taken its fault."""
    body = json.dumps({**LEAD, **changes}).encode()
    with connect(sandbox) as connection:
        connection.sendall(head(sandbox, f"Content-Length: {len(body)}") + body)
        wait_until(lambda: not sandbox.faults)
        yield connection


def cause_bug(sandbox: Sandbox, patch: pytest.MonkeyPatch) -> None:
    """Make the sandbox raise an unexpected exception for each valid event."""
    patch.setattr(sandbox._state.service, "record", lambda *_: 1 // 0)


def log_an_access_a_warning_and_a_bug(sandbox: Sandbox) -> None:
    """Send three requests, one for each logger of uvicorn that logs requests."""
    assert post(sandbox, LEAD).status == 200
    with connect(sandbox) as connection:
        connection.sendall(b"nonsense\r\n\r\n")
        assert read_to_end(connection).startswith(b"HTTP/1.1 400")
    with pytest.MonkeyPatch.context() as patch:
        cause_bug(sandbox, patch)
        assert post(sandbox, LEAD).status == 500


def logger_settings() -> list[Any]:
    """Return the settings of the root logger and of the libraries' loggers."""
    loggers = [logging.getLogger(), *map(logging.getLogger, LIBRARIES)]
    return [
        (logger.level, logger.handlers[:], logger.filters[:], logger.propagate, logger.disabled)
        for logger in loggers
    ]
