"""
Whatever the arguments are and whatever the server sends, a call returns what is documented.

A short run is part of the suite; `pytest -m soak` runs the long one.
"""

import gzip
import inspect
import json
import logging
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any

import pytest
from dateutil.parser import isoparse
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic.alias_generators import to_camel

from cutmeshort import CMSClient
from cutmeshort.operations import Operation
from cutmeshort.retry import parse_retry_after
from cutmeshort.strict_json import read_json

from ..support.events import TOKEN, client_of, lead
from ..support.hostile import HostileText
from ..support.operations import arguments, each_operation, minimal, track
from ..support.results import assert_documented
from ..support.server import Server, raw, respond
from ..support.strategies import ANYTHING, BODIES, ODD_TEXT, ODD_TIMES, TEXT, responses
from ..support.timing import SLACK, timed

# How many examples, in the suite and in a soak.
many = pytest.mark.parametrize(
    "examples", [150, pytest.param(10_000, marks=pytest.mark.soak)], ids=["short", "long"]
)


def fuzz(examples: int) -> settings:
    """Try so many examples, the same ones each time in the suite; drawing 10 MB takes a while."""
    short = examples < 1000
    health = list(HealthCheck)
    return settings(max_examples=examples, derandomize=short, suppress_health_check=health)


@many
@each_operation
@pytest.mark.usefixtures("clock")  # an argument may ask for retries
def test_whatever_the_arguments_are_the_result_is_documented(
    operation: Operation, examples: int, nowhere: CMSClient
) -> None:
    """No argument of any type makes a call raise, or return another shape."""
    call = getattr(nowhere, operation.name)
    names = list(inspect.signature(call).parameters)
    fields = list(operation.request_model.model_fields)

    @fuzz(examples)
    @given(
        everything=st.fixed_dictionaries(dict.fromkeys(names, ANYTHING)),
        some=st.dictionaries(st.sampled_from(fields), ANYTHING, min_size=1, max_size=4),
    )
    def check(everything: dict[str, Any], some: dict[str, Any]) -> None:
        for kwargs in (everything, {**minimal(operation), **some}):
            result = call(**kwargs)
            assert_documented(result)
            assert result["success"] is False

    check()


@each_operation
def test_a_text_whose_methods_fail_does_not_reach_the_application(operation: Operation) -> None:
    """Redacting the customer's data in the service's text calls no method of an argument."""
    hostile = HostileText("user-7431")
    step = respond(422, json={"error": "No user-7431"})
    with Server(step) as server, client_of(server) as client:
        result = track(client, operation, customer_external_id=hostile, customer_name=hostile)
        assert (result["type"], result["error"]) == ("unprocessable_entity", "No [redacted]")


# Values that may be valid or not, for some of the arguments.
PERHAPS_VALID = {
    "event_name": TEXT,
    "customer_external_id": TEXT,
    "customer_name": st.none() | TEXT | ODD_TEXT,
    "timestamp": st.none() | ODD_TIMES,
    "amount": st.integers(-1, 2**53),
}


def assert_sent(sent: dict[str, Any], given: dict[str, Any], left_out: list[str]) -> None:
    """Check that a request has each argument as it was given, and nothing else."""
    expected: dict[str, Any] = {}
    for name, value in given.items():
        if value not in (None, "") and name not in left_out:
            expected[to_camel(name)] = value.upper() if name == "currency" else value
    when = expected.pop("timestamp", None)
    if isinstance(when, datetime):
        aware = when.utcoffset() is not None
        expected_time = when if aware else when.replace(tzinfo=timezone.utc)
        assert isoparse(sent.pop("timestamp")) == expected_time
    assert sent == expected


@many
@each_operation
def test_whatever_is_sent_arrives_as_it_was(operation: Operation, examples: int) -> None:
    """What is accepted is in the request as it was given; anything else is refused unsent."""
    sent_events = 0
    perhaps = {
        name: values
        for name, values in PERHAPS_VALID.items()
        if name in operation.request_model.model_fields
    }
    with Server() as server, client_of(server) as client:

        @fuzz(examples)
        @given(valid=arguments(operation), changes=st.fixed_dictionaries(perhaps))
        def check(valid: dict[str, Any], changes: dict[str, Any]) -> None:
            nonlocal sent_events
            server.requests.clear()
            given = {**valid, **changes}
            result = track(client, operation, **given)
            assert_documented(result)
            assert result["success"] is (len(server.requests) == 1)
            if result["success"] is not True:
                assert result["type"] == "validation_error"
                return
            sent_events += 1
            warned = [warning["field"] for warning in result.get("warnings", [])]
            left_out = [name for name in warned if name != "timestamp"]
            assert set(left_out) <= {"customer_name"}
            assert_sent(server.requests[0].json, given, left_out)

        check()
    assert sent_events > examples / 4


@many
def test_whatever_the_server_sends_the_result_is_documented(
    examples: int, caplog: pytest.LogCaptureFixture
) -> None:
    """No status, headers or body, complete or not, make a call raise, hang or log the token."""
    sent = [b""]
    with (
        Server(raw(lambda: sent)) as server,
        client_of(server, max_retries=0) as client,
        caplog.at_level(logging.DEBUG, "urllib3"),
    ):

        @fuzz(examples)
        @given(drawn=responses())
        @example(drawn=b"HTTP/1.1 200 OK\r\nContent-Type: message/rfc822\r\n\r\n")
        @example(drawn=b"HTTP/1.1 204 \r\nTransfer-Encoding: chunked\r\n\r\n")
        def check(drawn: bytes) -> None:
            sent[0] = drawn
            result, seconds = timed(lambda: lead(client))
            assert seconds < SLACK
            assert_documented(result)
            assert result.get("type") != "internal_error"
            assert TOKEN not in caplog.text
            caplog.clear()
            server.requests.clear()

        check()


@pytest.mark.parametrize(
    "response",
    [
        b'HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{"success": true}',
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s"
        % (len(gzip.compress(b"{}")), gzip.compress(b"{}")),
        b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    ],
    ids=["length", "chunks", "gzip", "interim"],
)
def test_a_response_that_is_truncated_anywhere_is_no_success(response: bytes) -> None:
    """A response that lacks any of its last bytes is a network error."""
    sent = [b""]
    with Server(raw(lambda: sent)) as server, client_of(server, max_retries=0) as client:
        for end in range(len(response) + 1):
            sent[0] = response[:end]
            result = lead(client)
            assert result["success"] is (end == len(response))
            assert result.get("type", "network_error") == "network_error"


@many
def test_whatever_a_body_or_a_header_holds_it_can_be_read(examples: int) -> None:
    """Parsing JSON raises at most a ValueError, and parsing Retry-After nothing."""

    @fuzz(examples)
    @given(body=BODIES, retry_after=st.text(max_size=40), now=st.floats(0, 4e9))
    def check(body: bytes, retry_after: str, now: float) -> None:
        with suppress(ValueError):
            json.dumps(read_json(body), ensure_ascii=False).encode()
        seconds = parse_retry_after(retry_after, now)
        assert seconds is None or 0 <= seconds <= 1e9

    check()
