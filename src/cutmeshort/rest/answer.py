"""Answers that are whole, end in time, and are not interim ones."""

import http.client
import io
import socket
import time
from email.errors import (
    InvalidMultipartContentTransferEncodingDefect,
    MultipartInvariantViolationDefect,
    NoBoundaryInMultipartDefect,
    StartBoundaryNotFoundDefect,
)
from email.message import Message
from typing import Any, Optional

import urllib3

from .attempt import current_attempt

# Head, framing and body as they come: more than any answer needs.
_MAX_RAW_BYTES = 2**21
_MAX_DIGITS = 18
# What the parser finds wrong with the body, which isn't there when the head is read.
_BODY_DEFECTS = (
    InvalidMultipartContentTransferEncodingDefect,
    MultipartInvariantViolationDefect,
    NoBoundaryInMultipartDefect,
    StartBoundaryNotFoundDefect,
)


class _BoundedReader(io.RawIOBase):
    """
    Read from a socket until a fixed moment, and so many bytes.

    A socket's own time-out starts anew with every byte, so that a server which sends one now and
    then would hold a call for as long as it likes.

    Attributes:
        may_end: Whether the server may close here. http.client and urllib3 take a head, or a last
            chunk, that breaks off for a whole one.
    """

    def __init__(self, sock: socket.socket, timeout: float) -> None:
        self._socket = sock
        self._raw = sock.makefile("rb", buffering=0)  # keeps the socket open for it
        self._end = time.monotonic() + timeout
        self._room = _MAX_RAW_BYTES
        self.may_end = False

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Be the socket to http.client."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        """Say how much was read: what wraps this asks, and refusing would take longer."""
        return _MAX_RAW_BYTES - self._room

    def readinto(self, buffer: Any) -> Optional[int]:
        remaining = self._end - time.monotonic()
        if remaining <= 0:
            raise socket.timeout("timed out")
        self._socket.settimeout(remaining)
        size = self._socket.recv_into(buffer)
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


class Response(http.client.HTTPResponse):
    """
    An answer that ends in time, has a whole head, and is not an interim one.

    Args:
        sock: The connection.
        method: What it answers.
        timeout: Seconds for all of it; by default the connection's, cut to what is left.
    """

    def __init__(
        self, sock: socket.socket, method: Optional[str], timeout: Optional[float] = None
    ) -> None:
        if timeout is None:
            timeout = current_attempt.limit(sock.gettimeout())
        self._reader = _BoundedReader(sock, timeout)
        self._headers: list[tuple[str, str]] = []
        super().__init__(self._reader, method=method)  # type: ignore[arg-type]

    def begin(self) -> None:
        """Read the head of the answer, and any interim ones before it."""
        self._begin_once()
        # http.client skips 100 alone. Any other 1xx would pass for the answer, and the true answer
        # for that to the connection's next request.
        while self.status < 200:
            self.headers = None  # type: ignore[assignment]
            self._begin_once()

    def close(self) -> None:
        """Give up what is unread: the connection can't be used for another answer then."""
        if not self.isclosed():
            self.will_close = True
        super().close()

    def getheaders(self) -> list[tuple[str, str]]:
        """Return the headers, those of several lines in one (RFC 9112, section 5.2)."""
        return self._headers

    def _begin_once(self) -> None:
        super().begin()
        self._headers = []
        lengths: list[str] = []
        codings: list[str] = []
        for name, value in self.msg.items():
            text = " ".join(value.split()) if "\n" in value else value
            self._headers.append((name, text))
            kind = name.lower()
            if kind == "content-length":
                lengths += text.split(",")
            elif kind == "transfer-encoding":
                codings += text.split(",")
        if not _is_whole(self.msg) or not _agree(lengths):
            raise http.client.RemoteDisconnected("the answer's head is broken")
        if codings and codings[-1].strip().lower() == "chunked":
            # http.client knows no spelling but "chunked", and would take the chunks for the body.
            self.chunked, self.chunk_left, self.length = True, None, None
        self._reader.may_end = self.length is None and not self.chunked


def _is_whole(head: http.client.HTTPMessage) -> bool:
    """
    Tell whether a head is what the server sent.

    http.client drops lines that are no headers, and what follows one that seems empty because of a
    bare carriage return.
    """
    if head.defects and not all(isinstance(defect, _BODY_DEFECTS) for defect in head.defects):
        return False
    return not _has_body(head)


def _agree(lengths: list[str]) -> bool:
    """Tell whether lengths are numbers and the same; http.client ignores one that it can't read."""
    if not lengths:
        return True
    numbers = [length.strip(" \t") for length in lengths]
    usable = all(number.isdecimal() and len(number) <= _MAX_DIGITS for number in numbers)
    return usable and len(set(map(int, numbers))) == 1


def _has_body(message: Message) -> bool:
    parts: Any = message.get_payload()
    if isinstance(parts, list):
        return any(part.keys() or _has_body(part) for part in parts)
    return bool(parts)


class Answer(urllib3.HTTPResponse):
    """
    An answer, as urllib3 has it.

    Attributes:
        head: Its headers as one text, which is searched faster than one by one.
    """

    head = ""
