"""The current attempt of a call, and sockets that enforce its deadline."""

import socket
import time
from contextvars import ContextVar
from typing import Any

from urllib3.exceptions import ProtocolError

_MAX_BYTES = 2**21  # below TLS
_MAX_READS = 20_000  # a response sent byte by byte would use too much CPU


class ResponseError(ProtocolError):
    """A host sent unusable data. The message says why, and does not quote the data."""


class Attempt:
    """
    One attempt of a call.

    Args:
        deadline: When the call ends, on the monotonic clock. Only it limits the name look-up.
        connect_timeout: Seconds to connect to each address, and for each TLS handshake.
        read_timeout: Seconds to send the request and to receive the whole response.

    Attributes:
        sent: Whether any part of the request may have reached the service.
        rejected: Whether the service rejected the request with a 4xx.
        maybe_stale: Whether the connection was reused and has received nothing since. If so, the
            service may have closed it before the request arrived.
    """

    def __init__(self, deadline: float, connect_timeout: float, read_timeout: float) -> None:
        self.connect_timeout = connect_timeout
        self.read_timeout = read_timeout
        self.sent = self.rejected = self.maybe_stale = False
        self.deadline = self._end = deadline
        self._bytes = self._reads = 0

    def start_step(self, timeout: float) -> None:
        """Start a step, such as a handshake: it ends after `timeout` seconds or at the deadline."""
        self._end = min(self.deadline, time.monotonic() + timeout)

    def remaining(self) -> float:
        """Return the seconds left for the step; raise socket.timeout if there are none."""
        seconds = self._end - time.monotonic()
        if seconds <= 0:
            raise socket.timeout("timed out")
        return seconds

    def count(self, size: int) -> None:
        """Count a read and its bytes; raise ResponseError if there are too many of either."""
        self._bytes += size
        self._reads += 1
        if self._bytes > _MAX_BYTES or self._reads > _MAX_READS:
            raise ResponseError("too large, or sent in too many pieces")


# A context variable, because urllib3 sits between the client and its connections. Nested calls from
# signal handlers and calls in other greenlets have their own values.
current_attempt: ContextVar[Attempt] = ContextVar("current_attempt")


class TimedSocket:
    """
    A socket whose operations all end with the current step of the current attempt.

    A plain socket's timeout restarts with every read, and TLS needs many reads.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def sendall(self, data: bytes) -> None:
        """Send bytes. SSLTransport calls this even if it has nothing to send."""
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
