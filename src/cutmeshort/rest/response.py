"""
A strict parser of HTTP/1.1 responses, with limits on time and size.

A response that violates RFC 9112 is an error: if two parsers disagreed on where a response ends,
its rest could be taken for the next response. One deviation is accepted: a status line without a
reason phrase may omit the space before it.
"""

import io
import time
import zlib
from typing import Any, Optional

import urllib3

from ..retry import parse_retry_after
from .attempt import Attempt, ResponseError

END_OF_HEAD = b"\r\n\r\n"
MAX_BODY_BYTES = 2**20
_MAX_FRAMING_BYTES = 2**17  # all heads, chunk sizes and trailers of a response
_MAX_LINE_BYTES = 2**16
_MAX_FIELDS = 100
_MAX_DIGITS = 16
# At least a TLS record: the rest of one would be invisible to the poll() with which urllib3 finds
# out whether an idle connection was closed.
_MIN_RECEIVE = 2**14
_MAX_RECEIVE = 2**16

_HEX = b"0123456789ABCDEFabcdef"
_TCHAR = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# The `wbits` of zlib to try; some servers send "deflate" without zlib's header.
_WINDOW_BITS = {"gzip": (31,), "x-gzip": (31,), "deflate": (15, -15)}
# For urllib3: the body was already read, decompressed and checked.
_DONE: Any = {"preload_content": False, "decode_content": False, "enforce_content_length": False}


class RESTResponse(urllib3.HTTPResponse):
    """
    A response of urllib3, of any status, whose body has been read.

    Attributes:
        head: The status line and headers as received, for one search in all of them.
        content: The body, decompressed; None if it is too large or can't be decompressed.
        retried: Whether an earlier attempt of the same call may have reached the service.
        attempts: The number of attempts of the call.
    """

    head = b""
    content: Optional[bytes] = None
    retried = False
    attempts = 1

    def retry_after(self) -> Optional[float]:
        """Return how many seconds the service asks the client to wait, if it does."""
        return parse_retry_after(self.headers.get("Retry-After"), time.time())

    def unread(self) -> urllib3.HTTPResponse:
        """Return a plain urllib3 response, from which the body can be read."""
        body, options = io.BytesIO(self.content or b""), {"reason": self.reason, **_DONE}
        return urllib3.HTTPResponse(body, self.headers, self.status, self.version, **options)


class ResponseReader:
    """
    Reads the response to a request from a socket, until the attempt's deadline.

    The methods raise ResponseError, socket.timeout, or OSError if the connection fails.

    Attributes:
        reusable: Whether the connection can be used again after the response.
    """

    def __init__(self, sock: Any, attempt: Attempt) -> None:
        self._socket = sock
        self._attempt = attempt
        self._received = bytearray()
        self._position = 0  # of the first byte that is not parsed
        self._framing_bytes = 0
        self.reusable = True

    def read(self) -> RESTResponse:
        """Read the whole response, after any interim ones."""
        head, version, status, reason, fields = _parse_head(self.take_until(END_OF_HEAD))
        while status < 200:
            if status == 101:
                raise ResponseError("switch to a protocol that was not requested")
            head, version, status, reason, fields = _parse_head(self.take_until(END_OF_HEAD))
        self._attempt.rejected = status // 100 == 4
        headers = urllib3.HTTPHeaderDict(fields)
        self.reusable = version == 11 and "close" not in _members(headers, "Connection")
        content = self._take_body(status, version, headers)
        if content is None or self._position != len(self._received):
            self.reusable = False
        if content and "Content-Encoding" in headers:
            content = _decompress(content, headers["Content-Encoding"].strip().lower())
        response = RESTResponse(content or b"", headers, status, version, reason=reason, **_DONE)
        response.head, response.content = head, content
        response.version_string = "HTTP/1.1"  # urllib3 logs it as the request's version
        return response

    def take_until(self, end: bytes) -> bytes:
        """Receive bytes up to a delimiter; return them without it."""
        start = self._position
        while True:
            at = self._received.find(end, start)
            size = (len(self._received) if at < 0 else at) - self._position
            if self._framing_bytes + size > _MAX_FRAMING_BYTES:
                raise ResponseError("headers, chunk sizes or trailers that are too long")
            if at >= 0:
                break
            # Don't search the same bytes again: with single bytes, the time would be quadratic.
            start = max(start, len(self._received) - len(end) + 1)
            self._receive(_MIN_RECEIVE)
        taken = self._take(size)
        self._position += len(end)
        self._framing_bytes += size + len(end)
        return taken

    def _take(self, size: int) -> bytes:
        end = self._position + size
        while (missing := end - len(self._received)) > 0:
            self._receive(missing)
        taken = bytes(memoryview(self._received)[self._position : end])
        self._position = end
        return taken

    def _take_body(
        self, status: int, version: int, headers: urllib3.HTTPHeaderDict
    ) -> Optional[bytes]:
        """Read the body as RFC 9112, section 6.3, defines; return None if it is too large."""
        codings = _members(headers, "Transfer-Encoding")
        length = _content_length(headers)
        if "Transfer-Encoding" in headers:
            quoted = '"' in headers["Transfer-Encoding"]
            if version != 11 or quoted or not codings or codings.count("chunked") > 1:
                raise ResponseError("invalid Transfer-Encoding")
        if status in (204, 304):
            self.reusable = self.reusable and not codings and not length
            return b""
        if codings and codings[-1] == "chunked":
            self.reusable = self.reusable and length is None
            return self._take_chunks()
        if length is not None and not codings:
            return self._take(length) if length <= MAX_BODY_BYTES else None
        self.reusable = False
        while self._receive(_MIN_RECEIVE, may_end=True):
            if len(self._received) - self._position > MAX_BODY_BYTES:
                return None
        body = self._take(len(self._received) - self._position)
        # Nothing marks its end: an empty body may be truncated; JSON without a closing brace is.
        text = body.strip()
        if status // 100 == 2 and (not text or (text[:1] == b"{" and text[-1:] != b"}")):
            raise ResponseError("truncated")
        return body

    def _take_chunks(self) -> Optional[bytes]:
        body = bytearray()
        while size := _chunk_size(self.take_until(b"\r\n")):
            if len(body) + size > MAX_BODY_BYTES:
                return None
            body += self._take(size)
            if self._take(2) != b"\r\n":
                raise ResponseError("malformed chunk")
        trailers: list[bytes] = []
        while trailer := self.take_until(b"\r\n"):
            trailers += _split_lines(trailer)
        _parse_fields(trailers)  # only to check them
        return bytes(body)

    def _receive(self, size: int, may_end: bool = False) -> bool:
        """Receive up to about `size` bytes; return whether there were any."""
        data = self._socket.recv(min(max(size, _MIN_RECEIVE), _MAX_RECEIVE))
        self._attempt.count(0)  # only the read: TimedSocket has counted the bytes
        if data:
            self._attempt.maybe_stale = False
            self._received += data
        elif not may_end:
            raise ResponseError("truncated")
        return bool(data)


