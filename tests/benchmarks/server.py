"""
A fast HTTP server of fixed answers: `python -m tests.benchmarks.server` prints its port.

It takes what has a bearer token and tells of the lead, and answers by the path:

- `/track/lead`: like the service
- `/reply/N/track/lead`: with N bytes of data
- `/headers/N/track/lead`: with N headers
- `/fail/N/track/lead`: N times 503 before each answer
- `/dub/track/lead`, `/v1/billing/meter_events`: like Dub and Stripe
- `/taken`: how many requests were taken
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
    """The server, for as long as a `with` block lasts."""

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

    def taken(self) -> int:
        """Say how many requests were taken, so far."""
        with urllib3.PoolManager() as manager:
            return int(manager.request("GET", f"{self.url}/taken").data)


class _Answers:
    def __init__(self) -> None:
        self.taken = 0
        self._failed = 0

    def answer(self, path: str, head: bytes, body: bytes) -> bytes:
        """Answer a request."""
        if path == "/taken":
            return _answer(200, str(self.taken))
        if _AUTHORIZATION not in head.lower() or _CUSTOMER not in body:
            return _answer(400, "{}")
        _, kind, number, *_ = [*path.split("/"), ""]
        if kind == "fail" and self._failed < int(number):
            self._failed += 1
            return _answer(503, "{}", retry_after=True)
        self._failed = 0
        self.taken += 1
        return _success(kind, number)


@lru_cache
def _success(kind: str, number: str) -> bytes:
    data = {"data": "x" * int(number)} if kind == "reply" else {}
    reply = {"success": True, "message": "Lead tracked successfully", "data": data}
    others = {"dub": _DUB, "v1": _STRIPE}
    headers = int(number) - 4 if kind == "headers" else 0
    return _answer(200, json.dumps(others.get(kind, reply)), more_headers=headers)


@lru_cache
def _answer(status: int, body: str, *, retry_after: bool = False, more_headers: int = 0) -> bytes:
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
    """Take a whole request off what was received: head and body."""
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
    answers = _Answers()
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
                    connection.sendall(answers.answer(path, *request))


if __name__ == "__main__":
    main()
