"""What an answer says, within bounds."""

import http.client
import zlib
from typing import Optional

import urllib3

MAX_BODY_BYTES = 2**20
_PIECE_BYTES = 2**16


def read_body(response: urllib3.BaseHTTPResponse) -> Optional[bytes]:
    """Read the body; None where it can't be decompressed or exceeds MAX_BODY_BYTES."""
    if response.status in (204, 304) and "Transfer-Encoding" in response.headers:
        response.close()  # urllib3 would wait for chunks, which may not come (RFC 9112, 6.3)
        return b""
    pieces = []
    size = 0
    try:
        for piece in response.stream(_PIECE_BYTES, decode_content=False):
            pieces.append(piece)
            size += len(piece)
            if size > MAX_BODY_BYTES:
                response.close()
                return None
    except ValueError as error:  # of some framing errors
        response.close()
        raise http.client.HTTPException("the answer's framing is broken") from error
    data = b"".join(pieces)
    coding = response.headers.get("Content-Encoding", "identity").strip().lower()
    return data if coding == "identity" or not data else _decompress(data, coding)


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
