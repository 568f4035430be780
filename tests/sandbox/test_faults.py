"""Faults that `fail_next` injects."""

import socket
from contextlib import suppress
from typing import Any

import pytest
import urllib3

from cutmeshort import ApiValueError, CMSClient
from cutmeshort.sandbox import Sandbox

from ..support.events import lead, sale
from ..support.timing import wait_until
from .helpers import pending, post, request


@pytest.mark.parametrize(
    ("fault", "result", "recorded"),
    [
        ({"status": 503}, "service_unavailable", False),
        ({"status": 503, "recorded": True}, "service_unavailable", True),
        ({"status": 422}, "unprocessable_entity", False),
        ({"status": 304}, "redirect", False),
        ({"drop": True}, "network_error", False),
        ({"drop": True, "recorded": True}, "network_error", True),
        ({"latency": 0.05}, "success", True),
        ({"latency": 0.05, "drop": True}, "network_error", False),
        ({"latency": 0.05, "status": 500}, "internal_server_error", False),
    ],
    ids=str,
)
def test_the_next_request_gets_the_fault(
    fault: Any,
    result: str,
    recorded: bool,
    sandbox: Sandbox,
    client: CMSClient,
    log: pytest.LogCaptureFixture,
) -> None:
    """The next request fails, recorded or not as specified, and the request after it succeeds."""
    sandbox.fail_next(**fault)
    assert sale(client, max_retries=0).get("type", "success") == result
    assert len(sandbox.sales) == recorded
    assert sale(client, max_retries=0)["success"] is True
    assert len(sandbox.sales) == 1
    assert {record.name for record in log.records} <= {"cutmeshort"}


@pytest.mark.parametrize("fault", [{}, {"status": 500}], ids=str)
def test_a_response_can_be_late(fault: Any, sandbox: Sandbox, client: CMSClient) -> None:
    """A client gets no response until the latency has passed; the event is recorded or not."""
    sandbox.fail_next(latency=3600, **fault)
    with pending(sandbox) as connection:
        wait_until(lambda: len(sandbox.leads) == (not fault))
        connection.settimeout(0.1)
        with pytest.raises(socket.timeout):
            connection.recv(1)
    assert lead(client, max_retries=0)["success"] is True
    assert len(sandbox.leads) == 1


def test_faults_are_queued(sandbox: Sandbox, client: CMSClient) -> None:
    """A fault applies to `times` requests, a further call adds to them, and `reset` clears all."""
    sandbox.fail_next(2, status=500)
    sandbox.fail_next(status=429, retry_after=7)
    results = [lead(client, max_retries=0) for _ in range(4)]
    assert [result.get("status_code") for result in results] == [500, 500, 429, None]
    assert results[2]["retry_after"] == 7
    sandbox.fail_next(99, drop=True)
    sandbox.reset()
    assert lead(client, max_retries=0)["success"] is True


def test_only_requests_to_operations_get_faults(sandbox: Sandbox) -> None:
    """A fault stays pending while requests to other paths are served."""
    sandbox.fail_next(drop=True)
    assert request(sandbox, "GET", "/openapi.json").status == 200
    assert post(sandbox, {}, "/openapi.json").status == 405
    assert post(sandbox, {}, "/track/lead/").status == 404
    with pytest.raises(urllib3.exceptions.ProtocolError):
        post(sandbox, {}, retries=False)


def test_a_fault_has_the_format_of_other_errors() -> None:
    """The response with the `status` of a fault has the format of `error_response`."""
    with Sandbox(error_response="html") as sandbox:
        sandbox.fail_next(status=503)
        response = post(sandbox, {})
        assert (response.status, response.headers["Content-Type"][:9]) == (503, "text/html")


@pytest.mark.parametrize(
    ("fault", "argument"),
    [
        ({}, "status"),
        ({"status": 503, "drop": True}, "status"),
        ({"status": 200}, "status"),
        ({"status": "503"}, "status"),
        ({"latency": -1}, "latency"),
        ({"latency": "1"}, "latency"),
        ({"drop": "no"}, "drop"),
        ({"drop": True, "recorded": 1}, "recorded"),
        ({"latency": 1, "recorded": False}, "recorded"),
        ({"drop": True, "retry_after": 1}, "retry_after"),
        ({"status": 503, "retry_after": 1.5}, "retry_after"),
        ({"status": 503, "times": 0}, "times"),
        ({"status": 503, "times": True}, "times"),
    ],
    ids=str,
)
def test_an_invalid_fault_is_an_error(
    fault: Any, argument: str, sandbox: Sandbox, client: CMSClient
) -> None:
    """`fail_next` raises an error that names the invalid argument, and injects no fault."""
    with pytest.raises(ApiValueError) as caught:
        sandbox.fail_next(**fault)
    assert caught.value.argument == argument
    assert lead(client, max_retries=0)["success"] is True


def test_an_outage_lasts_until_its_block_ends(sandbox: Sandbox, client: CMSClient) -> None:
    """All requests of the block fail, except for faults of `fail_next`, and no event is lost."""
    sale(client, invoice_id="before")
    with sandbox.outage():
        sandbox.fail_next(status=429)
        results = [sale(client, max_retries=0) for _ in range(3)]
    assert [result.get("status_code") for result in results] == [429, 503, 503]
    assert sale(client, max_retries=0)["success"] is True
    with suppress(LookupError), sandbox.outage(status=500):
        assert sale(client, max_retries=0).get("status_code") == 500
        raise LookupError
    assert sale(client, max_retries=0)["success"] is True
    assert [recorded.invoice_id for recorded in sandbox.sales] == ["before", "inv_1"]


def test_an_outage_within_another_ends_first(sandbox: Sandbox, client: CMSClient) -> None:
    """The status of the inner block applies until it ends, then that of the outer one."""
    statuses = []
    with sandbox.outage():
        with sandbox.outage(status=500):
            statuses.append(sale(client, max_retries=0).get("status_code"))
        statuses.append(sale(client, max_retries=0).get("status_code"))
    assert statuses == [500, 503]


def test_an_outage_needs_an_error_status(sandbox: Sandbox) -> None:
    """A status that is not an error is rejected."""
    with pytest.raises(ApiValueError, match="status"), sandbox.outage(status=200):
        pass
