"""The attempt in progress, and sockets that its deadline limits."""

import socket
import time
from contextvars import ContextVar
from typing import Any

from urllib3.exceptions import ProtocolError

_MAX_BYTES = 2**21
_MAX_PIECES = 20_000  # a response in single bytes would use too much CPU


class ResponseError(ProtocolError):
    """What a host sent is not usable. The text says why, and quotes none of it."""


class Attempt:
    """
    One attempt of a call.

    Args:
        deadline: When the call ends, on the monotonic clock.
        connect_timeout: Seconds for each step of making a connection.
        read_timeout: Seconds to send the request and to receive the whole response.

    Attributes:
        sent: Whether the service may have received something of the request.
        refused: Whether the service rejected the request with a 4xx.
        stale: Whether the connection was kept from an earlier call and has received nothing since.
            Then the service may have closed it before the request arrived.
    """

    def __init__(self, deadline: float, connect_timeout: float, read_timeout: float) -> None:
        self.connect_timeout = connect_timeout
        self.read_timeout = read_timeout
        self.sent = self.refused = self.stale = False
        self._deadline = self._end = deadline
        self._bytes = self._pieces = 0

    def start_step(self, timeout: float) -> None:
        """Start a step of at most `timeout` seconds, which ends at the deadline at the latest."""
        self._end = min(self._deadline, time.monotonic() + timeout)

    def remaining(self) -> float:
        """Return the seconds that are left of the step; raise socket.timeout if it is over."""
        seconds = self._end - time.monotonic()
        if seconds <= 0:
            raise socket.timeout("timed out")
        return seconds

    def count(self, size: int) -> None:
        """Count bytes that a layer received; raise ResponseError if there are too many."""
        self._bytes += size
        self._pieces += 1
        if self._bytes > _MAX_BYTES or self._pieces > _MAX_PIECES:
            raise ResponseError("too large, or in too many pieces")


# A context variable, because urllib3 is between the client and its connections. Each call has its
# own value, also a call that a signal handler makes during another one, or in another greenlet.
current_attempt: ContextVar[Attempt] = ContextVar("current_attempt")


class TimedSocket:
    """
    A socket whose operations all end with the current step of the current attempt.

    The timeout of a plain socket starts again for each read, of which TLS needs many.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def sendall(self, data: bytes) -> None:
        """Send bytes. In each step, urllib3's TLS also calls this with none."""
        if data:
            self._socket.settimeout(current_attempt.get().remaining())
            self._socket.sendall(data)

    def recv(self, size: int) -> bytes:
        """Receive up to `size` bytes."""
        attempt = current_attempt.get()
        self._socket.settimeout(attempt.remaining())
        data = self._socket.recv(size)
        attempt.count(len(data))
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)
