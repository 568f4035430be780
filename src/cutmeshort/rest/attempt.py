"""The attempt that is under way, as its connection needs to know it."""

import socket
import time
from contextvars import ContextVar


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

    def start_step(self, timeout: float) -> None:
        """Begin a step that takes so many seconds at most, and ends with the call."""
        self._end = min(self._deadline, time.monotonic() + timeout)

    def remaining(self) -> float:
        """Return the seconds that are left of the step; raise socket.timeout if none are."""
        seconds = self._end - time.monotonic()
        if seconds <= 0:
            raise socket.timeout("timed out")
        return seconds


# Not an argument, as urllib3 stands between the client and a connection. Each call has a value of
# its own: also one that a signal handler makes during another, and one in another greenlet.
current_attempt: ContextVar[Attempt] = ContextVar("current_attempt")
