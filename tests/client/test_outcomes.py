"""What `on_outcome` gets, and what happens when it fails."""

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
def test_the_record_carries_the_outcome(
    operation: Operation, log: pytest.LogCaptureFixture
) -> None:
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
def test_an_outcome_has_what_the_result_says(operation: Operation) -> None:
    """After each call the hook gets a frozen Outcome, in the caller's thread."""
    calls: list[tuple[int, Outcome]] = []

    def note(outcome: Outcome) -> None:
        calls.append((threading.get_ident(), outcome))

    steps = [OK, respond(429, headers={"Retry-After": "60", "X-Request-Id": "req_2"})]
    with Server(*steps) as server, client_of(server, on_outcome=note) as client:
        track(client, operation)
        refused = track(client, operation)
        track(client, operation, event_name="")
    assert {thread for thread, _ in calls} == {threading.get_ident()}
    first, second, third = (outcome for _, outcome in calls)
    assert all(0 <= outcome.seconds < SLACK for outcome in (first, second, third))
    lasted = dataclasses.replace(first, seconds=0)
    assert lasted == Outcome(operation.name, True, None, 200, 1, 0, False, None, "req_1")
    lasted = dataclasses.replace(second, seconds=0)
    expected = ("rate_limit_exceeded", 429, 1, 0, True, 60.0, "req_2")
    assert lasted == Outcome(operation.name, False, *expected)
    lasted = dataclasses.replace(third, seconds=0)
    expected = ("validation_error", 422, 0, 0, False, None, None)
    assert lasted == Outcome(operation.name, False, *expected)
    assert (refused["attempts"], refused["request_id"]) == (1, "req_2")
    with pytest.raises(dataclasses.FrozenInstanceError):
        first.success = False  # type: ignore[misc]


def test_a_hook_that_fails_is_logged_once(log: pytest.LogCaptureFixture) -> None:
    """An exception of the hook changes no result, and is logged once per client."""

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


def test_an_interruption_in_a_hook_passes() -> None:
    """Ctrl-C in the hook is not swallowed."""

    def interrupt(_outcome: Outcome) -> None:
        raise KeyboardInterrupt

    with (
        Server(OK) as server,
        client_of(server, on_outcome=interrupt) as client,
        pytest.raises(KeyboardInterrupt),
    ):
        lead(client)


async def _later(_outcome: Outcome) -> None: ...


class _Later:
    async def __call__(self, _outcome: Outcome) -> None: ...


@pytest.mark.parametrize("hook", ["text", 7, _later, functools.partial(_later), _Later()])
def test_a_hook_is_a_plain_function(hook: Any) -> None:
    """A hook that can't be called, or is async, is refused when the client is made."""
    with pytest.raises(ApiTypeError, match="on_outcome must be a function, not async"):
        CMSClient(TOKEN, on_outcome=hook)