def _split_lines(block: bytes) -> list[bytes]:
    """Split at CRLF; raise ResponseError for another CR or LF, or NUL."""
    lines = block.split(b"\r\n")
    ends = len(lines) - 1
    if block.count(b"\r") != ends or block.count(b"\n") != ends or b"\0" in block:
        raise ResponseError("invalid control character")
    return lines


def _parse_head(head: bytes) -> tuple[bytes, int, int, str, list[tuple[str, str]]]:
    """Parse a head; return it with its version (10 or 11), status, reason and headers."""
    line, *lines = _split_lines(head)
    protocol, _, rest = line.partition(b" ")
    code, _, reason = rest.partition(b" ")
    if not (len(protocol) == 8 and protocol[:7] == b"HTTP/1." and protocol[7:].isdigit()):
        raise ResponseError("not HTTP/1.1")
    if not (len(code) == 3 and code.isdigit() and code >= b"100"):
        raise ResponseError("malformed status")
    version = 10 if protocol == b"HTTP/1.0" else 11
    return head, version, int(code), reason.decode("latin-1"), _parse_fields(lines)


def _parse_fields(lines: list[bytes]) -> list[tuple[str, str]]:
    """Return the names and values of headers or trailers."""
    if len(lines) > _MAX_FIELDS:
        raise ResponseError("too many headers")
    fields: list[tuple[str, str]] = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if colon and name and not name.translate(None, _TCHAR) and len(line) <= _MAX_LINE_BYTES:
            fields.append((name.decode("ascii"), value.strip(b" \t").decode("latin-1")))
        elif line[0] in b" \t" and fields:  # a folded line (RFC 9112, section 5.2)
            previous, text = fields.pop()
            more = line.strip(b" \t").decode("latin-1")
            fields.append((previous, f"{text} {more}".strip(" ")))
        else:
            raise ResponseError("malformed header")
    return fields


def _members(headers: urllib3.HTTPHeaderDict, name: str) -> list[str]:
    """Return the members of a header that is a list, in lower case (RFC 9110, section 5.6.1)."""
    if name not in headers:
        return []
    members = [member.strip(" \t") for member in headers[name].lower().split(",")]
    return [member for member in members if member]


def _content_length(headers: urllib3.HTTPHeaderDict) -> Optional[int]:
    """Return the Content-Length, or None. Several with the same value are accepted."""
    if "Content-Length" not in headers:
        return None
    length, *others = {part.strip(" \t") for part in headers["Content-Length"].split(",")}
    if others or not length.isdecimal() or len(length) > _MAX_DIGITS:
        raise ResponseError("invalid Content-Length")
    return int(length)


def _chunk_size(line: bytes) -> int:
    """Return the size of a chunk. Extensions are ignored."""
    size = _split_lines(line)[0].partition(b";")[0].rstrip(b" \t")
    if not 0 < len(size) <= _MAX_DIGITS or size.translate(None, _HEX):
        raise ResponseError("malformed chunk")
    return int(size, 16)


def _decompress(data: bytes, coding: str) -> Optional[bytes]:
    """
    Decompress a whole body; None if that is not possible within MAX_BODY_BYTES.

    urllib3 would accept a truncated body, and decompress without a limit.
    """
    if not data or coding == "identity":
        return data
    for window in _WINDOW_BITS.get(coding, ()):
        decoder = zlib.decompressobj(window)
        try:
            body = decoder.decompress(data, MAX_BODY_BYTES)
        except zlib.error:
            continue
        return body if decoder.eof and not decoder.unused_data else None
    return None
