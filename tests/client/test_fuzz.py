"""
Whatever the arguments are and whatever the server sends, a call returns what is documented.

A short run is part of the suite; `pytest -m soak` runs the long one.
"""

import gzip
import io
import json
import logging
import time
import zlib
from contextlib import suppress
from datetime import MAXYEAR, MINYEAR, datetime, timedelta, timezone, tzinfo
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from dateutil.parser import isoparse
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cutmeshort import CMSClient
from cutmeshort.retry import parse_retry_after
from cutmeshort.strict_json import read_json

from ..support.events import TOKEN, client_of, lead
from ..support.results import assert_documented
from ..support.server import Server, raw, reply

# How many examples, in the suite and in a soak.
many = pytest.mark.parametrize(
    "examples", [150, pytest.param(10_000, marks=pytest.mark.soak)], ids=["short", "long"]
)


def fuzz(examples: int) -> settings:
    """Try so many examples, the same ones each time in the suite; drawing 10 MB takes a while."""
    short = examples < 1000
    health = list(HealthCheck)
    return settings(max_examples=examples, derandomize=short, suppress_health_check=health)


class _Hostile:
    """An argument whose every method fails."""

    def _fail(self, *_: Any) -> Any:
        raise RuntimeError("secret")

    __bool__ = __eq__ = __len__ = __iter__ = __repr__ = __str__ = __int__ = __float__ = _fail
    __getattr__ = __lt__ = __gt__ = __index__ = __hash__ = _fail  # type: ignore[assignment]


class _HostileText(str):
    """A text that passes for one, and fails when it is looked at."""

    def _fail(self, *_: Any) -> Any:
        raise RuntimeError("secret")

    __contains__ = __len__ = __iter__ = __repr__ = __str__ = __add__ = __getitem__ = _fail
    encode = lower = upper = strip = replace = split = _fail  # type: ignore[assignment]


class _HostileNumber(int):
    """The same for a number."""

    def _fail(self, *_: Any) -> Any:
        raise RuntimeError("secret")

    __lt__ = __le__ = __gt__ = __ge__ = __float__ = __int__ = __index__ = __repr__ = _fail


class _HostileZone(tzinfo):
    def utcoffset(self, _: Any) -> Any:
        raise RuntimeError("secret")


class _Choice(str, Enum):
    ONE = "deferred"


TEXTS = (
    st.text(max_size=300)
    | st.text(st.characters(categories=["Cs", "Cc", "Co", "Zs"]), max_size=5)
    | st.sampled_from(["", "\x00", "\ud800", "deferred", "usd", "a@b", "http://a", "2026-01-31"])
    | st.sampled_from(["0001-01-01", "9999-12-31T23:59:59.999999+14:00", "24:00", "x" * 10**7])
)
WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=255)
OFFSETS = st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(timezone)
DATETIMES = st.datetimes(timezones=st.none() | OFFSETS) | st.sampled_from(
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
    | TEXTS
    | st.binary()
    | st.binary().map(bytearray)
    | DATETIMES
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.lists(st.integers(), max_size=2)
    | st.dictionaries(st.text(), st.integers(), max_size=2)
    | st.frozensets(st.integers(), max_size=2)
    | st.builds(_Hostile)
    | st.builds(_HostileText, st.sampled_from(["user", "a@b", "USD", "deferred", "2026-01-31"]))
    | st.builds(_HostileNumber)
    | st.builds(datetime, st.just(2026), st.just(1), st.just(1), tzinfo=st.builds(_HostileZone))
    | st.builds(object)
    | st.builds(io.BytesIO)
    | st.sampled_from([_Choice.ONE, UUID(int=1), Path("a"), int, print, ..., NotImplemented])
    | st.just(range(10**9))
)


@many
def test_whatever_the_arguments_are_the_result_is_documented(
    examples: int, nowhere: CMSClient
) -> None:
    """No argument of any kind makes a call raise, or return another shape."""

    @fuzz(examples)
    @given(arguments=st.lists(ANYTHING, min_size=14, max_size=14))
    def check(arguments: list[Any]) -> None:
        for result in (
            nowhere.track_lead(*arguments[:8], timeout=arguments[8], max_retries=arguments[9]),
            nowhere.track_lead("Sign up", "user", "click", *arguments[:4]),
            nowhere.track_sale(*arguments[:10], timeout=arguments[10], max_retries=arguments[11]),
            nowhere.track_sale("Purchase", "user", "inv", arguments[12], "USD", arguments[13]),
        ):
            assert_documented(result)
            assert result["success"] is False

    check()


def test_a_text_that_fails_when_it_is_looked_at_does_not_reach_the_application() -> None:
    """Taking the customer's data out of the service's text calls none of its methods."""
    hostile = _HostileText("user-7431")
    with Server(reply(422, json={"error": "No user-7431"})) as server, client_of(server) as client:
        result = lead(client, customer_external_id=hostile, customer_name=hostile)
        assert (result["type"], result["error"]) == ("unprocessable_entity", "No [redacted]")


