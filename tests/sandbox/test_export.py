"""Export and import of everything as one JSON document."""

import copy
import json
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutmeshort import ApiValueError
from cutmeshort.models import LeadPayload
from cutmeshort.operations import OPERATIONS, TRACK_LEAD
from cutmeshort.sandbox import Sandbox
from cutmeshort.sandbox.state.clicks import Click
from cutmeshort.sandbox.state.content import Content
from cutmeshort.sandbox.state.documents import export_document, import_document
from cutmeshort.sandbox.state.exchanges import Body, Exchange, ExchangeLog
from cutmeshort.sandbox.state.faults import make_fault
from cutmeshort.sandbox.state.items import EventItem
from cutmeshort.sandbox.state.refusal import Refusal
from cutmeshort.sandbox.state.service import Recorded
from cutmeshort.sandbox.state.settings import Settings
from cutmeshort.sandbox.state.state import State
from cutmeshort.sandbox.state.tokens import mask_token

from ..support.strategies import TEXT
from .helpers import LEAD, SALE, post

TIME = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(timezone.utc))
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
# No header of these names contains a token.
HEADER_NAMES = st.sampled_from([b"host", b"x-a", b"Content-Type"])
MASKED = "Bearer ••••".encode()
HEADER_VALUES = st.binary() | st.just(MASKED) | st.binary().map(lambda value: MASKED + value)
HEADERS = st.lists(st.tuples(HEADER_NAMES, HEADER_VALUES), max_size=3)


@st.composite
def bodies(draw: st.DrawFn) -> Body:
    """A body of bytes or of text, as the sandbox receives it."""
    body = Body()
    for chunk in draw(st.lists(st.binary() | ANY_TEXT.map(str.encode), max_size=3)):
        body.add(chunk * draw(st.sampled_from([1, 1, 500])))
    return body


CLICKS = st.builds(Click, TEXT, ANY_TEXT, TIME)
LEADS = st.fixed_dictionaries(
    {
        "eventName": TEXT,
        "customerExternalId": TEXT,
        "clickId": st.none() | TEXT,
        "customerName": st.none() | TEXT,
        "timestamp": st.none() | TIME,
    }
).map(LeadPayload.from_dict)
EVENTS = st.builds(Recorded, st.just(TRACK_LEAD), LEADS, TEXT, TIME, st.none() | TEXT)
REFUSALS = st.builds(
    Refusal,
    st.sampled_from([401, 422, 429, 503]),
    ANY_TEXT,
    type=ANY_TEXT,
    details=st.none() | st.lists(st.fixed_dictionaries({"field": ANY_TEXT, "message": ANY_TEXT})),
    headers=st.none() | st.just({"Retry-After": "7"}),
)
FAULTS = st.sampled_from(
    [
        make_fault(latency=0.1),
        make_fault(drop=True, recorded=True),
        make_fault(status=429, retry_after=30, latency=5),
    ]
)
DATA = st.sampled_from(
    [
        {"clickId": "click_1"},
        {"clickId": "click_1", "duplicate": True},
        {"clickId": "click_1", "deferredAssociationStored": True},
    ]
)
REQUEST_IDS = st.from_regex("[A-Za-z0-9_-]{1,9}", fullmatch=True)
FORCED = st.sampled_from(["error_status=503", 'response="status_false"'])
EXCHANGES = st.builds(
    Exchange,
    REQUEST_IDS,
    st.sampled_from(OPERATIONS),
    st.sampled_from(["GET", "POST"]),
    HEADERS,
    TIME,
    bodies(),
    st.none() | TIME,
    st.floats(0, 1e6),
    st.none() | st.integers(200, 599),
    HEADERS,
    bodies(),
    ANY_TEXT,
    ANY_TEXT,
    st.none() | REFUSALS,
    st.none() | DATA,
    st.none() | FAULTS,
    st.none() | FORCED,
    st.none() | TEXT,
)
LOGS = st.builds(
    ExchangeLog.restore,
    st.lists(EXCHANGES, max_size=3, unique_by=lambda each: each.request_id),
)
CONTENTS = st.builds(
    Content,
    st.lists(CLICKS, max_size=3, unique_by=lambda each: each.click_id),
    st.lists(EVENTS, max_size=3, unique_by=lambda each: TRACK_LEAD.key_of(each.event)),
    LOGS,
)
SETTINGS = st.builds(
    dict,
    rate_limit=st.none() | st.integers(1, 10**6),
    duplicate_status=st.sampled_from([200, 409]),
    response=st.sampled_from(["message", "html"]),
    error_status=st.none() | st.integers(300, 599),
    error_response=st.sampled_from(["envelope", "code"]),
)


