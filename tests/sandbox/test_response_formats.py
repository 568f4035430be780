"""The formats of the sandbox's responses, and the ids in them."""

import re
from typing import Any

import pytest
from typing_extensions import get_args

from cutmeshort import CMSClient
from cutmeshort.sandbox import Sandbox
from cutmeshort.sandbox.http.bodies import MAX_BODY_BYTES
from cutmeshort.sandbox.http.response_formats import (
    ERRORS,
    REJECTIONS,
    SUCCESSES,
)
from cutmeshort.sandbox.state.settings import (
    ErrorFormat,
    ResponseFormat,
)

from ..support.events import lead, sale
from .helpers import LEAD, post, request

REQUEST_ID = re.compile(r"req_[0-9a-f]{12}")


@pytest.mark.parametrize(
    "format", ["message", "timestamp", "status_text", "status_ok", "flat", "empty"]
)
def test_each_format_of_success_is_a_success(format: Any) -> None:
    """The SDK reports a success in each of these formats, and the sandbox records the event."""
    with Sandbox(response=format) as sandbox, CMSClient(sandbox.token, sandbox.url) as client:
        assert lead(client)["success"] is sale(client)["success"] is True
        assert (len(sandbox.leads), len(sandbox.sales)) == (1, 1)


@pytest.mark.parametrize(
    ("format", "error_type"),
    [
        ("success_false", "api_error"),
        ("status_false", "api_error"),
        ("status_error", "api_error"),
        ("html", "invalid_response"),
        ("list", "invalid_response"),
    ],
)
def test_each_format_of_rejection_is_an_error(format: Any, error_type: str) -> None:
    """The SDK reports an error with status 200 in each format; the sandbox records no event."""
    with Sandbox(response=format) as sandbox, CMSClient(sandbox.token, sandbox.url) as client:
        result = lead(client)
        assert result["success"] is False
        assert (result["type"], result["status_code"]) == (error_type, 200)
        assert not sandbox.leads


@pytest.mark.parametrize("format", ["envelope", "message", "code", "html", "empty"])
def test_each_format_of_error_has_its_status(format: Any) -> None:
    """The SDK reports the status in each format of error, and the message if there is one."""
    with Sandbox(error_response=format) as sandbox, CMSClient("wrong", sandbox.url) as client:
        result = lead(client)
        assert (result["status_code"], result["type"]) == (401, "unauthorized")
        has_message = format in ("envelope", "message", "code")
        expected = "missing or invalid" if has_message else "rejected the token"
        assert expected in result["error"]


@pytest.mark.parametrize("status", [301, 403, 500, 503])
def test_error_status_rejects_every_event(status: int) -> None:
    """With `error_status`, the sandbox rejects every event with this status."""
    with Sandbox(error_status=status) as sandbox:
        with CMSClient(sandbox.token, sandbox.url, max_retries=0) as client:
            result = sale(client)
            assert (result["status_code"], result["retryable"]) == (status, status >= 500)
        assert not sandbox.sales


def test_the_types_list_every_format() -> None:
    """The types of `response` and `error_response` contain exactly the implemented formats."""
    assert get_args(ResponseFormat) == (*SUCCESSES, *REJECTIONS)
    assert get_args(ErrorFormat) == tuple(ERRORS)


@pytest.mark.parametrize("format", get_args(ResponseFormat))
def test_each_response_has_a_request_id(format: Any) -> None:
    """Each response has its own id in a header, and in the body if the format is `flat`."""
    with Sandbox(response=format) as sandbox:
        responses = [post(sandbox, LEAD) for _ in range(3)]
    ids = [response.headers["X-Request-Id"] for response in responses]
    assert all(REQUEST_ID.fullmatch(request_id) for request_id in ids)
    assert len(set(ids)) == 3
    if format == "flat":
        assert [response.json()["requestId"] for response in responses] == ids


@pytest.mark.parametrize("format", get_args(ErrorFormat))
def test_each_error_has_a_request_id(format: Any) -> None:
    """Each error response has its own id in a header, and in the body if the format is `code`."""
    with Sandbox(error_response=format, rate_limit=3) as sandbox:
        sandbox.fail_next(status=503)
        sandbox.fail_next(status=503, recorded=True)
        sandbox.fail_next(latency=0.01)
        large = b" " * (MAX_BODY_BYTES + 1)
        responses = [post(sandbox, body, retries=False) for body in ({}, {}, {}, large, {})]
        responses.append(post(sandbox, {}, Authorization="Bearer wrong"))
        responses.append(request(sandbox, "GET", "/track/sale"))
    assert [response.status for response in responses] == [503, 503, 422, 413, 429, 401, 405]
    ids = [response.headers["X-Request-Id"] for response in responses]
    assert all(REQUEST_ID.fullmatch(request_id) for request_id in ids)
    assert len(set(ids)) == len(ids)
    if format == "code":
        assert [response.json()["requestId"] for response in responses] == ids
