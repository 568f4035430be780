"""A client of the sandbox's stream of server-sent events."""

import contextlib
import json
import socket
from typing import Any

from typing_extensions import Self

from cutmeshort.sandbox import Sandbox

from ..support.timing import LONG
from .helpers import port_of


class Stream:
    """
    A connection to the stream, as a context manager.

    Args:
        sandbox: The sandbox.
        query: The query of the URL, with the question mark.
        headers: Additional lines of the head.
    """

    def __init__(self, sandbox: Sandbox, query: str = "", *headers: str) -> None:
        self._sandbox = sandbox
        lines = [f"GET /_sandbox/events{query} HTTP/1.1", "Host: localhost", *headers, "", ""]
        self._request = "\r\n".join(lines).encode()

    def __enter__(self) -> Self:
        address = ("127.0.0.1", port_of(self._sandbox))
        self.socket = socket.create_connection(address, timeout=LONG)
        self.socket.sendall(self._request)
        self._file = self.socket.makefile("rb")
        head = b"".join(iter(self._file.readline, b"\r\n")).decode("latin-1").splitlines()
        self.status = int(head[0].split()[1])
        self.headers = dict(line.lower().split(": ", 1) for line in head[1:])
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()
        self.socket.close()

    def block(self) -> str:
        """Return the next event or comment as text; an empty string once the stream has ended."""
        with contextlib.suppress(ConnectionError):
            size = self._file.readline()
            if size:
                text = self._file.read(int(size, 16)).decode()
                assert self._file.read(2) == b"\r\n"
                assert text.endswith("\n\n")
                return text.removesuffix("\n\n")
        return ""

    def event(self) -> dict[str, Any]:
        """Return the next event as `Sandbox.events` does."""
        lines = dict(line.split(": ", 1) for line in self.block().split("\n"))
        assert lines.keys() == {"event", "id", "data"}
        return {
            "event": lines["event"],
            "id": int(lines["id"]),
            "data": json.loads(lines["data"]),
        }
