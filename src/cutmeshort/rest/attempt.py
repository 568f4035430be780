"""The attempt that a thread makes, as its connection and its answer need to know it."""

import math
import socket
import threading
import time
from typing import Optional


class _Attempt(threading.local):
    """
    The attempt that this thread makes: its connection is urllib3's choice, and unknown before.

    Attributes:
        end: When it ends, on the monotonic clock; never, when there is none.
        sent: Whether the service may have got something of the request, and not refused it.
        stale: Whether the connection was kept from an earlier call and has given nothing since, so
            that the service may have closed it before the request came.
    """

    end = math.inf
    sent = False
    stale = False

    def limit(self, timeout: Optional[float]) -> float:
        """Cut a time-out, in seconds, to what is left; socket.timeout where nothing is."""
        remaining = self.end - time.monotonic()
        if remaining <= 0:
            raise socket.timeout("timed out")
        return remaining if timeout is None else min(timeout, remaining)


current_attempt = _Attempt()
