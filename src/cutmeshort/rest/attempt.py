"""The attempt that is under way, and sockets that are limited by its deadline."""

import socket
import time
from contextvars import ContextVar
from typing import Any

from urllib3.exceptions import ProtocolError

_MAX_BYTES = 2**21
_MAX_PIECES = 20_000  # of single bytes, a response would cost more than it is worth


class ResponseError(ProtocolError):
    """What a host sent is not usable; the text says why, with nothing of it."""


class Attempt:
    """
    One attempt of a call.

    Args:
        deadline: When the call ends, on the monotonic clock.
        connect_timeout: Seconds for each step of making a connection.
        read_timeout: Seconds to send the request and to receive the whole response.

    Attributes:
        sent: Whether the service may have received something of the request.
        refused: Whether the service refused the request: the response is a 4xx.
        stale: Whether the connection was kept from an earlier call and has given nothing since, so
            that the service may have closed it before the request came.
    """

    def __init__(self, deadline: float, connect_timeout: float, read_timeout: float) -> None:
        self.connect_timeout = connect_timeout
        self.read_timeout = read_timeout
        self.sent = self.refused = self.stale = False
        self._deadline = self._end = deadline
        self._bytes = self._pieces = 0

    def start_step(self, timeout: float) -> None:
        """Begin a step of at most `timeout` seconds, which also ends with the call."""
        self._end = min(self._deadline, time.monotonic() + timeout)

    def remaining(self) -> float:
        """Return the seconds that are left of the step; raise socket.timeout if none are."""
        seconds = self._end - time.monotonic()
        if seconds <= 0:
            raise socket.timeout("timed out")
        return seconds

    def count(self, size: int) -> None:
        """Note that a layer received `size` bytes; raise ResponseError if there are too many."""
        self._bytes += size
        self._pieces += 1
        if self._bytes > _MAX_BYTES or self._pieces > _MAX_PIECES:
            raise ResponseError("too large, or in too many pieces")


# Not an argument, as urllib3 stands between the client and a connection. Each call has a value of
# its own: also one that a signal handler makes during another, and one in another greenlet.
current_attempt: ContextVar[Attempt] = ContextVar("current_attempt")


class TimedSocket:
    """
    A socket whose every operation is limited by the current step of the current attempt.

    A socket's own timeout restarts with each byte, and with each of the many reads that TLS needs.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def sendall(self, data: bytes) -> None:
        """Send bytes, or nothing, as urllib3's TLS does in each step."""
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
