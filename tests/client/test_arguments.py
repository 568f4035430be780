"""Arguments of the facade: what is taken, what is refused, and how."""

import logging
import random
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import IntEnum
from typing import Any
from uuid import UUID

import pytest
from pydantic.alias_generators import to_camel

from cutmeshort import CMSClient

from ..support.events import client_of, lead, sale
from ..support.server import Server, reply

LONG = "x" * 256
REFUSED = [
    ("event_name", "", "at least 1 character"),
    ("event_name", LONG, "at most 255 characters"),
    ("event_name", None, "valid string"),
    ("event_name", b"Sign up", "valid string"),
    ("event_name", 7, "valid string"),
    ("event_name", "\ud800", "valid string"),
    ("customer_external_id", "", "at least 1 character"),
    ("customer_external_id", LONG, "at most 255 characters"),
    ("customer_external_id", None, "a str, an int or a UUID"),
    ("customer_external_id", True, "a str, an int or a UUID"),
    ("customer_external_id", 42.0, "a str, an int or a UUID"),
    ("customer_external_id", 10**255, "at most 255 characters"),
    pytest.param("customer_external_id", 10**10_000, "at most 255 digits", id="huge"),
    ("click_id", LONG, "at most 255 characters"),
    ("click_id", 7, "valid string"),
    ("timestamp", "yesterday", "ISO 8601"),
    ("timestamp", "0" * 100, "ISO 8601"),
    ("timestamp", 1767225600, "ISO 8601"),
    ("timestamp", date(2026, 1, 1), "ISO 8601"),
    ("timestamp", time(13, 37), "ISO 8601"),
    ("timestamp", timedelta(1), "ISO 8601"),
]


@pytest.mark.parametrize(("name", "value", "says"), REFUSED)
@pytest.mark.parametrize("track", [lead, sale])
def test_a_refused_argument_is_named(
    track: Any, name: str, value: Any, says: str, nowhere: CMSClient
) -> None:
    """A value that can't be right is refused with its argument's name and what is expected."""
    _assert_refused(track(nowhere, **{name: value}), name, says, value)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("invoice_id", "", "at least 1 character"),
        ("invoice_id", LONG, "at most 255 characters"),
        ("invoice_id", None, "a str, an int or a UUID"),
        ("invoice_id", False, "a str, an int or a UUID"),
        ("amount", 49.99, "4999"),
        ("amount", 50.0, "4999"),
        ("amount", float("nan"), "4999"),
        ("amount", Decimal("49.99"), "4999"),
        ("amount", "4999", "4999"),
        ("amount", True, "4999"),
        ("amount", None, "4999"),
        ("amount", -1, "greater than or equal to 0"),
        ("amount", 2**53, "less than or equal to 9007199254740991"),
        ("amount", 10**1000, "less than or equal to 9007199254740991"),
        ("currency", "", "three letters"),
        ("currency", "US", "three letters"),
        ("currency", "USDT", "three letters"),
        ("currency", "usd\n", "three letters"),
        ("currency", "12€", "three letters"),
        ("currency", None, "valid string"),
    ],
)
def test_a_refused_argument_of_a_sale_is_named(
    name: str, value: Any, says: str, nowhere: CMSClient
) -> None:
    """What only a sale has is checked as well; a float amount is shown the unit."""
    _assert_refused(sale(nowhere, **{name: value}), name, says, value)


