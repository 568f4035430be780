"""A real HTTP server that follows a script: one step for each request, in order of arrival."""

import json as json_module
import socket
import ssl
import struct
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Callable, NamedTuple, Optional, Union

from .timing import LONG, Clock


@dataclass(frozen=True)
class Request:
    """A request as the server received it; headers have lower-case names, each with all values."""

    method: str
    target: str
    headers: dict[str, list[str]]
    body: bytes
    connection: int
    raw: bytes

    @property
    def json(self) -> Any:
        """The body, parsed as JSON."""
        return json_module.loads(self.body)


class Connection(NamedTuple):
    """What a step acts on; `request` is None before the first request is read."""

    socket: socket.socket
    stopping: threading.Event
    request: Optional[Request] = None


# A step responds to a request, or acts on a new connection, and returns whether the connection
# stays open.
Step = Callable[[Connection], bool]


Pieces = Union[bytes, Sequence[bytes], Callable[[], Iterable[bytes]]]


def raw(data: Pieces, *, close: bool = True, every: float = 0) -> Step:
    """Send bytes, or pieces of them at an interval in seconds, and close the connection."""

    def step(connection: Connection) -> bool:
        pieces = data() if callable(data) else [data] if isinstance(data, bytes) else data
        for piece in pieces:
            connection.socket.sendall(piece)
            if (every and connection.stopping.wait(every)) or connection.stopping.is_set():
                break
        return not close

    return step


def respond(
    status: int = 200,
    body: Union[bytes, str] = b'{"success": true}',
    headers: Optional[dict[str, str]] = None,
    *,
    json: Any = None,
    close: bool = False,
) -> Step:
    """Send a complete response, and keep the connection open."""
    if json is not None:
        body = json_module.dumps(json)
    if isinstance(body, str):
        body = body.encode()
    lines = [f"HTTP/1.1 {status} Reason", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return raw("\r\n".join([*lines, "", ""]).encode("latin-1") + body, close=close)


OK = respond(json={"success": True, "message": "Done"})


def drop(_connection: Connection) -> bool:
    """Close the connection without a response."""
    return False


def reset(connection: Connection) -> bool:
    """Reset the connection."""
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def never_respond(connection: Connection) -> bool:
    """Send nothing until the client closes the connection or the test ends."""
    connection.socket.settimeout(None)
    while connection.socket.recv(1024):
        pass
    return False


def hang_for(seconds: float, clock: Clock, wake_up: bytes = b"H") -> Step:
    """Never respond while the client's clock advances; one byte wakes the client up."""

    def step(connection: Connection) -> bool:
        clock.advance(seconds)
        connection.socket.sendall(wake_up)
        return never_respond(connection)

    return step


def never_read(connection: Connection) -> bool:
    """Read nothing and send nothing until the test ends."""
    connection.stopping.wait()
    return False


def after_bytes(size: int, then: Step) -> Step:
    """Run a step when the client has sent this many bytes of its first request."""

    def step(connection: Connection) -> bool:
        connection.socket.settimeout(LONG)
        received = 0
        while received < size:
            received += len(connection.socket.recv(size - received))
        return then(connection)

    return step


def accept(_connection: Connection) -> bool:
    """Read the requests of a new connection, as usual."""
    return True


class Server:
    """
    Runs a step for each request, the last one for all further ones; records what it receives.

    Args:
        steps: What to do with each request.
        tls: Makes this an https server.
        on_connect: What to do with each new connection before its first request is read.

    Attributes:
        requests: The requests, in order of arrival.
        connections: How many connections were opened.
        open_connections: How many connections are open.
        changed: Notified when a request arrives, and when a connection is opened or closed.
    """

    def __init__(
        self,
        *steps: Step,
        tls: Optional[ssl.SSLContext] = None,
        on_connect: Sequence[Step] = (accept,),
    ) -> None:
        self._steps = steps or (respond(),)
        self._tls = tls
        self._on_connect = on_connect
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._sockets: dict[int, socket.socket] = {}
        self.requests: list[Request] = []
        self.connections = 0
        self.open_connections = 0
        self.changed = threading.Condition(self._lock)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"

    def __enter__(self) -> "Server":
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for client in self._sockets.values():
                with suppress(OSError):
                    socket.socket.shutdown(client, socket.SHUT_RDWR)  # below TLS
        for thread in self._threads:
            thread.join()

    def wait_until(self, condition: Callable[[], bool], timeout: float = LONG) -> bool:
        """Wait until a condition holds; return whether it does."""
        with self.changed:
            return self.changed.wait_for(condition, timeout)

    def wait_until_all_closed(self, timeout: float = LONG) -> bool:
        """Wait until all connections are closed; return whether they are."""
        return self.wait_until(lambda: self.open_connections == 0, timeout)

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                self.open_connections += 1
                self._sockets[self.connections] = client
                self.changed.notify_all()
            self._start(self._serve, client, self.connections)

    def _serve(self, client: socket.socket, number: int) -> None:
        try:
            with suppress(OSError):
                step = self._on_connect[min(number, len(self._on_connect)) - 1]
                if not step(Connection(client, self._stopping)):
                    return
                if self._tls is not None:
                    client.settimeout(LONG)
                    client = self._tls.wrap_socket(client, server_side=True)
                    self._sockets[number] = client
                with client:
                    self._serve_requests(client, number)
        finally:
            client.close()
            with self.changed:
                self.open_connections -= 1
                del self._sockets[number]
                self.changed.notify_all()

    def _serve_requests(self, client: socket.socket, number: int) -> None:
        received = b""
        keep_open = True
        while keep_open:
            client.settimeout(None)
            request = None
            while request is None:
                data = client.recv(65536)
                if not data:
                    return
                received += data
                request = _parse(received, number)
            received = b""
            with self._lock:
                self.requests.append(request)
                step = self._steps[min(len(self.requests), len(self._steps)) - 1]
                self.changed.notify_all()
            client.settimeout(LONG)
            keep_open = step(Connection(client, self._stopping, request))


def _parse(data: bytes, number: int) -> Optional[Request]:
    head, separator, body = data.partition(b"\r\n\r\n")
    if not separator:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    headers: dict[str, list[str]] = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers.setdefault(name.lower(), []).append(value.strip())
    if len(body) < int(headers.get("content-length", ["0"])[0]):
        return None
    method, target, _ = first.split(" ")
    return Request(method, target, headers, body, number, data)