@many
def test_whatever_is_sent_arrives_as_it_was(examples: int) -> None:
    """What is accepted stands in the request as it was given; the rest is refused unsent."""
    sent_events = 0
    with Server() as server, client_of(server) as client:

        @fuzz(examples)
        @given(
            name=WORDS,
            customer=WORDS,
            customer_name=st.none() | WORDS | TEXTS,
            timestamp=st.none() | DATETIMES,
            amount=st.integers(-1, 2**53),
        )
        def check(**arguments: Any) -> None:
            nonlocal sent_events
            server.requests.clear()
            result = client.track_sale(
                arguments["name"],
                arguments["customer"],
                "inv_1",
                arguments["amount"],
                "USD",
                customer_name=arguments["customer_name"],
                timestamp=arguments["timestamp"],
            )
            assert_documented(result)
            assert result["success"] is (len(server.requests) == 1)
            if result["success"] is not True:
                assert result["type"] == "validation_error"
                return
            sent_events += 1
            sent = server.requests[0].json
            assert sent["eventName"] == arguments["name"]
            assert sent["customerExternalId"] == arguments["customer"]
            assert sent["amount"] == arguments["amount"]
            given_name = arguments["customer_name"]
            left_out = any(w["field"] == "customer_name" for w in result.get("warnings", []))
            assert sent.get("customerName") == (None if left_out else given_name or None)
            given_time = arguments["timestamp"]
            if isinstance(given_time, datetime):
                read = isoparse(sent["timestamp"])
                aware = given_time.utcoffset() is not None
                assert read == (given_time if aware else given_time.replace(tzinfo=timezone.utc))

        check()
    assert sent_events > examples / 4


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from([TOKEN, "error", "ok", "\ud800", 10**400]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)
KEYS = ["success", "status", "message", "data", "error", "type", "details", "statusCode", TOKEN]
OBJECTS = st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), JSON, max_size=8)
BODIES = st.binary(max_size=200) | OBJECTS.map(json.dumps).map(str.encode)
ENCODINGS = {b"gzip": gzip.compress, b"deflate": zlib.compress, b"identity": bytes, b"br": bytes}
NAMES = [
    b"Content-Type",
    b"Content-Length",
    b"Transfer-Encoding",
    b"Connection",
    b"Retry-After",
    b"Location",
    b"Set-Cookie",
    b"Trailer",
]
VALUES = [
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
HEADERS = st.tuples(
    st.sampled_from(NAMES) | st.binary(max_size=9), st.sampled_from(VALUES) | st.binary(max_size=20)
)
STATUSES = st.integers(0, 999) | st.sampled_from([100, 200, 201, 204, 304, 409, 422, 429, 503])


@st.composite
def replies(draw: Any) -> bytes:
    """Draw an answer, whole or broken off."""
    version = draw(st.sampled_from([b"HTTP/1.1", b"HTTP/1.0", b"HTTP/1.9"]) | st.binary(max_size=9))
    line = b"%s %03d %s\r\n" % (version, draw(STATUSES), draw(st.binary(max_size=9)))
    body = draw(BODIES)
    headers = draw(st.lists(HEADERS, max_size=4))
    encoding = draw(st.none() | st.sampled_from(sorted(ENCODINGS)))
    if encoding is not None:
        body = ENCODINGS[encoding](body)
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
    answer = head + body
    return answer[: draw(st.none() | st.integers(0, len(answer)))]


@many
def test_whatever_the_server_sends_the_result_is_documented(
    examples: int, caplog: pytest.LogCaptureFixture
) -> None:
    """No status, no headers, no body and no end of them make a call raise, hang or tell."""
    answer = [b""]
    with (
        Server(raw(lambda: answer)) as server,
        client_of(server, max_retries=0) as client,
        caplog.at_level(logging.DEBUG, "urllib3"),
    ):

        @fuzz(examples)
        @given(drawn=replies())
        @example(drawn=b"HTTP/1.1 200 OK\r\nContent-Type: message/rfc822\r\n\r\n")
        @example(drawn=b"HTTP/1.1 204 \r\nTransfer-Encoding: chunked\r\n\r\n")
        def check(drawn: bytes) -> None:
            answer[0] = drawn
            begin = time.monotonic()
            result = lead(client)
            assert time.monotonic() - begin < 5
            assert_documented(result)
            assert result.get("type") != "internal_error"
            assert TOKEN not in caplog.text
            caplog.clear()
            server.requests.clear()

        check()


@pytest.mark.parametrize(
    "answer",
    [
        b'HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{"success": true}',
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s"
        % (len(gzip.compress(b"{}")), gzip.compress(b"{}")),
        b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    ],
    ids=["length", "chunks", "gzip", "interim"],
)
def test_an_answer_that_is_cut_anywhere_is_no_success(answer: bytes) -> None:
    """Each of its bytes is needed."""
    sent = [b""]
    with Server(raw(lambda: sent)) as server, client_of(server, max_retries=0) as client:
        for end in range(len(answer) + 1):
            sent[0] = answer[:end]
            result = lead(client)
            assert result["success"] is (end == len(answer))
            assert result.get("type", "network_error") == "network_error"


@many
def test_whatever_a_body_or_a_header_holds_it_can_be_read(examples: int) -> None:
    """Reading JSON fails with a ValueError at most, and reading Retry-After not at all."""

    @fuzz(examples)
    @given(body=BODIES, wish=st.text(max_size=40), now=st.floats(0, 4e9))
    def check(body: bytes, wish: str, now: float) -> None:
        with suppress(ValueError):
            json.dumps(read_json(body), ensure_ascii=False).encode()
        seconds = parse_retry_after(wish, now)
        assert seconds is None or 0 <= seconds <= 1e9

    check()