def as_values(content: Content) -> Any:
    """Return all values of the content, with exceptions and logs as what they contain."""
    exchanges = [
        {
            **vars(each),
            "headers": list(each.headers),
            "body": vars(each.body),
            "response_headers": list(each.response_headers),
            "response_body": vars(each.response_body),
            "refusal": each.refusal and vars(each.refusal),
        }
        for each in content.log.newest()
    ]
    return content.clicks, content.recorded, exchanges, content.log.counts()


@settings(deadline=None, max_examples=60)
@given(CONTENTS, SETTINGS)
def test_a_round_trip_loses_nothing(content: Content, options: Any) -> None:
    """An import restores all values of an export, and exports the same document again."""
    first, second = State(Settings()), State(Settings())
    first.replace_all(content, options)
    document = export_document(first)
    text = json.dumps(document)
    counts = import_document(second, json.loads(text))
    assert counts == {
        "requests": len(content.log.newest()),
        "events": len(content.recorded),
    }
    assert as_values(second.content()) == as_values(first.content())
    assert second.settings == first.settings
    again = export_document(second)
    assert {**again, "exported_at": ""} == {**document, "exported_at": ""}


def test_an_export_masks_the_token(sandbox: Sandbox) -> None:
    """The token of a request is exported only if asked for, and a masked one stays masked."""
    token = "0123456789abcdef"
    assert post(sandbox, LEAD, Authorization=f"Bearer {token}").status == 401

    def authorization(include_token: bool = False) -> str:
        headers = dict(sandbox.export(include_token)["requests"][0]["headers"])
        return str(headers["authorization"])

    assert authorization() == "Bearer ••••cdef"
    assert authorization(include_token=True) == f"Bearer {token}"
    assert token not in json.dumps(sandbox.export())
    sandbox.import_(sandbox.export())
    assert authorization() == authorization(include_token=True) == "Bearer ••••cdef"
    with pytest.raises(ApiValueError, match="include_token must be True or False"):
        sandbox.export("yes")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("token", "masked"),
    [
        ("sandbox-token", "••••oken"),
        ("0123456789abcdef", "••••cdef"),
        ("0123456789abcde", "••••"),
        ("", "••••"),
    ],
)
def test_a_token_is_masked(token: str, masked: str) -> None:
    """The last characters of a token are shown if it is long, or no secret."""
    assert mask_token(token) == masked


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("Authorization", "Bearer {}", "Bearer ••••tion"),
        ("Authorization", "token {}", "token ••••tion"),
        ("Authorization", "{}", "••••tion"),
        ("Authorization", "{} Bearer", "••••arer"),
        ("Authorization", "Bearer:{}", "••••tion"),
        ("Authorization", "Bearer {} ••••", "Bearer ••••••••"),
        ("Proxy-Authorization", "Basic {}", "Basic ••••tion"),
        ("X-Api-Key", "{}", "••••tion"),
        ("Cookie", "session={}; a=b", "•••• a=b"),
        ("X-Auth-Token", "{}", "••••tion"),
    ],
)
def test_a_secret_of_another_service_is_masked(
    name: str, value: str, shown: str, tmp_path: Path
) -> None:
    """The token of an account that was sent by mistake is neither stored nor shown, wherever."""
    secret = "account_of_production"
    path = tmp_path / "data.db"
    with Sandbox(data=path) as sandbox:
        sent = value.format(secret).encode()
        post(sandbox, LEAD, **{name: sent})  # type: ignore[arg-type]
        request_id = sandbox.log()[0]["id"]
        entry = sandbox.request(request_id) or {}
        stored = path.read_bytes()
        texts = [json.dumps(entry), json.dumps(sandbox.export()), json.dumps(sandbox.log())]
    assert dict(entry["request"]["headers"])[name] == shown
    assert secret not in "".join(texts)
    assert secret.encode() not in stored


