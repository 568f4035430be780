"""urllib3's connections and pools, limited by the deadline of an attempt."""

import http.client
import io
import os
import queue
import socket
import weakref
from collections import deque
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, Optional
from urllib.parse import urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.ssltransport import SSLTransport

from ..configuration import Configuration
from ..exceptions import is_application_error
from ..proxies import Proxy
from ..resolver import resolve
from .attempt import Attempt, TimedSocket, current_attempt
from .response import END_OF_HEAD, ResponseReader, RESTResponse
from .tls import make_ssl_context


class IdleConnections:
    """
    Up to `maxsize` idle connections, with the interface of a queue that urllib3 needs; last in,
    first out.

    It has no lock: a signal handler may raise an exception anywhere and leave a lock locked.
    """

    def __init__(self, maxsize: int) -> None:
        self._maxsize = maxsize
        self._connections: deque[Any] = deque()
        _queues.add(self)

    def put(self, connection: Any, **_options: Any) -> None:
        """Keep a connection. If there are too many, close the one that was idle longest."""
        if connection is not None:  # urllib3 fills a new queue with None
            self._connections.append(connection)
            self.shrink(self._maxsize)

    def get(self, **_options: Any) -> Any:
        """Return the connection that was put last."""
        try:
            return self._connections.pop()
        except IndexError:
            raise queue.Empty from None

    def shrink(self, size: int = 0) -> None:
        """Close the connections that were idle longest, until `size` are left."""
        while len(self._connections) > size:
            with suppress(IndexError):  # another thread took the last one
                self._connections.popleft().close()

    def close(self) -> None:
        """Close all connections; those in use are closed when they are put back."""
        self._maxsize = 0
        self.shrink()

    def __del__(self) -> None:
        # At exit, urllib3 closes idle connections, but not those that an `atexit` handler opens
        # afterwards. At that time, any module may be gone.
        with suppress(Exception):
            self.shrink()


_queues: "weakref.WeakSet[IdleConnections]" = weakref.WeakSet()


def _close_copies() -> None:
    """After a fork, close the child's copies; the parent's connections stay open."""
    for idle in list(_queues):
        idle.shrink()


if hasattr(os, "register_at_fork"):  # pragma: no branch - not on Windows
    os.register_at_fork(after_in_child=_close_copies)


def _read_proxy_response(sock: Any, method: Optional[str] = None) -> http.client.HTTPResponse:
    """Let http.client parse a proxy's response to CONNECT, once its head is received."""
    head = ResponseReader(sock, current_attempt.get()).take_until(END_OF_HEAD) + END_OF_HEAD
    received: Any = SimpleNamespace(makefile=lambda _mode: io.BytesIO(head))
    return http.client.HTTPResponse(received, method=method)


class _HTTPConnection(HTTPConnection):
    response_class: Any = staticmethod(_read_proxy_response)
    _used = False

    def _new_conn(self) -> Any:
        """Connect to the first address that accepts; each has its own timeout."""
        attempt = current_attempt.get()
        self._used = False
        failure = OSError("the name has no address")
        try:
            for *family, _, address in resolve(self._dns_host, self.port, attempt.remaining()):
                attempt.start_step(attempt.connect_timeout)
                try:
                    return self._connect_to(family, address, attempt)
                except OSError as error:
                    if is_application_error(error):
                        raise
                    failure = error
            raise failure
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except (socket.timeout, TimeoutError) as error:
            raise ConnectTimeoutError(self, f"{self.host}: {error}") from error
        except OSError as error:
            raise NewConnectionError(self, f"{self.host}: {error}") from error

    def _connect_to(self, family: list[Any], address: Any, attempt: Attempt) -> TimedSocket:
        sock = socket.socket(*family)
        try:
            for option in self.socket_options or ():
                sock.setsockopt(*option)
            sock.settimeout(attempt.remaining())
            sock.connect(address)
        except BaseException:
            sock.close()
            raise
        return TimedSocket(sock)

    def request(
        self, method: str, url: str, body: Any = None, headers: Any = None, **_options: Any
    ) -> None:
        """Send head and body at once; http.client would send two packets, more slowly."""
        attempt = current_attempt.get()
        if self.sock is None:
            self.connect()
        attempt.sent = True
        attempt.stale = self._used
        attempt.start_step(attempt.read_timeout)
        self._used = True
        lines = map(": ".join, headers.items())
        head = "\r\n".join([f"{method} {url} HTTP/1.1", *lines, f"Content-Length: {len(body)}"])
        sock: Any = self.sock
        sock.sendall(head.encode("latin-1") + b"\r\n\r\n" + body)

    def getresponse(self) -> RESTResponse:  # type: ignore[override]
        """Read the whole response."""
        reader = ResponseReader(self.sock, current_attempt.get())
        response = reader.read()
        layer: Any = self.sock
        while isinstance(layer, SSLTransport):  # once, or twice with an https:// proxy
            reader.reusable = reader.reusable and not layer.incoming.pending
            layer = layer.socket
        if not reader.reusable:
            self.close()
        return response


class _HTTPSConnection(  # pyright: ignore[reportIncompatibleVariableOverride]
    _HTTPConnection, HTTPSConnection
):
    def connect(self) -> None:
        super().connect()
        self.is_verified = True  # or urllib3 would warn in each call; the client has warned once
        # An attacker may have truncated a response without close_notify.
        self.sock.suppress_ragged_eofs = False  # type: ignore[union-attr]


class _HTTPPool(urllib3.HTTPConnectionPool):
    QueueCls: Any = IdleConnections
    ConnectionCls: Any = _HTTPConnection


class _HTTPSPool(urllib3.HTTPSConnectionPool):
    QueueCls: Any = IdleConnections
    ConnectionCls: Any = _HTTPSConnection


_POOLS: dict[str, type[urllib3.HTTPConnectionPool]] = {"http": _HTTPPool, "https": _HTTPSPool}


def make_pool(configuration: Configuration, proxy: Optional[Proxy]) -> urllib3.HTTPConnectionPool:
    """Make a pool for the configuration's host; raise ApiValueError for an invalid certificate."""
    url = urlsplit(configuration.host)
    defaults: Any = HTTPConnection.default_socket_options
    options: dict[str, Any] = {
        "maxsize": configuration.connection_pool_maxsize,
        "socket_options": [*defaults, *configuration.socket_options],
    }
    tls = url.scheme == "https" or (proxy is not None and proxy.url.startswith("https:"))
    if tls:
        options["ssl_context"] = make_ssl_context(configuration)
    if url.scheme == "https":
        options["assert_hostname"] = configuration.assert_hostname
        options["server_hostname"] = configuration.tls_server_name
    if proxy is None:
        return _POOLS[url.scheme](url.hostname or "", url.port, **options)
    # For CONNECT. If http.client imported it later, a fork in another thread at that moment could
    # leave the lock of the import locked in the child.
    import encodings.idna  # noqa: F401

    options["proxy_ssl_context"] = options.get("ssl_context")
    manager = urllib3.ProxyManager(proxy.url, proxy_headers=proxy.headers, **options)
    manager.pool_classes_by_scheme = _POOLS
    pool: urllib3.HTTPConnectionPool = manager.connection_from_url(configuration.host)
    return pool