@pytest.mark.parametrize(
    ("changes", "name", "says"),
    [
        ({"mode": "deferred", "click_id": None}, "click_id", 'required with mode="deferred"'),
        ({"mode": "deferred", "click_id": ""}, "click_id", 'required with mode="deferred"'),
        ({"mode": "later"}, "mode", "'deferred'"),
        ({"mode": True}, "mode", "'deferred'"),
    ],
)
def test_a_refused_mode_is_named(
    changes: dict[str, Any], name: str, says: str, nowhere: CMSClient
) -> None:
    """Only "deferred" is a mode, and it needs a click."""
    _assert_refused(lead(nowhere, **changes), name, says, None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("timeout", 0),
        ("timeout", -1),
        ("timeout", float("nan")),
        ("timeout", float("inf")),
        ("timeout", "10"),
        ("timeout", True),
        ("max_retries", -1),
        ("max_retries", 1.5),
        ("max_retries", "3"),
        ("max_retries", False),
    ],
)
def test_a_refused_option_is_named(name: str, value: Any, nowhere: CMSClient) -> None:
    """A timeout or number of retries that can't be used is refused like any other argument."""
    result = lead(nowhere, **{name: value})
    assert result["type"] == "validation_error"
    assert result["error"].startswith(f"{name} must be")
    assert result["details"] == [{"field": name, "message": result["error"]}]


def _assert_refused(result: Any, name: str, says: str, value: Any) -> None:
    (detail,) = result["details"]
    assert detail["field"] == name
    assert says in detail["message"]
    assert result == {
        "success": False,
        "error": f"{name}: {detail['message']}",
        "status_code": 422,
        "type": "validation_error",
        "retryable": False,
        "attempts": 0,
        "details": [detail],
    }
    if isinstance(value, str) and len(value) > 3 and value not in says:
        assert value not in result["error"]


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
def test_a_naive_timestamp_is_in_the_warnings(value: Any, naive: bool) -> None:
    """The result says that a timestamp without an offset was taken as UTC."""
    with Server() as server, client_of(server) as client:
        result = lead(client, timestamp=value)
    fields = [warning["field"] for warning in result.get("warnings", [])]
    assert (result["success"], fields) == (True, ["timestamp"] * naive)


def test_several_refused_arguments_are_named_at_once(nowhere: CMSClient) -> None:
    """All that is wrong is said in one result."""
    wrong = {
        "event_name": "",
        "amount": 49.99,
        "currency": "dollars",
        "timeout": 0,
        "max_retries": -1,
    }
    result = sale(nowhere, **wrong)
    assert {detail["field"] for detail in result["details"]} == set(wrong)
    assert all(name in result["error"] for name in wrong)


def test_an_unknown_keyword_is_a_type_error(nowhere: CMSClient) -> None:
    """A misspelt argument is a TypeError, as in any function."""
    with pytest.raises(TypeError, match="custmer_name"):
        lead(nowhere, custmer_name="Ann")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("event_name", "é" * 255),
        ("customer_external_id", "é" * 255),
        ("click_id", "é" * 255),
        ("customer_name", "é" * 255),
        ("customer_email", "é@".ljust(255, "é")),
        ("customer_avatar", "https://é".ljust(2048, "é")),
        ("event_name", "注册 ☃\x00 \U0001f600"),
        ("customer_external_id", "0"),
        ("click_id", "not-a-uuid"),
        ("click_id", None),
        ("customer_email", "a@b"),
        ("customer_email", '"a@b"@example.com'),
        ("customer_email", "ünï@cödé.example"),
        ("customer_avatar", "HTTP://example.com"),
        ("customer_avatar", "https://example.com/a.png?size=1#x"),
    ],
)
def test_what_may_be_right_is_sent(name: str, value: Any) -> None:
    """Nothing is refused, or changed, that the service might take."""
    with Server() as server, client_of(server) as client:
        assert lead(client, **{name: value})["success"] is True
        wire_name = "".join(
            part.title() if index else part for index, part in enumerate(name.split("_"))
        )
        assert server.requests[0].json.get(wire_name) == value


DECORATION = [
    ("customer_name", LONG, "at most 255 characters"),
    ("customer_name", ["Ann"], "valid string"),
    ("customer_name", "\ud800", "valid string"),
    ("customer_email", "ann", "x@y"),
    ("customer_email", "ann lee@example.com", "x@y"),
    ("customer_email", "ann@example.com\n", "x@y"),
    ("customer_email", "@", "x@y"),
    ("customer_email", "a@" + LONG, "at most 255 characters"),
    ("customer_email", 7, "valid string"),
    ("customer_avatar", "example.com/a.png", "http:// or https://"),
    ("customer_avatar", "ftp://example.com", "http:// or https://"),
    ("customer_avatar", "https://", "http:// or https://"),
    ("customer_avatar", "https://example.com/a b", "http:// or https://"),
    ("customer_avatar", "https://" + "x" * 2048, "at most 2048 characters"),
    ("customer_avatar", b"https://example.com", "valid string"),
]


