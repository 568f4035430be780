"""The form of an operation that returns urllib3's response with an unread body."""

import gzip

import pytest

from cutmeshort import (
    ApiClient,
    ApiException,
    Configuration,
    RequestOptions,
    TrackingApi,
)

from ..support.api import LEAD, api_of
from ..support.events import PAYLOAD, TOKEN
from ..support.faults import BOMB
from ..support.server import Server, raw, respond


def test_the_timeouts_apply_to_an_unread_response() -> None:
    """The timeouts of a call also apply to the form that returns an unread response."""
    step = raw([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", b"{}"], every=0.3)
    options: RequestOptions = {"_request_timeout": 0.1, "_max_retries": 0}
    with (
        Server(step) as server,
        ApiClient(Configuration(server.url, TOKEN)) as api_client,
        pytest.raises(ApiException) as caught,
    ):
        TrackingApi(api_client).track_lead_without_preload_content(PAYLOAD, **options)
    assert caught.value.type == "timeout"


def test_an_unread_response_has_any_status() -> None:
    """The form for unread responses retries like the others, and returns any status."""
    steps = [respond(503, headers={"Retry-After": "0"}), respond(422, "not JSON")]
    with Server(*steps) as server:
        api = api_of(server)
        with api.api_client:
            response = api.track_lead_without_preload_content(LEAD)
            assert (response.status, response.read()) == (422, b"not JSON")
        assert len(server.requests) == 2


def test_an_unread_response_can_be_read_after_another_call() -> None:
    """An unread response can be read after another call has used its connection."""
    with Server(respond(json={"message": "One"}), respond(json={"message": "Two"})) as server:
        api = api_of(server)
        with api.api_client:
            unread = api.track_lead_without_preload_content(LEAD)
            assert api.track_lead(LEAD).message == "Two"
            assert unread.json() == {"message": "One"}
            assert b"".join(unread.stream()) == b""
    assert server.connections == 1


@pytest.mark.parametrize("status", [200, 422])
@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (BOMB, "gzip"),
        (b"not zipped", "gzip"),
        (b"{}", "unknown"),
        (b"0" * (2**20 + 1), "identity"),
    ],
    ids=["bomb", "not gzip", "unknown", "large"],
)
def test_an_unread_response_has_the_same_limits(body: bytes, coding: str, status: int) -> None:
    """A body above 1 MiB, or one that can't be decompressed, is an exception with the status."""
    step = respond(status, body, {"Content-Encoding": coding})
    with Server(step) as server:
        api = api_of(server)
        with api.api_client, pytest.raises(ApiException) as caught:
            api.track_lead_without_preload_content(LEAD)
    expected = "invalid_response" if status == 200 else "unprocessable_entity"
    assert (caught.value.type, caught.value.status) == (expected, status)


@pytest.mark.parametrize("coding", ["gzip", "identity"])
def test_an_unread_response_is_decompressed(coding: str) -> None:
    """Each method that reads an unread response returns the whole decompressed body, once."""
    body = b'{"message": "%s"}' % (b"x" * 100_000)
    sent = gzip.compress(body) if coding == "gzip" else body
    with Server(respond(200, sent, {"Content-Encoding": coding, "X-Trace": "1"})) as server:
        api = api_of(server)
        with api.api_client:
            responses = [api.track_lead_without_preload_content(LEAD) for _ in range(4)]
    first, second, third, fourth = responses
    assert (first.status, first.reason, first.headers["x-trace"]) == (200, "Reason", "1")
    assert first.data == body
    assert (second.read(10), second.read()) == (body[:10], body[10:])
    assert b"".join(third.stream(1000)) == body
    assert len(fourth.json()["message"]) == 100_000
