"""The log of all requests, `requests`."""

from datetime import datetime, timezone
from typing import Any

import pytest

from cutmeshort import CMSClient
from cutmeshort.sandbox import Received, Sandbox
from cutmeshort.sandbox.state.exchanges import MAX_REQUESTS

from ..support.events import lead, sale
from ..support.timing import LONG
from .helpers import LEAD, connect, head, post, read_to_end, request


def test_requests_has_each_request_with_its_response(sandbox: Sandbox, client: CMSClient) -> None:
    """`requests` has successes, duplicates and errors, with the request ids of the results."""
    begin = datetime.now(timezone.utc)
    results = [lead(client), lead(client), sale(client, click_id=None), sale(client)]
    end = datetime.now(timezone.utc)
    assert [(each.operation, each.status, each.type) for each in sandbox.requests] == [
        ("track_lead", 200, "ok"),
        ("track_lead", 200, "ok"),
        ("track_sale", 422, "unprocessable_entity"),
        ("track_sale", 200, "ok"),
    ]
    messages = [each.message for each in sandbox.requests]
    assert messages[0] == "Lead tracked successfully"
    assert messages[1] == "The event was already recorded."
    assert messages[2].startswith("clickId is required")
    assert [each.request_id for each in sandbox.requests] == [r["request_id"] for r in results]
    times = [each.time for each in sandbox.requests]
    assert [begin, *times, end] == sorted([begin, *times, end])
    assert sandbox.refused == [sandbox.requests[2]]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"status": 503}, (503, "service_unavailable")),
        ({"status": 503, "recorded": True}, (503, "service_unavailable")),
        ({"drop": True}, (None, "dropped")),
        ({"drop": True, "recorded": True}, (None, "dropped")),
        ({"drop": True, "latency": 0.05}, (None, "dropped")),
        ({"latency": 0.05}, (200, "ok")),
    ],
    ids=str,
)
def test_requests_has_the_outcome_that_the_client_sees(
    fault: Any, expected: Any, sandbox: Sandbox, client: CMSClient
) -> None:
    """A request with a fault is in `requests` when the call returns."""
    sandbox.fail_next(**fault)
    lead(client, max_retries=0)
    assert [(each.status, each.type) for each in sandbox.requests] == [expected]


def test_requests_has_a_request_whose_client_gave_up(sandbox: Sandbox) -> None:
    """A request without a response, because the client disconnected, has no status."""
    sandbox.fail_next(latency=3600)
    with connect(sandbox) as connection:
        connection.sendall(head(sandbox, "Content-Length: 2") + b"{}")
        connection.shutdown(1)
        assert read_to_end(connection) == b""
    sandbox.fail_next(status=500)
    post(sandbox, LEAD)  # by now, the sandbox has handled the end of the connection
    assert [(each.status, each.type) for each in sandbox.requests] == [
        (None, "disconnected"),
        (500, "internal_server_error"),
    ]


@pytest.mark.parametrize("fault", [{}, {"status": 503, "recorded": True}])
def test_requests_has_a_request_that_was_not_complete(
    fault: dict[str, Any], sandbox: Sandbox
) -> None:
    """A request without a response, because the client disconnected in its body, has no status."""
    if fault:
        sandbox.fail_next(**fault)
    with connect(sandbox) as connection:
        connection.sendall(head(sandbox, "Content-Length: 2") + b"{")
        connection.shutdown(1)
        assert read_to_end(connection) == b""
    post(sandbox, LEAD)  # by now, the sandbox has handled the end of the connection
    assert [(each.status, each.type) for each in sandbox.requests] == [
        (None, "disconnected"),
        (200, "ok"),
    ]


def test_a_reset_forgets_requests_that_have_no_response_yet(sandbox: Sandbox) -> None:
    """The response to a request that arrived before `reset` is not in `requests` after it."""
    with connect(sandbox) as connection:
        connection.settimeout(LONG)
        connection.sendall(head(sandbox, "Expect: 100-continue", "Content-Length: 2"))
        assert connection.recv(1000).startswith(b"HTTP/1.1 100")  # the request has arrived
        sandbox.reset()
        connection.sendall(b"{}")
        assert connection.recv(1000).startswith(b"HTTP/1.1 422")
    assert sandbox.requests == sandbox.refused == []


def test_requests_keeps_the_newest_thousand(sandbox: Sandbox, client: CMSClient) -> None:
    """Only the newest requests are kept, to bound memory, and errors longer than successes."""
    post(sandbox, {})
    for _ in range(MAX_REQUESTS):
        lead(client)
    assert [each.type for each in sandbox.requests] == ["ok"] * MAX_REQUESTS
    assert [refused.status for refused in sandbox.refused] == [422]


def test_requests_has_no_other_paths(sandbox: Sandbox) -> None:
    """A request to a path that is not an operation's is not in `requests`."""
    assert request(sandbox, "GET", "/openapi.json").status == 200
    assert request(sandbox, "GET", "/elsewhere").status == 404
    assert sandbox.requests == []


def test_a_request_is_shown_in_one_line(sandbox: Sandbox, client: CMSClient) -> None:
    """The string of a request has its operation, status, type and message."""
    sandbox.fail_next(drop=True)
    lead(client, max_retries=1)
    assert [str(each) for each in sandbox.requests] == [
        "track_lead dropped: The sandbox dropped the connection (fail_next).",
        "track_lead 200 ok: Lead tracked successfully",
    ]
    assert all(isinstance(each, Received) for each in sandbox.requests)
