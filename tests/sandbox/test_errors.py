"""Requests that the sandbox rejects before it looks at the event."""

import pytest

from cutmeshort import CMSClient
from cutmeshort.sandbox import Sandbox
from cutmeshort.sandbox.http.bodies import MAX_BODY_BYTES
from cutmeshort.sandbox.state.rate_limit import RateLimit
from cutmeshort.sandbox.state.refusal import Refusal

from ..support.events import sale
from .helpers import post, request


def test_the_token_is_checked_first(sandbox: Sandbox) -> None:
    """The sandbox rejects a request without the token with 401, even if its JSON is not valid."""
    for token in ("", "Bearer", "Bearer wrong", f"bearer {sandbox.token}", "Bearer \xff"):
        response = post(sandbox, b"{", Authorization=token)
        assert response.status == 401
        assert response.json()["type"] == "unauthorized"


@pytest.mark.parametrize(
    ("body", "content_type", "status", "message"),
    [
        (b"", "application/json", 400, "JSON object"),
        (b"{", "application/json", 400, "JSON object"),
        (b"[]", "application/json", 400, "JSON object"),
        (b"\xff", "application/json", 400, "JSON object"),
        (b"{}", "text/plain", 400, "Content-Type"),
        (b"{}", "Application/JSON; charset=utf-8", 422, "eventName: Field required"),
        (b'{"\\ud800": "x"}', "application/json", 400, "JSON object"),
        (b'{"event_name": "x"}', "application/json", 422, "Unknown fields: event_name"),
        (b'{"eventName": 7, "customerExternalId": ""}', "application/json", 422, "valid string"),
    ],
)
def test_json_and_fields_are_checked(
    body: bytes, content_type: str, status: int, message: str, sandbox: Sandbox
) -> None:
    """Invalid JSON gets a 400 and an invalid field a 422, in the service's envelope."""
    response = post(sandbox, body, **{"Content-Type": content_type})
    assert response.status == status
    envelope = response.json()
    assert set(envelope) - {"details"} == {"success", "error", "type", "statusCode"}
    assert message in envelope["error"]
    for detail in envelope.get("details", []):
        assert set(detail) == {"field", "message"}


def test_errors_on_other_paths_and_methods_have_the_envelope(sandbox: Sandbox) -> None:
    """404 and 405 have the service's envelope instead of FastAPI's own body."""
    for path in ("/elsewhere", "/track/lead/"):
        assert post(sandbox, {}, path).json()["statusCode"] == 404
    response = request(sandbox, "GET", "/track/lead")
    assert (response.status, response.json()["success"]) == (405, False)
    assert response.headers["Allow"] == "POST"


def test_token_and_rate_limit_are_checked_before_the_size() -> None:
    """The sandbox checks the token and the rate limit before the size of the body."""
    large = b" " * (MAX_BODY_BYTES + 1)
    with Sandbox(rate_limit=1) as sandbox:
        assert post(sandbox, large, Authorization="Bearer wrong").status == 401
        assert post(sandbox, large).status == 413
        assert post(sandbox, large).status == 429


def test_requests_above_the_rate_limit_are_rejected() -> None:
    """The sandbox rejects a request above the limit with 429 and a Retry-After."""
    with Sandbox(rate_limit=2) as sandbox, CMSClient(sandbox.token, sandbox.url) as client:
        assert [sale(client, invoice_id=str(n))["success"] for n in range(2)] == [True, True]
        result = sale(client, invoice_id="2")
        assert result["type"] == "rate_limit_exceeded"
        assert 50 < result["retry_after"] <= 60
        assert len(sandbox.sales) == 2


def test_reset_restarts_the_rate_limit() -> None:
    """After `reset`, the sandbox accepts as many requests as the limit again, and no more."""
    with Sandbox(rate_limit=2) as sandbox:
        for _ in range(2):
            assert [post(sandbox, {}).status for _ in range(3)] == [422, 422, 429]
            sandbox.reset()


def test_the_rate_limit_is_per_minute() -> None:
    """Only requests of the last 60 seconds count, and Retry-After has the seconds to wait."""
    limit = RateLimit(2)
    limit.check(100.0)
    limit.check(130.5)
    with pytest.raises(Refusal) as caught:
        limit.check(131.0)
    assert (caught.value.status, caught.value.headers) == (429, {"Retry-After": "29"})
    limit.check(160.0)
    with pytest.raises(Refusal) as caught:
        limit.check(160.0)
    assert caught.value.headers == {"Retry-After": "31"}
