"""Hypothesis strategies: valid strings and times, arguments of any type, and any response."""

import gzip
import io
import json
import zlib
from datetime import MAXYEAR, MINYEAR, datetime, timedelta, timezone
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from .events import TOKEN
from .failing_objects import FailingInt, FailingObject, FailingStr, FailingTimeZone

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=255)
_OFFSETS = st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(timezone)
TIMES = st.datetimes(timezones=st.none() | _OFFSETS)


class _Choice(str, Enum):
    ONE = "deferred"


EDGE_CASE_TEXT = (
    st.text(max_size=300)
    | st.text(st.characters(categories=["Cs", "Cc", "Co", "Zs"]), max_size=5)
    | st.sampled_from(["", "\x00", "\ud800", "deferred", "usd", "a@b", "http://a", "2026-01-31"])
    | st.sampled_from(["0001-01-01", "9999-12-31T23:59:59.999999+14:00", "24:00", "x" * 10**7])
)
EDGE_CASE_TIMES = TIMES | st.sampled_from(
    [
        datetime(MINYEAR, 1, 1),
        datetime(MINYEAR, 1, 1, tzinfo=timezone(timedelta(hours=14))),
        datetime(MAXYEAR, 12, 31, 23, 59, 59, 999999),
        datetime(MAXYEAR, 12, 31, 23, 59, tzinfo=timezone(timedelta(hours=-14, seconds=1))),
    ]
)
ANYTHING = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, -(10**400), 2**53, 2**63])
    | st.floats()
    | st.complex_numbers()
    | st.decimals()
    | st.fractions()
    | EDGE_CASE_TEXT
    | st.binary()
    | st.binary().map(bytearray)
    | EDGE_CASE_TIMES
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.lists(st.integers(), max_size=2)
    | st.dictionaries(st.text(), st.integers(), max_size=2)
    | st.frozensets(st.integers(), max_size=2)
    | st.builds(FailingObject)
    | st.builds(FailingStr, st.sampled_from(["user", "a@b", "USD", "deferred", "2026-01-31"]))
    | st.builds(FailingInt)
    | st.builds(datetime, st.just(2026), st.just(1), st.just(1), tzinfo=st.builds(FailingTimeZone))
    | st.builds(object)
    | st.builds(io.BytesIO)
    | st.sampled_from([_Choice.ONE, UUID(int=1), Path("a"), int, print, ..., NotImplemented])
    | st.just(range(10**9))
)
ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from([TOKEN, "error", "ok", "\ud800", 10**400]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)
_KEYS = ["success", "status", "message", "data", "error", "type", "details", "statusCode", TOKEN]
_OBJECTS = st.dictionaries(st.sampled_from(_KEYS) | st.text(max_size=5), ANY_JSON, max_size=8)
BODIES = st.binary(max_size=200) | _OBJECTS.map(json.dumps).map(str.encode)
_ENCODINGS = {b"gzip": gzip.compress, b"deflate": zlib.compress, b"identity": bytes, b"br": bytes}
_NAMES = [
    b"Content-Type",
    b"Content-Length",
    b"Transfer-Encoding",
    b"Connection",
    b"Retry-After",
    b"Location",
    b"Set-Cookie",
    b"Trailer",
]
_VALUES = [
    b"0",
    b"-1",
    b"99999999999999999999",
    b"1, 1",
    b"chunked",
    b"gzip, chunked",
    b"close",
    b"keep-alive",
    b"multipart/mixed; boundary=x",
    b"message/rfc822",
    b"message/delivery-status",
    b"text/html; charset=\xff",
    b"Thu, 01 Jan 1970 00:00:00 GMT",
    TOKEN.encode(),
]
_HEADERS = st.tuples(
    st.sampled_from(_NAMES) | st.binary(max_size=9),
    st.sampled_from(_VALUES) | st.binary(max_size=20),
)
_STATUSES = st.integers(0, 999) | st.sampled_from([100, 200, 201, 204, 304, 409, 422, 429, 503])


@st.composite
def responses(draw: Any) -> bytes:
    """Draw a response, complete or truncated."""
    version = draw(st.sampled_from([b"HTTP/1.1", b"HTTP/1.0", b"HTTP/1.9"]) | st.binary(max_size=9))
    line = b"%s %03d %s\r\n" % (version, draw(_STATUSES), draw(st.binary(max_size=9)))
    body = draw(BODIES)
    headers = draw(st.lists(_HEADERS, max_size=4))
    encoding = draw(st.none() | st.sampled_from(sorted(_ENCODINGS)))
    if encoding is not None:
        body = _ENCODINGS[encoding](body)
        headers.append((b"Content-Encoding", encoding))
    framing = draw(st.sampled_from(["length", "chunks", "none"]))
    if framing == "length":
        headers.append((b"Content-Length", b"%d" % len(body)))
    elif framing == "chunks":
        headers.append((b"Transfer-Encoding", b"chunked"))
        size = draw(st.integers(1, 50))
        chunks = [body[at : at + size] for at in range(0, len(body), size)]
        body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in [*chunks, b""])
    head = line + b"".join(name + b": " + value + b"\r\n" for name, value in headers) + b"\r\n"
    response = head + body
    return response[: draw(st.none() | st.integers(0, len(response)))]
