"""An address that accepts no connection, and a stand-in for the system's name look-up."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def dead_address() -> Iterator[tuple[str, int]]:
    """Yield an address that neither accepts nor refuses connections."""
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
    Stands in for the system's name look-up, which tests can't control.

    Attributes:
        addresses: The addresses of every name; an exception among them is raised.
        released: Set to let it respond.
        called: Set when it is asked for the first time.
        asked: How many look-ups there were.
        running: How many are under way.
        most: How many were under way at a time, at the most.
    """

    def __init__(self, *addresses: Any) -> None:
        self.addresses = addresses
        self.released = threading.Event()
        self.released.set()
        self.called = threading.Event()
        self.asked = self.running = self.most = 0
        self._lock = threading.Lock()

    def __call__(self, *_arguments: Any, **_options: Any) -> Any:
        """Respond like socket.getaddrinfo."""
        with self._lock:
            self.asked += 1
            self.running += 1
            self.most = max(self.most, self.running)
        self.called.set()
        self.released.wait()
        with self._lock:
            self.running -= 1
        for address in self.addresses:
            if isinstance(address, Exception):
                raise address
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", address) for address in self.addresses]
