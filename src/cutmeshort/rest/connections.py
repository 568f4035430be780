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
    A stack of at most `maxsize` idle connections, with the queue methods that urllib3 uses.

    It has no lock: an exception from a signal handler could leave a lock acquired forever.
    """

    def __init__(self, maxsize: int) -> None:
        self._maxsize = maxsize
        self._connections: deque[Any] = deque()
        _queues.add(self)

    def put(self, connection: Any, **_options: Any) -> None:
        """Store a connection. If there are too many, close the one that has been idle longest."""
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
        """Close the connections that have been idle longest, until `size` are left."""
        while len(self._connections) > size:
            with suppress(IndexError):  # another thread took the last one
                self._connections.popleft().close()

    def close(self) -> None:
        """Close all connections; those in use are closed when they are put back."""
        self._maxsize = 0
        self.shrink()

    def __del__(self) -> None:
        # At exit, urllib3 misses the connections that a later `atexit` handler opens. Modules may
        # be gone by then, so this may fail.
        with suppress(Exception):
            self.shrink()


_queues: "weakref.WeakSet[IdleConnections]" = weakref.WeakSet()


def _close_inherited_connections() -> None:
    """Close a forked child's copies of idle connections; the parent's stay open."""
    for idle in list(_queues):
        idle.shrink()


if hasattr(os, "register_at_fork"):  # pragma: no branch - not on Windows
    os.register_at_fork(after_in_child=_close_inherited_connections)


def _read_proxy_response(sock: Any, method: Optional[str] = None) -> http.client.HTTPResponse:
    """Receive the head of a proxy's response to CONNECT within the limits; http.client has none."""
    head = ResponseReader(sock, current_attempt.get()).take_until(END_OF_HEAD) + END_OF_HEAD
    received: Any = SimpleNamespace(makefile=lambda _mode: io.BytesIO(head))
    return http.client.HTTPResponse(received, method=method)


class _HTTPConnection(HTTPConnection):
    response_class: Any = staticmethod(_read_proxy_response)  # http.client calls it after CONNECT
    _used = False

    def _new_conn(self) -> Any:
        """Connect to the first address that accepts. Only the deadline limits the name look-up."""
        attempt = current_attempt.get()
        self._used = False
        failure = OSError("the look-up returned no address")
        try:
            for *parameters, _, address in resolve(self._dns_host, self.port, attempt.remaining()):
                attempt.start_step(attempt.connect_timeout)
                try:
                    return self._connect_to(parameters, address, attempt)
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

    def _connect_to(self, parameters: list[Any], address: Any, attempt: Attempt) -> TimedSocket:
        sock = socket.socket(*parameters)  # family, type and protocol
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
        """Send head and body in one packet; http.client would send two, which is slower."""
        attempt = current_attempt.get()
        if self.sock is None:
            self.connect()
        attempt.sent = True
        attempt.maybe_stale = self._used
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
        self.is_verified = True  # keeps urllib3 from warning in each call: ApiClient has warned
        # Make the end of a TLS stream without close_notify an error: it may have been truncated.
        self.sock.suppress_ragged_eofs = False  # type: ignore[union-attr]


class _HTTPPool(urllib3.HTTPConnectionPool):
    QueueCls: Any = IdleConnections
    ConnectionCls: Any = _HTTPConnection


class _HTTPSPool(urllib3.HTTPSConnectionPool):
    QueueCls: Any = IdleConnections
    ConnectionCls: Any = _HTTPSConnection


_POOLS: dict[str, type[urllib3.HTTPConnectionPool]] = {"http": _HTTPPool, "https": _HTTPSPool}


def make_pool(configuration: Configuration, proxy: Optional[Proxy]) -> urllib3.HTTPConnectionPool:
    """Create the pool for the configuration's host; raises as make_ssl_context does."""
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
    # http.client would import this on CONNECT. If another thread forked during the import, its lock
    # would stay acquired in the child.
    import encodings.idna  # noqa: F401

    options["proxy_ssl_context"] = options.get("ssl_context")
    manager = urllib3.ProxyManager(proxy.url, proxy_headers=proxy.headers, **options)
    manager.pool_classes_by_scheme = _POOLS
    pool: urllib3.HTTPConnectionPool = manager.connection_from_url(configuration.host)
    return pool
