"""
A fast HTTP server with fixed responses: `python -m tests.benchmarks.server` prints its port.

It accepts requests that have the bearer token and the lead's customer. The response depends on the
path:

- `/track/lead`: like the service
- `/data/N/track/lead`: with N bytes of data
- `/headers/N/track/lead`: with N headers
- `/fail/N/track/lead`: 503 N times before each success
- `/dub/track/lead`, `/v1/billing/meter_events`: like Dub and Stripe
- `/accepted`: the number of requests that were accepted
"""

import json
import re
import selectors
import socket
import subprocess
import sys
from functools import lru_cache
from types import TracebackType
from typing import Any, Optional

import urllib3

from ..support.paths import ROOT
from .candidates import LEAD, TOKEN
from .pinning import pin

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)
_AUTHORIZATION = f"\r\nauthorization: bearer {TOKEN}\r\n".lower().encode()
_CUSTOMER = LEAD["customer_external_id"].encode()
_DUB = {
    "click": {"id": "click_1"},
    "link": None,
    "customer": {"name": "Ada", "email": None, "avatar": None, "externalId": "user_42"},
}
_STRIPE = {
    "object": "billing.meter_event",
    "event_name": "Sign up",
    "identifier": "1",
    "created": 1,
    "livemode": False,
    "payload": {},
    "timestamp": 1,
}


class FastServer:
    """The server, which runs during a `with` block."""

    def __enter__(self) -> "FastServer":
        command = [sys.executable, "-m", "tests.benchmarks.server"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}"
        return self

    def __exit__(
        self,
        exc_type: Optional[type[BaseException]],
        exc_value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self._process.terminate()
        self._process.communicate()

    def accepted(self) -> int:
        """Return how many requests were accepted so far."""
        with urllib3.PoolManager() as manager:
            return int(manager.request("GET", f"{self.url}/accepted").data)


class _Responses:
    def __init__(self) -> None:
        self.accepted = 0
        self._failed = 0

    def to(self, path: str, head: bytes, body: bytes) -> bytes:
        """Return the response to a request."""
        if path == "/accepted":
            return _response(200, str(self.accepted))
        if _AUTHORIZATION not in head.lower() or _CUSTOMER not in body:
            return _response(400, "{}")
        _, form, number, *_ = [*path.split("/"), ""]
        if form == "fail" and self._failed < int(number):
            self._failed += 1
            return _response(503, "{}", retry_after=True)
        self._failed = 0
        self.accepted += 1
        return _success(form, number)


@lru_cache
def _success(form: str, number: str) -> bytes:
    data = {"data": "x" * int(number)} if form == "data" else {}
    body = {"success": True, "message": "Lead tracked successfully", "data": data}
    others = {"dub": _DUB, "v1": _STRIPE}
    headers = int(number) - 4 if form == "headers" else 0
    return _response(200, json.dumps(others.get(form, body)), more_headers=headers)


@lru_cache
def _response(status: int, body: str, *, retry_after: bool = False, more_headers: int = 0) -> bytes:
    lines = [
        f"HTTP/1.1 {status} Some",
        "Date: Thu, 01 Jan 2026 00:00:00 GMT",
        "Server: benchmark",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *["Retry-After: 0"] * retry_after,
        *(f"X-Header-{n}: value" for n in range(more_headers)),
    ]
    return "\r\n".join([*lines, "", body]).encode()


def _next(received: bytearray) -> Optional[tuple[bytes, bytes]]:
    """Remove a complete request from what was received, and return its head and body."""
    head, end, rest = received.partition(b"\r\n\r\n")
    found = _LENGTH.search(head)
    length = int(found[1]) if found else 0
    if not end or len(rest) < length:
        return None
    del received[: len(head) + len(end) + length]
    return bytes(head) + b"\r\n", bytes(rest[:length])


def main() -> None:
    """Serve until terminated."""
    pin(-1)
    responses = _Responses()
    received: dict[socket.socket, bytearray] = {}
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        print(listener.getsockname()[1], flush=True)
        selector = selectors.DefaultSelector()
        selector.register(listener, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                connection: Any = key.fileobj
                if connection is listener:
                    connection, _ = listener.accept()
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    selector.register(connection, selectors.EVENT_READ)
                    received[connection] = bytearray()
                    continue
                try:
                    data = connection.recv(2**18)
                except ConnectionError:
                    data = b""
                if not data:
                    selector.unregister(connection)
                    connection.close()
                    del received[connection]
                    continue
                received[connection] += data
                request = _next(received[connection])
                if request is not None:
                    path = request[0].split(b" ", 2)[1].decode()
                    connection.sendall(responses.to(path, *request))


if __name__ == "__main__":
    main()
