"""What an answer says, within bounds."""

import http.client
import zlib
from typing import Optional

import urllib3

MAX_BODY_BYTES = 2**20
_PIECE_BYTES = 2**16


def read_body(response: http.client.HTTPResponse) -> bytes:
    """Read the body as it comes; of one that is too large, the beginning."""
    body = b""
    # Of these two http.client would wait for chunks, which may not come (RFC 9112, section 6.3).
    if not (response.chunked and response.status in (204, 304)):
        # Not all at once: http.client takes the memory before it knows of the bytes.
        piece_size = _PIECE_BYTES if response.length is None else response.length
        try:
            while len(body) <= MAX_BODY_BYTES and not response.isclosed():
                body += response.read(min(piece_size, MAX_BODY_BYTES + 1))
        except ValueError as error:  # of a chunk of negative size
            raise http.client.HTTPException("the answer's framing is broken") from error
    response.close()  # of one that is too large, the rest
    return body


def decode_body(response: urllib3.BaseHTTPResponse) -> Optional[bytes]:
    """Say what was read; None where it can't be decompressed or exceeds MAX_BODY_BYTES."""
    body = response.data or b""
    if len(body) > MAX_BODY_BYTES:
        return None
    if not body or "Content-Encoding" not in response.headers:
        return body
    coding = response.headers["Content-Encoding"].strip().lower()
    return body if coding == "identity" else _decompress(body, coding)


def _decompress(data: bytes, coding: str) -> Optional[bytes]:
    """
    Decompress a whole body.

    Not left to urllib3, which takes a body that breaks off for a whole one and expands without
    limit.
    """
    formats = {"gzip": (31,), "x-gzip": (31,), "deflate": (15, -15)}  # see zlib.decompress
    for window in formats.get(coding, ()):
        decoder = zlib.decompressobj(window)
        try:
            body = decoder.decompress(data, MAX_BODY_BYTES)
        except zlib.error:
            continue
        return body if decoder.eof and not decoder.unused_data else None
    return None
