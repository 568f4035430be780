"""Timestamps: how the client sends them, and the warning about one without an offset."""

import threading
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any

import pytest
from dateutil import tz

from cutmeshort.models import read_timestamp
from cutmeshort.operations import Operation

from ..support.events import client_of, lead
from ..support.failing_objects import DatetimeWithoutFormat
from ..support.operations import each_operation, track
from ..support.server import Server, respond
from ..support.timing import LONG


@each_operation
@pytest.mark.parametrize(
    ("value", "naive"),
    [
        (datetime(2026, 1, 31, 12), True),
        (datetime(2026, 1, 31, 12, tzinfo=timezone.utc), False),
        ("2026-01-31T12:00:00", True),
        ("2026-01-31", True),
        ("2026-01-31T12:00:00Z", False),
        ("2026-01-31T12:00:00+02:00", False),
    ],
)
def test_a_naive_timestamp_is_in_the_warnings(
    operation: Operation, value: Any, naive: bool
) -> None:
    """The result warns that the client takes a timestamp without an offset as UTC."""
    with Server() as server, client_of(server) as client:
        result = track(client, operation, timestamp=value)
    fields = [warning["field"] for warning in result.get("warnings", [])]
    assert (result["success"], fields) == (True, ["timestamp"] * naive)


def test_a_datetime_that_can_not_be_formatted_is_sent() -> None:
    """The client compares a response with the data that it sent, not with the arguments."""
    when = DatetimeWithoutFormat(2026, 1, 31, tzinfo=timezone.utc)
    step = respond(json={"requestId": "req_1"})
    with Server(step) as server, client_of(server) as client:
        assert lead(client, timestamp=when)["request_id"] == "req_1"
        assert server.requests[0].json["timestamp"] == "2026-01-31T00:00:00Z"


class _NoOffset(tzinfo):
    def utcoffset(self, _: Any) -> Any:
        raise RuntimeError("secret")


class _DatetimeSubclass(datetime):
    """A subclass of datetime."""


@each_operation
@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (datetime(2026, 1, 31, 12, 0), "2026-01-31T12:00:00Z"),
        (datetime(2026, 1, 31, 12, 0, 0, 5), "2026-01-31T12:00:00.000005Z"),
        (datetime(2026, 1, 31, 12, 0, tzinfo=timezone.utc), "2026-01-31T12:00:00Z"),
        (
            datetime(2026, 1, 31, 12, 0, tzinfo=timezone(timedelta(hours=5, minutes=30))),
            "2026-01-31T12:00:00+05:30",
        ),
        (
            datetime(1890, 1, 1, tzinfo=timezone(timedelta(minutes=19, seconds=32))),
            "1889-12-31T23:40:28Z",
        ),
        (_DatetimeSubclass(2026, 1, 31), "2026-01-31T00:00:00Z"),
        (datetime(1, 1, 1), "0001-01-01T00:00:00Z"),
        (datetime(9999, 12, 31, 23, 59, 59), "9999-12-31T23:59:59Z"),
        ("2026-01-31", "2026-01-31T00:00:00Z"),
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"),
        ("2026-01-31 12:00:00-08:00", "2026-01-31T12:00:00-08:00"),
        ("20260131T120000+0100", "2026-01-31T12:00:00+01:00"),
        (datetime(2026, 1, 1, tzinfo=_NoOffset()), None),
        (datetime(1, 1, 1, tzinfo=timezone(timedelta(minutes=19, seconds=32))), None),
    ],
)
def test_a_timestamp_is_sent_with_its_offset(operation: Operation, value: Any, sent: Any) -> None:
    """The client keeps offsets, takes naive times as UTC, and rejects what ISO can't express."""
    with Server() as server, client_of(server) as client:
        result = track(client, operation, timestamp=value)
        assert result["success"] is (sent is not None)
        assert [request.json["timestamp"] for request in server.requests] == (
            [sent] if sent else []
        )


def test_an_offset_needs_no_lock_of_dateutil() -> None:
    """A timestamp with an offset is read even if a fork has left dateutil's lock locked."""
    read: list[Any] = []
    lock = tz.tzoffset._cache_lock  # pyright: ignore[reportAttributeAccessIssue]
    with lock:
        text = "2026-01-31T12:00:00+05:30"
        thread = threading.Thread(target=lambda: read.append(read_timestamp(text)), daemon=True)
        thread.start()
        thread.join(LONG)
    assert read[0].value.isoformat() == text
