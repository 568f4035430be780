"""The decision whether and when to retry, and the parsing of Retry-After."""

from typing import Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutmeshort.retry import next_wait, parse_retry_after

NOW = 784_111_777.0  # Sun, 06 Nov 1994 08:49:37 GMT


@pytest.mark.parametrize(
    ("attempt", "remaining", "jitter", "retry_after", "expected"),
    [
        (1, 10, 1.0, None, 0.5),
        (2, 10, 1.0, None, 1.0),
        (3, 10, 1.0, None, 2.0),
        (3, 10, 0.25, None, 0.5),
        (3, 10, 0.0, None, 0.0),
        (4, 10, 0.5, None, None),
        (1, 0.5, 1.0, None, None),
        (1, 0.51, 1.0, None, 0.5),
        (1, 10, 0.5, 0.0, 0.0),
        (1, 10, 0.5, 7.0, 7.0),
        (1, 10, 0.5, 10.0, None),
        (1, 10, 0.5, 99999.0, None),
        (4, 10, 0.5, 1.0, None),
    ],
)
def test_the_wait_before_a_retry(
    attempt: int,
    remaining: float,
    jitter: float,
    retry_after: Optional[float],
    expected: Optional[float],
) -> None:
    """The wait doubles from 0.5 s or follows Retry-After, and is None if the call gives up."""
    wait = next_wait(attempt, 3, remaining=remaining, jitter=jitter, retry_after=retry_after)
    assert wait == expected


@given(
    attempt=st.integers(1, 10**9),
    retries=st.integers(0, 10**9),
    remaining=st.floats(-10, 10**5),
    jitter=st.floats(0, 1, exclude_max=True),
    retry_after=st.none() | st.floats(0, allow_infinity=False),
)
def test_a_wait_always_ends_before_the_deadline(
    attempt: int, retries: int, remaining: float, jitter: float, retry_after: Optional[float]
) -> None:
    """A wait is 0 or more, ends before the deadline, and has at most 8 s of back-off."""
    wait = next_wait(attempt, retries, remaining=remaining, jitter=jitter, retry_after=retry_after)
    if wait is not None:
        assert attempt <= retries
        assert 0 <= wait < remaining
        assert wait <= 8 or wait == retry_after


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("", None),
        ("0", 0.0),
        ("120", 120.0),
        (" 120 ", 120.0),
        ("1.5", 1.5),
        ("-5", None),
        ("1e3", None),
        ("inf", None),
        ("nan", None),
        ("9" * 400, 1e9),
        ("soon", None),
        ("Sun, 06 Nov 1994 08:49:47 GMT", 10.0),
        ("Sunday, 06-Nov-94 08:49:47 GMT", 10.0),
        ("Sun Nov  6 08:49:47 1994", 10.0),
        ("Sun, 06 Nov 1994 08:49:47 -0000", 10.0),
        ("Sun, 06 Nov 1994 09:49:47 +0100", 10.0),
        ("Sun, 06 Nov 1994 08:49:27 GMT", 0.0),
        ("Sun, 06 Nov 9999 08:49:27 GMT", 1e9),
        ("Sun, 06 Nov 99999999 08:49:47 GMT", None),
    ],
)
def test_retry_after(value: Optional[str], expected: Optional[float]) -> None:
    """Retry-After is a number of seconds or an HTTP date, and any other value is ignored."""
    assert parse_retry_after(value, NOW) == expected


@given(st.text())
def test_any_retry_after_can_be_parsed(value: str) -> None:
    """Parsing Retry-After never fails, whatever string the server sends."""
    seconds = parse_retry_after(value, NOW)
    assert seconds is None or 0 <= seconds <= 1e9
