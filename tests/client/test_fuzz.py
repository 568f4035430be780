"""
Property tests: with any arguments and any response, a call returns a documented result.

The suite runs a few examples of each; `pytest -m soak` runs many.
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
from ..support.failing_objects import FailingStr
from ..support.operations import arguments, each_operation, minimal, track
from ..support.results import assert_documented
from ..support.server import Server, raw, respond
from ..support.strategies import ANYTHING, BODIES, EDGE_CASE_TEXT, EDGE_CASE_TIMES, TEXT, responses
from ..support.timing import SLACK, timed

# The number of examples in the suite, and in a soak.
short_and_long = pytest.mark.parametrize(
    "examples", [150, pytest.param(10_000, marks=pytest.mark.soak)], ids=["short", "long"]
)


def fuzz(examples: int) -> settings:
    """Return settings for this number of examples, which are the same ones in each short run."""
    short = examples < 1000
    health = list(HealthCheck)  # drawing a string of 10 MB is slow
    return settings(max_examples=examples, derandomize=short, suppress_health_check=health)


@short_and_long
@each_operation
@pytest.mark.usefixtures("clock")  # an argument may ask for retries
def test_any_arguments_give_a_documented_result(
    operation: Operation, examples: int, offline_client: CMSClient
) -> None:
    """A call never raises, and returns a documented result, whatever its arguments are."""
    call = getattr(offline_client, operation.name)
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
def test_a_string_whose_methods_fail_is_redacted(operation: Operation) -> None:
    """The client redacts customer data in a message without calling methods of an argument."""
    failing = FailingStr("user-7431")
    step = respond(422, json={"error": "No user-7431"})
    with Server(step) as server, client_of(server) as client:
        result = track(client, operation, customer_external_id=failing, customer_name=failing)
        assert (result["type"], result["error"]) == ("unprocessable_entity", "No [redacted]")


# Values that may be valid or not, for some of the arguments.
MAYBE_VALID = {
    "event_name": TEXT,
    "customer_external_id": TEXT,
    "customer_name": st.none() | TEXT | EDGE_CASE_TEXT,
    "timestamp": st.none() | EDGE_CASE_TIMES,
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


@short_and_long
@each_operation
def test_accepted_arguments_are_sent_unchanged(operation: Operation, examples: int) -> None:
    """The client sends accepted arguments unchanged, and sends nothing if it rejects one."""
    sent_events = 0
    maybe_valid = {
        name: values
        for name, values in MAYBE_VALID.items()
        if name in operation.request_model.model_fields
    }
    with Server() as server, client_of(server) as client:

        @fuzz(examples)
        @given(valid=arguments(operation), changes=st.fixed_dictionaries(maybe_valid))
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


@short_and_long
def test_any_response_gives_a_documented_result(
    examples: int, caplog: pytest.LogCaptureFixture
) -> None:
    """A call never raises, hangs or logs the token, whatever response it gets, complete or not."""
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
def test_a_response_that_is_truncated_anywhere_is_a_network_error(response: bytes) -> None:
    """A response that is truncated at any byte is a network error."""
    sent = [b""]
    with Server(raw(lambda: sent)) as server, client_of(server, max_retries=0) as client:
        for end in range(len(response) + 1):
            sent[0] = response[:end]
            result = lead(client)
            assert result["success"] is (end == len(response))
            assert result.get("type", "network_error") == "network_error"


@short_and_long
def test_any_body_and_any_retry_after_can_be_parsed(examples: int) -> None:
    """Parsing a JSON body raises at most a ValueError, and parsing a Retry-After raises nothing."""

    @fuzz(examples)
    @given(body=BODIES, retry_after=st.text(max_size=40), now=st.floats(0, 4e9))
    def check(body: bytes, retry_after: str, now: float) -> None:
        with suppress(ValueError):
            json.dumps(read_json(body), ensure_ascii=False).encode()
        seconds = parse_retry_after(retry_after, now)
        assert seconds is None or 0 <= seconds <= 1e9

    check()
