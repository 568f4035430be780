"""Connections whose every step ends in time, and what a fork leaves of them."""

import encodings.idna  # noqa: F401 - see below
import os
import ssl
import weakref
from collections.abc import Iterator, Sequence
from queue import LifoQueue
from typing import Any, Optional

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from .answer import Answer, Response
from .attempt import current_attempt
from .body import read_body

# urllib3 encodes each host name by the codec that is imported above. Imported at the first call, it
# could be under way when another thread forks: the child would wait for its lock for ever.

_idle: "weakref.WeakSet[_IdleConnections]" = weakref.WeakSet()


class _IdleConnections(LifoQueue[Any]):
    """The connections that a pool keeps: of each pool, for as long as urllib3 has to close them."""

    def __init__(self, maxsize: int = 0) -> None:
        super().__init__(maxsize)
        _idle.add(self)

    def close_after_fork(self) -> None:
        """
        Close the copies that the child of a fork has; the parent's own stay open.

        With a new lock: a thread that doesn't exist here may hold the old one.
        """
        connections = list(self.queue)
        super().__init__(self.maxsize)
        for connection in filter(None, connections):
            connection.close()


def _close_all_after_fork() -> None:
    for idle in list(_idle):
        idle.close_after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_close_all_after_fork)


class TLSSocket(ssl.SSLSocket):
    """
    A TLS socket whose handshake ends with the attempt.

    So does each `recv`, of which urllib3 makes many for one step of TLS within TLS, to and through
    an https:// proxy.
    """

    def do_handshake(self, block: bool = False) -> None:
        """Shake hands, in the time that is left."""
        self.settimeout(current_attempt.limit(self.gettimeout()))
        super().do_handshake(block)

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """Receive, in the time that is left."""
        self.settimeout(current_attempt.limit(self.gettimeout()))
        return super().recv(buflen, flags)


class _OptionsInTime:
    """
    Socket options, for as long as there is time.

    urllib3 sets them for each address that it tries: a name with many dead addresses would hold a
    call for the sum of their time-outs.
    """

    def __init__(self, options: Sequence[Any]) -> None:
        self._options = options

    def __iter__(self) -> Iterator[Any]:
        current_attempt.limit(None)
        return iter(self._options)


class _HTTPConnection(HTTPConnection):
    """A connection whose every step ends with the attempt."""

    response_class = Response
    _timeout = 0.0
    _kept = False
    _unread: Optional[Response] = None

    @property
    def timeout(self) -> float:
        """Seconds for the next step."""
        return current_attempt.limit(self._timeout)

    @timeout.setter
    def timeout(  # pyright: ignore[reportIncompatibleVariableOverride]
        self, value: float
    ) -> None:
        self._timeout = value

    @property
    def socket_options(self) -> Any:
        """Options for the next socket."""
        return _OptionsInTime(self._socket_options)

    @socket_options.setter
    def socket_options(  # pyright: ignore[reportIncompatibleVariableOverride]
        self, value: Any
    ) -> None:
        self._socket_options = value

    @property
    def is_connected(self) -> bool:
        """Whether the connection can be kept: what is left of an answer would be the next one's."""
        unread = self._unread
        if unread is not None and (unread.will_close or not unread.isclosed()):
            return False
        pending = getattr(self.sock, "pending", None)  # TLS may have read it, and not given it yet
        return super().is_connected and not (pending and pending())

    def connect(self) -> None:
        self._kept = current_attempt.stale = False
        super().connect()

    def request(
        self,
        method: str,
        url: str,
        body: Any = None,
        headers: Any = None,
        *,
        chunked: bool = False,  # noqa: ARG002 - urllib3 says so; a body of bytes has a length
        preload_content: bool = True,
        **options: Any,
    ) -> None:
        """Send a request, head and body in one go: http.client takes two, and longer for each."""
        current_attempt.sent = True
        current_attempt.stale = self._kept
        self._preload = preload_content
        self._options = {"request_method": method, "request_url": url, **options}
        if self.sock is not None:
            self.sock.settimeout(self.timeout)
        lines = map(": ".join, headers.items())
        head = "\r\n".join([f"{method} {url} HTTP/1.1", *lines, f"Content-Length: {len(body)}"])
        self.send(head.encode("latin-1") + b"\r\n\r\n" + body)
        self._kept = True

    def getresponse(self) -> Answer:  # type: ignore[override]
        """Read the head of the answer, and the body if it is wanted."""
        response = Response(self.sock, self._options["request_method"], self.timeout)
        try:
            response.begin()
            if response.status // 100 == 4:
                current_attempt.sent = False  # it was refused, whatever becomes of the body
            body: Any = read_body(response) if self._preload else response
            headers = response.getheaders()
            answer = Answer(
                body=body,
                original_response=response,
                headers=urllib3.HTTPHeaderDict(headers),
                status=response.status,
                version=response.version,
                reason=response.reason,
                preload_content=False,
                **self._options,
            )
        except BaseException:
            response.close()
            raise
        answer.head = "\n".join(map(": ".join, headers))
        answer.version_string = "HTTP/1.1"  # of the request, for urllib3's log
        self._unread = None if self._preload else response
        if response.will_close:
            self.close()
        return answer


class _HTTPSConnection(  # pyright: ignore[reportIncompatibleVariableOverride]
    _HTTPConnection, HTTPSConnection
):
    """The same with TLS."""


class HTTPPool(urllib3.HTTPConnectionPool):
    """Such connections to an http:// host."""

    QueueCls = _IdleConnections
    ConnectionCls: Any = _HTTPConnection


class HTTPSPool(urllib3.HTTPSConnectionPool):
    """Such connections to an https:// host."""

    QueueCls = _IdleConnections
    ConnectionCls: Any = _HTTPSConnection
