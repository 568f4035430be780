"""Connections whose every step ends in time, and that give whole answers."""

import encodings.idna  # noqa: F401 - see below
import http.client
import io
import math
import os
import re
import socket
import ssl
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from email.errors import (
    InvalidMultipartContentTransferEncodingDefect,
    MultipartInvariantViolationDefect,
    NoBoundaryInMultipartDefect,
    StartBoundaryNotFoundDefect,
)
from email.message import Message
from queue import LifoQueue
from typing import Any, Optional

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

# urllib3 encodes each host name by the codec that is imported above. Imported at the first call, it
# could be under way when another thread forks: the child would wait for its lock for ever.

# Head, framing and body as they come: more than any answer needs.
_MAX_RAW_BYTES = 2**21
_LENGTHS = re.compile(r"[0-9]{1,18}([ \t]*,[ \t]*[0-9]{1,18})*[ \t]*")
# What the parser finds wrong with the body, which isn't there when the head is read.
_BODY_DEFECTS = (
    InvalidMultipartContentTransferEncodingDefect,
    MultipartInvariantViolationDefect,
    NoBoundaryInMultipartDefect,
    StartBoundaryNotFoundDefect,
)


class _Attempt(threading.local):
    """
    The attempt that this thread makes: its connection is urllib3's choice, and unknown before.

    Attributes:
        end: When it ends, on the monotonic clock; never, when there is none.
        sent: Whether the service may have got something of the request.
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

    Attributes:
        may_end: Whether the server may close here. http.client and urllib3 take a head, or a last
            chunk, that breaks off for a whole one.
    """

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw = raw
        self._socket = sock
        self._end = time.monotonic() + current_attempt.limit(sock.gettimeout())
        self._room = _MAX_RAW_BYTES
        self.may_end = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> Optional[int]:
        remaining = self._end - time.monotonic()
        if remaining <= 0:
            raise socket.timeout("timed out")
        self._socket.settimeout(remaining)
        size = self._raw.readinto(buffer) or 0
        if size:
            current_attempt.stale = False
        elif not self.may_end:
            raise http.client.RemoteDisconnected("the answer broke off")
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
        if not _is_sound(self.msg):
            raise http.client.RemoteDisconnected("the answer's head is broken")
        self._reader.may_end = self.length is None and not self.chunked


def _is_sound(head: http.client.HTTPMessage) -> bool:
    """
    Tell whether a head is what the server sent, with a length that can be relied on.

    http.client drops lines that are no headers, and what follows one that seems empty because of a
    bare carriage return; and it ignores a length that it can't read, so that a body might be cut.
    What is dropped, urllib3 writes to its log, though it may be what was sent.
    """
    if not all(isinstance(defect, _BODY_DEFECTS) for defect in head.defects) or _has_body(head):
        return False
    return all(map(_LENGTHS.fullmatch, head.get_all("Content-Length", ())))


def _has_body(message: Message) -> bool:
    parts: Any = message.get_payload()
    if isinstance(parts, list):
        return any(part.keys() or _has_body(part) for part in parts)
    return bool(parts)


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

    @property
    def is_connected(self) -> bool:
        """Whether the connection can be kept: what is left of an answer would be the next one's."""
        pending = getattr(self.sock, "pending", None)  # TLS may have read it, and not given it yet
        return super().is_connected and not (pending and pending())

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

    QueueCls = _IdleConnections
    ConnectionCls: Any = _HTTPConnection


class HTTPSPool(urllib3.HTTPSConnectionPool):
    """Such connections to an https:// host."""

    QueueCls = _IdleConnections
    ConnectionCls: Any = _HTTPSConnection