@pytest.mark.parametrize(("name", "value", "says"), DECORATION)
@pytest.mark.parametrize("track", [lead, sale])
def test_invalid_decoration_costs_no_conversion(
    track: Any, name: str, value: Any, says: str
) -> None:
    """A name, address or avatar that breaks its rule is left out, and the result says so."""
    with Server() as server, client_of(server) as client:
        result = track(client, **{name: value})
        (warning,) = result["warnings"]
        assert result["success"] is True
        assert warning["field"] == name
        assert warning["message"].startswith("Left out of the event: ")
        assert says in warning["message"]
        without = track(client)
        assert "warnings" not in without
        first, second = server.requests
        assert first.json == second.json


def test_decoration_is_not_among_what_is_refused(nowhere: CMSClient) -> None:
    """An event that is refused for another argument lists its decoration in `warnings`."""
    result = lead(nowhere, event_name="", customer_email="x", customer_name=LONG)
    assert [detail["field"] for detail in result["details"]] == ["event_name"]
    fields = [warning["field"] for warning in result["warnings"]]
    assert sorted(fields) == ["customer_email", "customer_name"]
    assert "customer" not in result["error"]


@pytest.mark.parametrize(
    "name", ["click_id", "customer_name", "customer_email", "customer_avatar", "timestamp", "mode"]
)
@pytest.mark.parametrize("empty", ["", None, type("Text", (str,), {})()])
def test_an_empty_optional_argument_is_not_set(name: str, empty: Any) -> None:
    """`""` and `None` in an optional argument are not sent, and no reason for a warning."""
    with Server() as server, client_of(server) as client:
        for track in (lead, sale) if name != "mode" else (lead,):
            result = track(client, **{name: empty})
            assert result["success"] is True
            assert "warnings" not in result
        assert not any(to_camel(name) in request.json for request in server.requests)


class _Claim:
    """An object that claims to be of another class, like a lazy one."""

    def __init__(self, claimed: type) -> None:
        self._claimed = claimed

    @property
    def __class__(self) -> Any:
        return self._claimed


class _BadText(str):
    def __len__(self) -> int:
        raise RuntimeError("secret")


class _BadTime(datetime):
    def __str__(self) -> str:
        raise RuntimeError("secret")

    isoformat = __str__  # type: ignore[assignment]


def test_an_object_that_claims_another_class_is_refused_like_any_other(nowhere: CMSClient) -> None:
    """What isn't a text or a number is a `validation_error`, or left out where it may be."""
    result = lead(nowhere, customer_external_id=_Claim(int), click_id=_Claim(str))
    assert result["type"] == "validation_error"
    fields = {detail["field"] for detail in result["details"]}
    assert fields == {"customer_external_id", "click_id"}
    result = lead(nowhere, timestamp=_BadText("2026-01-31"))
    assert [detail["field"] for detail in result["details"]] == ["timestamp"]


def test_decoration_that_fails_when_it_is_read_costs_no_conversion() -> None:
    """It is left out, whatever its methods do, or sent as the text that it is."""
    values: list[Any] = [_Claim(str), _BadText("Ann"), object()]
    with Server() as server, client_of(server) as client:
        for value in values:
            assert lead(client, customer_name=value, customer_email=value)["success"] is True
        assert len(server.requests) == len(values)


def test_a_time_that_can_not_be_shown_does_not_fail_after_it_was_sent() -> None:
    """What is compared with a response is what was sent, and not the application's object."""
    when = _BadTime(2026, 1, 31, tzinfo=timezone.utc)
    step = reply(json={"requestId": "req_1"})
    with Server(step) as server, client_of(server) as client:
        assert lead(client, timestamp=when)["request_id"] == "req_1"
        assert server.requests[0].json["timestamp"] == "2026-01-31T00:00:00Z"