@pytest.fixture(scope="module")
def exported() -> Iterator[dict[str, Any]]:
    """A document with a click, two events and three requests."""
    with Sandbox() as sandbox:
        sandbox._state.follow_link("a")
        sandbox.fail_next(status=503, recorded=True)
        post(sandbox, LEAD)
        post(sandbox, SALE, "/track/sale")
        post(sandbox, b"\xff")
        yield sandbox.export()


def put(*path: Any, value: Any) -> Callable[[Any], None]:
    """Return a function that sets the value at a path of a document."""

    def change(document: Any) -> None:
        for key in path[:-1]:
            document = document[key]
        document[path[-1]] = value

    return change


def duplicate(name: str) -> Callable[[Any], None]:
    """Return a function that appends the first item of a list to it."""
    return lambda document: document[name].append(document[name][0])


def cycle(document: Any) -> None:
    """Make a document contain itself."""
    document["settings"] = document


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("format", value="other"), "format: Input should be 'cutmeshort-sandbox'"),
        (put("version", value=2), "version: Input should be 1"),
        (put("more", value=1), "more: Extra inputs are not permitted"),
        (lambda document: document.pop("clicks"), "clicks: Field required"),
        (put("exported_at", value=0), "exported_at: a time in ISO 8601"),
        (
            put("exported_at", value="2026-01-01T00:00:00"),
            "exported_at: a time in ISO 8601",
        ),
        (
            put("exported_at", value="0001-01-01T00:00:00+14:00"),
            "exported_at: a time in ISO 8601",
        ),
        (put("exported_at", value={"a", "set"}), "the document is not JSON"),
        (put("settings", "error_status", value=float("nan")), "the document is not JSON"),
        (cycle, "the document is not JSON"),
        (put("settings", "rate_limit", value="60"), "settings.rate_limit: Input should be a valid"),
        (put("settings", "rate_limit", value=0), "settings: rate_limit must be from 1 to"),
        (put("settings", "response", value="?"), "settings: response must be one of message"),
        (put("settings", "more", value=1), "settings.more: Extra inputs"),
        (put("clicks", 0, "time", value="now"), "clicks.0.time: a time in ISO 8601"),
        (put("clicks", value=[{}] * 10_001), "clicks: List should have at most 10000 items"),
        (put("events", 0, "operation", value="?"), "events.0.operation: must be one of track_lead"),
        (put("events", 0, "operation", value=1), "events.0.operation: Input should be a valid str"),
        (put("events", 1, "event", "amount", value="1"), "events.1.event: amount: Input should be"),
        (put("events", 0, "event", "other", value=1), "events.0.event: other: Extra inputs"),
        (put("events", 0, "event", value=[]), "events.0.event: Input should be"),
        (put("events", 0, "event", "eventName", value="a\ud800"), "Invalid JSON"),
        (duplicate("events"), "events.2: is the same as events.0"),
        (duplicate("clicks"), "clicks.1: is the same as clicks.0"),
        (duplicate("requests"), "requests.3: is the same as requests.0"),
        (put("requests", value=[{}] * 1_001), "requests: List should have at most 1000 items"),
        (
            put("requests", 0, "status", value=True),
            "requests.0.status: Input should be a valid int",
        ),
        (put("requests", 0, "body", "text", value=None), "requests.0.body: either text or base64"),
        (put("requests", 0, "body", "size", value=9), "requests.0.body: the size is not that of"),
        (put("requests", 2, "body", "base64", value="*"), "requests.2.body: "),
        (
            put("requests", 0, "headers", value=[["a", "☃"]]),
            "requests.0.headers.0.1: characters of",
        ),
        (
            put("requests", 0, "headers", value=[["a b", ""]]),
            "requests.0.headers.0.0: String should",
        ),
        (put("requests", 0, "fault", "drop", value=True), "requests.0.fault: status and drop=True"),
        # What follows would be source in a copied test, control a terminal, be another path, not be
        # JSON, or not fit the data file.
        (
            put("requests", 0, "forced", value="error_status=503, x=exit()"),
            "requests.0.forced: String should",
        ),
        (put("requests", 0, "forced", value='response="a\n"'), "requests.0.forced: String should"),
        (put("requests", 0, "method", value="A\x03"), "requests.0.method: String should"),
        (put("requests", 0, "id", value="../clear?"), "requests.0.id: String should"),
        (put("requests", 0, "seconds", value=1e308), "requests.0.seconds: Input should be less"),
        (put("counts", "failed", value=2**53), "counts.failed: Input should be less"),
        (put("settings", "rate_limit", value=10**400), "settings: rate_limit must be from 1 to"),
        (put("requests", 0, "data", value={}), "requests.0.data.clickId: Field required"),
        (put("requests", 0, "data", "more", value=1), "requests.0.data.more: Extra inputs"),
        (put("counts", "failed", value=0), "counts.failed: requests has more"),
        (put("counts", value={"failed": 1}), "counts: the fields must be recorded, pending, dupl"),
    ],
)
def test_an_invalid_document_changes_nothing(
    change: Callable[[Any], None], message: str, exported: dict[str, Any], sandbox: Sandbox
) -> None:
    """An invalid document is rejected with one line that names the place, and nothing changes."""
    post(sandbox, LEAD)
    before, sequence = sandbox.requests, sandbox._state.changes.sequence
    document = copy.deepcopy(exported)
    change(document)
    with pytest.raises(ApiValueError) as caught:
        sandbox.import_(document)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
    assert (sandbox.requests, sandbox._state.changes.sequence) == (before, sequence)
    assert not sandbox._state.can_undo


