"""Which requests are attempts of one call."""

from dataclasses import replace
from datetime import timedelta
from typing import Optional

import pytest

from cutmeshort.operations import TRACK_LEAD, TRACK_SALE
from cutmeshort.sandbox.state.exchanges import MAX_REQUESTS, Body, Exchange
from cutmeshort.sandbox.view.attempts import Attempts

from .test_chains import START

BODY = b'{"eventName": "Sign up"}'


def _exchange(
    id: str,
    status: Optional[int],
    second: float = 0.0,
    *,
    body: bytes = BODY,
    sale: bool = False,
    replay_of: Optional[str] = None,
    size: Optional[int] = None,
) -> Exchange:
    return Exchange(
        id,
        TRACK_SALE if sale else TRACK_LEAD,
        "POST",
        (),
        START + timedelta(seconds=second),
        Body(body, len(body) if size is None else size),
        ended=START + timedelta(seconds=second + 1),
        status=status,
        replay_of=replay_of,
    )


def _places(*exchanges: Exchange) -> list[tuple[str, int]]:
    attempts = Attempts()
    return [tuple(attempts.add(exchange)) for exchange in exchanges]


def test_the_attempts_of_a_call_are_numbered() -> None:
    """Requests with the same body are attempts of one call until one of them is not retried."""
    assert _places(
        _exchange("a", 503),
        _exchange("other", 503, 1, body=b"{}"),
        _exchange("b", None, 2),
        _exchange("c", 429, 3),
        _exchange("d", 200, 4),
        _exchange("e", 200, 5),
    ) == [("a", 1), ("other", 1), ("a", 2), ("a", 3), ("a", 4), ("e", 1)]


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 529, None])
def test_an_attempt_follows_a_failure_that_is_retried(status: Optional[int]) -> None:
    """A request after a failure that the SDK retries is the second attempt."""
    assert _places(_exchange("a", status), _exchange("b", 200, 2))[1] == ("a", 2)


def test_an_attempt_follows_a_response_for_which_the_sdk_did_not_wait() -> None:
    """A response that takes as long as the SDK waits for one may come too late."""
    late = replace(_exchange("a", 200), seconds=5.0)
    assert _places(late, _exchange("b", 200, 6))[1] == ("a", 2)


@pytest.mark.parametrize("status", [200, 204, 302, 400, 401, 409, 422, 501, 505])
def test_a_call_ends_with_a_response_that_is_not_retried(status: int) -> None:
    """A request after a response that the SDK does not retry belongs to another call."""
    assert _places(_exchange("a", status), _exchange("b", 200, 2))[1] == ("b", 1)


@pytest.mark.parametrize(
    "second",
    [
        _exchange("b", 200, 61.5),
        _exchange("b", 200, 2, sale=True),
        _exchange("b", 200, 2, body=b"{}"),
        _exchange("b", 200, 2, replay_of="a"),
    ],
    ids=["later", "another path", "another body", "a replay"],
)
def test_another_request_is_not_an_attempt(second: Exchange) -> None:
    """A request with other bytes, after a minute, or from the page belongs to another call."""
    assert _places(_exchange("a", 503), second)[1] == ("b", 1)


@pytest.mark.parametrize(
    ("body", "size"), [(b"", 0), (BODY, 100_000)], ids=["no body", "a truncated body"]
)
def test_requests_with_an_unknown_body_are_not_attempts(body: bytes, size: int) -> None:
    """Requests whose bodies the sandbox can't compare are separate calls."""
    first, second = _exchange("a", 503, body=body, size=size), _exchange("b", 200, 2, body=body)
    assert _places(first, second)[1] == ("b", 1)


def test_only_the_newest_failures_are_kept() -> None:
    """The failed requests that may be retried are limited in number; the oldest is forgotten."""
    failed = [_exchange(str(n), 503, body=b"%d" % n) for n in range(MAX_REQUESTS + 1)]
    again = [_exchange("a", 200, 2, body=b"1"), _exchange("b", 200, 2, body=b"0")]
    assert _places(*failed, *again)[-2:] == [("1", 2), ("b", 1)]
