"""The Outcome that `on_outcome` gets, and hooks that fail."""

import dataclasses
import functools
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from cutmeshort import ApiTypeError, CMSClient, Outcome
from cutmeshort.operations import Operation

from ..support.events import TOKEN, client_of, lead
from ..support.logs import lines
from ..support.operations import each_operation, track
from ..support.server import Server, respond
from ..support.timing import SLACK

OK = respond(json={"success": True, "requestId": "req_1"})


@each_operation
def test_a_log_record_has_the_outcome(operation: Operation, log: pytest.LogCaptureFixture) -> None:
    """`cms` of a call's log record is the Outcome that `on_outcome` gets."""
    outcomes: list[Outcome] = []
    with (
        Server(OK, respond(401)) as server,
        client_of(server, on_outcome=outcomes.append) as client,
    ):
        track(client, operation, customer_name=7)
        track(client, operation, customer_name=7)
    first, second = outcomes
    records = [record for record in log.records if hasattr(record, "cms")]
    assert [record.cms for record in records] == [first, first, second]
    assert [record.levelno for record in records] == [logging.DEBUG, *[logging.WARNING] * 2]


@each_operation
def test_an_outcome_matches_the_result(operation: Operation) -> None:
    """After each call, the hook gets a frozen Outcome of the result, in the caller's thread."""
    calls: list[tuple[int, Outcome]] = []

    def record(outcome: Outcome) -> None:
        calls.append((threading.get_ident(), outcome))

    steps = [OK, respond(429, headers={"Retry-After": "60", "X-Request-Id": "req_2"})]
    with Server(*steps) as server, client_of(server, on_outcome=record) as client:
        track(client, operation)
        rate_limited = track(client, operation)
        track(client, operation, event_name="")
    assert {thread for thread, _ in calls} == {threading.get_ident()}
    first, second, third = (outcome for _, outcome in calls)
    assert all(0 <= outcome.seconds < SLACK for outcome in (first, second, third))
    without_seconds = dataclasses.replace(first, seconds=0)
    assert without_seconds == Outcome(operation.name, True, None, 200, 1, 0, False, None, "req_1")
    without_seconds = dataclasses.replace(second, seconds=0)
    expected = ("rate_limit_exceeded", 429, 1, 0, True, 60.0, "req_2")
    assert without_seconds == Outcome(operation.name, False, *expected)
    without_seconds = dataclasses.replace(third, seconds=0)
    expected = ("validation_error", 422, 0, 0, False, None, None)
    assert without_seconds == Outcome(operation.name, False, *expected)
    assert (rate_limited["attempts"], rate_limited["request_id"]) == (1, "req_2")
    with pytest.raises(dataclasses.FrozenInstanceError):
        first.success = False  # type: ignore[misc]


def test_a_failing_hook_is_logged_once(log: pytest.LogCaptureFixture) -> None:
    """An exception of the hook changes no result, and the client logs it once."""

    def fail(_outcome: Outcome) -> None:
        raise LookupError("se" + "cret")

    with Server(OK) as server:
        for _ in range(2):
            with client_of(server, on_outcome=fail) as client, ThreadPoolExecutor(4) as threads:
                results = list(threads.map(lambda _: lead(client), range(8)))
                assert all(result["success"] for result in results)
    errors = lines(log, logging.ERROR)
    assert len(errors) == 2
    assert errors[0].startswith("LookupError in on_outcome\n")
    assert "test_outcomes.py" in errors[0]
    assert "secret" not in log.text


def test_an_interruption_in_a_hook_is_raised() -> None:
    """A call does not catch a KeyboardInterrupt of the hook."""

    def interrupt(_outcome: Outcome) -> None:
        raise KeyboardInterrupt

    with (
        Server(OK) as server,
        client_of(server, on_outcome=interrupt) as client,
        pytest.raises(KeyboardInterrupt),
    ):
        lead(client)


async def _async_hook(_outcome: Outcome) -> None: ...


class _AsyncHook:
    async def __call__(self, _outcome: Outcome) -> None: ...


@pytest.mark.parametrize(
    "hook", ["text", 7, _async_hook, functools.partial(_async_hook), _AsyncHook()]
)
def test_a_hook_must_be_a_plain_function(hook: Any) -> None:
    """A client can't be created with a hook that is async or can't be called."""
    with pytest.raises(ApiTypeError, match="on_outcome must be a function, not async"):
        CMSClient(TOKEN, on_outcome=hook)
