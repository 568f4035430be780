"""An address that accepts no connection, and a replacement for the system's resolver."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

from .platforms import linux_only

needs_unresponsive_address = linux_only("only Linux drops connections when the backlog is full")


@contextlib.contextmanager
def unresponsive_address() -> Iterator[tuple[str, int]]:
    """
    Yield an address that neither accepts nor refuses connections.

    The backlog of its listener is full, so that Linux drops new connections.
    """
    with contextlib.ExitStack() as sockets:
        full = sockets.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(3):
            filler = sockets.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        yield full.getsockname()


class Resolver:
    """
    Replaces the system's resolver, which tests can't control.

    Attributes:
        addresses: The addresses of every name; an exception among them is raised.
        released: Look-ups respond while this is set.
        called: Set at the first look-up.
        lookups: How many look-ups were started.
        running: How many look-ups are in progress.
        max_running: The largest number of look-ups that were in progress at a time.
    """

    def __init__(self, *addresses: Any) -> None:
        self.addresses = addresses
        self.released = threading.Event()
        self.released.set()
        self.called = threading.Event()
        self.lookups = self.running = self.max_running = 0
        self._lock = threading.Lock()

    def __call__(self, *_arguments: Any, **_options: Any) -> Any:
        """Respond like socket.getaddrinfo."""
        with self._lock:
            self.lookups += 1
            self.running += 1
            self.max_running = max(self.max_running, self.running)
        self.called.set()
        self.released.wait()
        with self._lock:
            self.running -= 1
        for address in self.addresses:
            if isinstance(address, Exception):
                raise address
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", address) for address in self.addresses]