class _Number(IntEnum):
    SEVEN = 7


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (42, "42"),
        (0, "0"),
        (-1, "-1"),
        (10**200, "1" + "0" * 200),
        (_Number.SEVEN, "7"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ("007", "007"),
    ],
)
def test_an_id_may_be_a_primary_key(value: Any, sent: str) -> None:
    """Ids are sent as text: an int in digits, a UUID in its usual form."""
    with Server() as server, client_of(server) as client:
        assert lead(client, customer_external_id=value)["success"] is True
        assert sale(client, customer_external_id=value, invoice_id=value)["success"] is True
        ids = [(r.json["customerExternalId"], r.json.get("invoiceId")) for r in server.requests]
        assert ids == [(sent, None), (sent, sent)]


class _NoOffset(tzinfo):
    def utcoffset(self, _: Any) -> Any:
        raise RuntimeError("secret")


class _Odd(datetime):
    """A datetime of somebody else's."""


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
        (_Odd(2026, 1, 31), "2026-01-31T00:00:00Z"),
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
def test_a_timestamp_is_sent_with_its_offset(value: Any, sent: Any) -> None:
    """Timestamps keep their offset; naive ones are UTC; what ISO 8601 can't express is refused."""
    with Server() as server, client_of(server) as client:
        result = lead(client, timestamp=value)
        assert result["success"] is (sent is not None)
        assert [request.json["timestamp"] for request in server.requests] == (
            [sent] if sent else []
        )


class _Path(str):
    """A path that can't be joined: a bug, as far as the SDK is concerned."""

    def __add__(self, _: Any) -> Any:
        raise LookupError(self)


class _FailingHandler(logging.Handler):
    """A handler of the application's own, with a bug of its own."""

    def emit(self, record: logging.LogRecord) -> None:
        raise RuntimeError(record)


def test_a_log_handler_that_fails_does_not_reach_the_application() -> None:
    """What an application does with the SDK's log can't make a call raise."""
    log, handler = logging.getLogger("cutmeshort"), _FailingHandler()
    log.addHandler(handler)
    with Server() as server, client_of(server) as client:
        client.api_client._base = _Path("secret")
        assert lead(client)["type"] == "internal_error"
    log.removeHandler(handler)


def test_a_bug_of_the_sdk_is_an_internal_error(caplog: pytest.LogCaptureFixture) -> None:
    """What isn't foreseen is logged with its frames, without its text, and returned."""
    with Server() as server, client_of(server) as client, caplog.at_level(logging.DEBUG):
        client.api_client._base = _Path("se" + "cret")
        assert lead(client) == {
            "success": False,
            "error": "The SDK failed (LookupError); its log has the details.",
            "status_code": 0,
            "type": "internal_error",
            "retryable": True,
            "attempts": 0,
        }
    assert "LookupError in a tracking call" in caplog.text
    assert "api_client.py" in caplog.text
    assert "secret" not in caplog.text


class _ApplicationError(Exception):
    """An exception of the application's own."""


class _FailingNumber(int):
    """A number of the application's own, with a bug of its own."""

    def __gt__(self, _: object) -> bool:
        raise _ApplicationError


def test_an_argument_that_fails_does_not_reach_the_application() -> None:
    """Only while a request is under way can an exception be a signal handler's."""
    with Server() as server, client_of(server) as client:
        result = lead(client, timeout=_FailingNumber(5))
        assert (result["type"], result["retryable"]) == ("internal_error", False)
        assert not server.requests


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
def test_an_interruption_passes(
    interruption: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C and sys.exit are not swallowed."""

    def interrupt() -> float:
        raise interruption

    monkeypatch.setattr(random, "random", interrupt)
    with Server(reply(503)) as server, client_of(server) as client, pytest.raises(interruption):
        lead(client)
