"""Connections whose every step ends in time, and that give whole answers."""

import http.client
import io
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from email.errors import FirstHeaderLineIsContinuationDefect, MissingHeaderBodySeparatorDefect
from typing import Any, Optional

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

# Head, framing and body as they come: more than any answer needs.
_MAX_RAW_BYTES = 2**21
_LENGTHS = re.compile(r"[0-9]{1,18}([ \t]*,[ \t]*[0-9]{1,18})*[ \t]*")
_BROKEN_HEAD = (FirstHeaderLineIsContinuationDefect, MissingHeaderBodySeparatorDefect)


class _Attempt(threading.local):
    """
    The attempt that this thread makes: its connection is urllib3's choice, and unknown before.

    Attributes:
        end: When it ends, on the monotonic clock.
        sent: Whether the service may have got something of the request.
        stale: Whether the connection was kept from an earlier call and has given nothing since, so
            that the service may have closed it before the request came.
    """

    end = 0.0
    sent = False
    stale = False

    def limit(self, timeout: Optional[float]) -> float:
        """Cut a time-out, in seconds, to what is left; socket.timeout where nothing is."""
        remaining = self.end - time.monotonic()
        if remaining <= 0:
            raise socket.timeout("timed out")
        return remaining if timeout is None else min(timeout, remaining)


current_attempt = _Attempt()


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


class _BoundedReader(io.RawIOBase):
    """
    Read from a socket until a fixed moment, and so many bytes.

    A socket's own time-out starts anew with every byte, so that a server which sends one now and
    then would hold a call for as long as it likes.
    """

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw = raw
        self._socket = sock
        self._end = time.monotonic() + current_attempt.limit(sock.gettimeout())
        self._room = _MAX_RAW_BYTES
        self.ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> Optional[int]:
        remaining = self._end - time.monotonic()
        if remaining <= 0:
            raise socket.timeout("timed out")
        self._socket.settimeout(remaining)
        size = self._raw.readinto(buffer) or 0
        self.ended = size == 0
        if size:
            current_attempt.stale = False
        self._room -= size
        if self._room < 0:
            raise http.client.HTTPException("the answer is too large")
        return size

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    """An answer that ends in time, has a whole head, and is not an interim one."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        raw: Any = self.fp.detach()
        self._reader = _BoundedReader(raw, sock)
        self.fp = io.BufferedReader(self._reader)

    def begin(self) -> None:
        self._begin_once()
        # http.client skips 100 alone. Any other 1xx would pass for the answer, and the true answer
        # for that to the connection's next request.
        while self.status < 200:
            self.headers = None  # type: ignore[assignment]
            self._begin_once()

    def _begin_once(self) -> None:
        super().begin()
        # http.client takes a head that breaks off for a whole one, which would make a success of
        # "200 OK" alone.
        if self._reader.ended or not _is_sound(self.msg):
            raise http.client.RemoteDisconnected("the answer's head is broken")


def _is_sound(head: http.client.HTTPMessage) -> bool:
    """
    Tell whether a head is what the server sent, with a length that can be relied on.

    http.client drops what follows a line that is no header or, after a bare carriage return, seems
    empty; and it ignores a length that it can't read, so that a body might be cut.
    """
    if any(isinstance(defect, _BROKEN_HEAD) for defect in head.defects):
        return False
    if not head.is_multipart() and head.get_payload():
        return False
    return all(map(_LENGTHS.fullmatch, head.get_all("Content-Length", ())))


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

    response_class = _Response
    _timeout = 0.0
    _kept = False

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

    def connect(self) -> None:
        self._kept = current_attempt.stale = False
        super().connect()

    def request(self, *args: Any, **kwargs: Any) -> None:
        current_attempt.sent = True
        current_attempt.stale = self._kept
        super().request(*args, **kwargs)
        self._kept = True


class _HTTPSConnection(  # pyright: ignore[reportIncompatibleVariableOverride]
    _HTTPConnection, HTTPSConnection
):
    """The same with TLS."""


class HTTPPool(urllib3.HTTPConnectionPool):
    """Such connections to an http:// host."""

    ConnectionCls: Any = _HTTPConnection


class HTTPSPool(urllib3.HTTPSConnectionPool):
    """Such connections to an https:// host."""

    ConnectionCls: Any = _HTTPSConnection