@pytest.mark.parametrize("document", [None, 1, "text", [], {}])
def test_a_value_that_is_not_a_document_is_rejected(document: Any, sandbox: Sandbox) -> None:
    """A value that is not a document is rejected with one line."""
    with pytest.raises(ApiValueError, match=r"^[^\n]+$"):
        sandbox.import_(document)


def test_an_imported_sandbox_continues(exported: dict[str, Any], sandbox: Sandbox) -> None:
    """Imported events are known, are found by the assertions, and the settings apply."""
    document = copy.deepcopy(exported)
    document["settings"]["duplicate_status"] = 409
    assert sandbox.import_(document) == {"requests": 3, "events": 2}
    sandbox.assert_lead(customer_external_id="user_42", click_id="click_1")
    sandbox.assert_sale(invoice_id="inv_1", amount=4999)
    assert [each.status for each in sandbox.requests] == [503, 200, 400]
    assert post(sandbox, LEAD).status == 409


def test_times_are_converted_to_utc() -> None:
    """A time with another offset is accepted, and is the same time in UTC."""
    item = {"operation": "track_lead", "event": LEAD, "click": "click_1", "request": None}
    text = json.dumps({**item, "time": "2026-01-01T01:00:00+01:00"})
    assert EventItem.model_validate_json(text).time == datetime(2026, 1, 1, tzinfo=timezone.utc)
    assert '"2026-01-01T00:00:00.000000Z"' in EventItem.model_validate_json(text).model_dump_json()
