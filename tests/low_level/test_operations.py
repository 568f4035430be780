"""The layers below the facade: TrackingApi, ApiClient, exceptions."""

import copy
import gzip
import pickle
import traceback
from enum import Enum
from typing import Any

import pydantic
import pytest

import cutmeshort
from cutmeshort import (
    ApiClient,
    ApiException,
    ApiResponse,
    ApiTypeError,
    ApiValueError,
    Configuration,
    LeadPayload,
    OpenApiException,
    SalePayload,
    TrackingApi,
    TrackResponse,
)
from cutmeshort.exceptions import error_spec

from ..support.events import TOKEN, client_of
from ..support.server import Server, drop, raw, reply, silence

LEAD = LeadPayload(event_name="Sign up", customer_external_id="user_42", click_id="click_1")
SALE = SalePayload(
    event_name="Purchase",
    customer_external_id="user_42",
    click_id="click_1",
    invoice_id="inv_1",
    amount=4999,
    currency="usd",
)


def api_of(server: Server, **settings: Any) -> TrackingApi:
    """Make an API of a server."""
    return TrackingApi(ApiClient(Configuration(server.url, TOKEN, **settings)))


@pytest.mark.parametrize(("name", "payload"), [("lead", LEAD), ("sale", SALE)])
@pytest.mark.parametrize("as_dict", [False, True])
def test_an_operation_comes_in_three_forms(name: str, payload: Any, as_dict: bool) -> None:
    """The plain call gives the data, the second form the HTTP details, the third the raw answer."""
    step = reply(201, json={"message": "Done", "data": {"id": 1}}, headers={"X-Request-Id": "r"})
    sent = payload.to_dict() if as_dict else payload
    with Server(step) as server:
        api = api_of(server)
        with api.api_client:
            data = getattr(api, f"track_{name}")(sent)
            assert (data.success, data.message, data.data) == (True, "Done", {"id": 1})
            response = getattr(api, f"track_{name}_with_http_info")(sent)
            assert isinstance(response, ApiResponse)
            assert isinstance(response.data, TrackResponse)
            assert (response.status_code, response.data) == (201, data)
            assert response.headers["x-request-id"] == response.headers["X-REQUEST-ID"] == "r"
            assert response.raw_data == b'{"message": "Done", "data": {"id": 1}}'
            unread = getattr(api, f"track_{name}_without_preload_content")(sent)
            assert (unread.status, unread.json()) == (201, {"message": "Done", "data": {"id": 1}})
        assert [request.target for request in server.requests] == [f"/track/{name}"] * 3
        assert {request.body for request in server.requests} == {payload.to_json().encode()}


@pytest.mark.parametrize(
    ("status", "exception"),
    [
        (400, "BadRequestException"),
        (401, "UnauthorizedException"),
        (403, "ForbiddenException"),
        (404, "NotFoundException"),
        (409, "ConflictException"),
        (422, "UnprocessableEntityException"),
        (429, "TooManyRequestsException"),
        (500, "ServiceException"),
        (501, "ServiceException"),
        (503, "ServiceException"),
        (302, "ApiException"),
        (418, "ApiException"),
    ],
)
def test_a_status_decides_the_exception(status: int, exception: str) -> None:
    """Each status raises its class, with the answer in attributes and not in the text."""
    step = reply(
        status,
        json={"error": "ann@example.com is wrong", "type": "wrong", "details": {"a": 1}, "x": 2},
        headers={"Retry-After": "7", "X-Request-Id": "r"},
    )
    with Server(step) as server:
        api = api_of(server, retries=0)
        with api.api_client, pytest.raises(ApiException) as caught:
            api.track_lead(LEAD)
    error = caught.value
    assert type(error) is getattr(cutmeshort, exception)
    assert (error.status, error.type, error.retry_after) == (status, "wrong", 7)
    assert error.headers is not None
    assert error.headers["x-request-id"] == "r"
    assert error.body is not None
    assert "ann@example.com" in error.body
    assert (error.reason, error.request_id, error.attempts) == ("Reason", "r", 1)
    assert error.data is not None
    assert error.data.details == {"a": 1}
    assert error.data.model_extra == {"x": 2}
    for copied in (error, pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(copied) is type(error)
        assert str(copied) == str(error)
        assert str(copied).startswith(f"{status}: ")
        assert (copied.status, copied.type, copied.retry_after) == (status, "wrong", 7)
        assert copied.retryable is error.retryable
        assert "example" not in str(copied) + repr(copied)
    assert b"example" not in pickle.dumps(error)


def test_an_answer_that_echoes_the_token_does_not_bring_it() -> None:
    """The raw bodies that the layers below give have the token taken out."""
    with Server(reply(body=f'{{"a": "{TOKEN}"}}'), reply(400, f"<{TOKEN}>")) as server:
        api = api_of(server)
        with api.api_client:
            assert api.track_lead_with_http_info(LEAD).raw_data == b'{"a": "[redacted]"}'
            with pytest.raises(ApiException) as caught:
                api.track_lead(LEAD)
            assert caught.value.body == "<[redacted]>"


@pytest.mark.parametrize(
    "refuse",
    [
        lambda: LeadPayload(event_name="", customer_email="secret"),  # type: ignore[call-arg]
        lambda: SalePayload.from_dict({"amount": "secret", "currency": "secret", "x": "secret"}),
        lambda: SalePayload.from_dict("secret"),  # type: ignore[arg-type]
        lambda: LeadPayload.from_json('{"customerName": ["secret"]}'),
        lambda: LeadPayload.from_json('{"customerName": "secret'),
    ],
)
def test_the_text_of_a_refused_payload_has_no_values(refuse: Any) -> None:
    """Neither the text nor the repr of pydantic's exception has the customer's data."""
    with pytest.raises(pydantic.ValidationError) as caught:
        refuse()
    assert caught.value.error_count() > 0
    assert all(error["msg"] for error in caught.value.errors())
    shown = "".join(traceback.format_exception_only(type(caught.value), caught.value))
    for text in (shown, repr(caught.value)):
        assert "secret" not in text


def test_a_payload_that_was_never_validated_is_sent_without_a_warning() -> None:
    """Pydantic warns of wrong kinds with their values; here they are customers' data."""
    lead = LeadPayload.model_construct(event_name="A", customer_name=["secret"])
    with Server() as server:
        api = api_of(server)
        with api.api_client:
            api.track_lead(lead)
        assert server.requests[0].json == {"eventName": "A", "customerName": ["secret"]}
    assert lead.to_dict() == {"eventName": "A", "customerName": ["secret"]}


def test_no_answer_raises_with_status_0() -> None:
    """Without an answer the status is 0 and there are no headers."""
    with Server(drop) as server:
        api = api_of(server)
        with api.api_client, pytest.raises(ApiException) as caught:
            api.track_sale(SALE, _max_retries=0)
    assert (caught.value.status, caught.value.type) == (0, "network_error")
    assert caught.value.headers is caught.value.body is caught.value.data is None
    assert caught.value.retryable is True


def test_without_preload_content_any_status_is_returned() -> None:
    """The raw form repeats like the others, then returns what came, of whatever status."""
    steps = [reply(503, headers={"Retry-After": "0"}), reply(422, "no JSON")]
    with Server(*steps) as server:
        api = api_of(server)
        with api.api_client:
            response = api.track_lead_without_preload_content(LEAD)
            assert (response.status, response.read()) == (422, b"no JSON")
        assert len(server.requests) == 2


def test_a_dict_payload_is_validated() -> None:
    """A dict in snake_case or camelCase is taken, an invalid one or another kind refused."""
    with Server() as server:
        api = api_of(server)
        with api.api_client:
            api.track_lead({"event_name": "A", "customerExternalId": "u", "clickId": "c"})
            assert server.requests[0].json == {
                "eventName": "A",
                "customerExternalId": "u",
                "clickId": "c",
            }
            with pytest.raises(pydantic.ValidationError, match="customer_external_id") as caught:
                api.track_lead({"event_name": "", "customerName": "Ann", "nonsense": 1})
            assert "Ann" not in str(caught.value)
            assert {error["loc"] for error in caught.value.errors()} == {
                ("event_name",),
                ("customer_external_id",),
                ("nonsense",),
            }
            with pytest.raises(ApiTypeError, match="payload must be a LeadPayload or a dict"):
                api.track_lead(SALE)  # type: ignore[arg-type]
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"_timeout": 1}, TypeError, "unexpected keyword argument '_timeout'"),
        ({"timeout": 1, "_deadline": 1}, TypeError, "unexpected keyword argument 'timeout'"),
        ({"_deadline": 0}, ApiValueError, "_deadline must be"),
        ({"_deadline": "1"}, ApiValueError, "_deadline must be"),
        ({"_request_timeout": (1, 2, 3)}, ApiValueError, "_request_timeout must be"),
        ({"_request_timeout": "1"}, ApiValueError, "_request_timeout must be"),
        ({"_max_retries": 1.5}, ApiValueError, "_max_retries must be"),
        ({"_request_auth": "a b"}, ApiValueError, "_request_auth must be"),
        ({"_request_auth": ""}, ApiValueError, "_request_auth must be"),
        ({"_headers": "X: y"}, ApiValueError, "_headers must be"),
        ({"_headers": {"X": 1}}, ApiValueError, "_headers must be a mapping with a text"),
        ({"_headers": {"X": "a\r\nY: b"}}, ApiValueError, "_headers must be a mapping with a text"),
        ({"_headers": {"X": "€"}}, ApiValueError, "_headers must be a mapping with a text"),
        ({"_headers": {"X:": "y"}}, ApiValueError, "_headers must be a mapping of HTTP"),
        ({"_headers": {"content-LENGTH": "1"}}, ApiValueError, "leave content-LENGTH"),
        ({"_headers": {"Transfer-Encoding": "x"}}, ApiValueError, "leave Transfer-Encoding"),
    ],
)
def test_a_wrong_option_is_refused(options: Any, error: type[Exception], says: str) -> None:
    """A misspelt option and a value that can't be used are errors, and nothing is sent."""
    with Server() as server:
        api = api_of(server)
        with api.api_client, pytest.raises(error, match=says):
            api.track_lead(LEAD, **options)
        assert not server.requests


def test_options_of_one_call_go_before_the_configuration() -> None:
    """Token, headers, retries and times of a call replace the client's, for that call alone."""
    with Server(reply(500), reply(), reply(), silence) as server:
        api = api_of(server, retries=5)
        with api.api_client:
            with pytest.raises(ApiException):
                api.track_lead(LEAD, _max_retries=0)
            api.track_lead(LEAD, _request_auth="other", _headers={"X-Trace": "1", "ACCEPT": "*/*"})
            api.track_lead(LEAD, _request_auth=None, _headers=None, _deadline=None)
            with pytest.raises(ApiException) as caught:
                api.track_lead(LEAD, _request_timeout=0.1, _max_retries=0)
            assert caught.value.type == "timeout"
            with pytest.raises(ApiException) as caught:
                api.track_lead(LEAD, _deadline=0.1)
            assert caught.value.type == "timeout"
    _, changed, plain, *_ = server.requests
    assert changed.headers["authorization"] == ["Bearer other"]
    assert changed.headers["x-trace"] == ["1"]
    assert changed.headers["accept"] == ["*/*"]
    assert plain.headers["authorization"] == [f"Bearer {TOKEN}"]
    assert plain.headers["accept"] == ["application/json"]
    assert "x-trace" not in plain.headers


def test_headers_of_a_call_go_before_token_and_defaults() -> None:
    """A header is sent once, whatever its case: the call's, else the token, else the default."""
    with Server() as server:
        api = api_of(server)
        with api.api_client as api_client:
            api_client.set_default_header("authorization", "default")
            api_client.set_default_header("X-Team", "growth")
            api_client.user_agent = "my-app/1"
            assert api_client.user_agent == "my-app/1"
            api.track_lead(LEAD)
            own = {
                "AUTHORIZATION": "mine",
                "x-team": "sales",
                "host": "h",
                "ACCEPT-encoding": "gzip",
            }
            api.track_lead(LEAD, _headers=own)
            with pytest.raises(ApiValueError, match="header must be"):
                api_client.set_default_header("X", "a\nb")
    first, second = server.requests
    assert first.headers["host"] == [f"127.0.0.1:{server.port}"]
    assert first.headers["accept-encoding"] == ["identity"]
    assert first.headers["authorization"] == [f"Bearer {TOKEN}"]
    assert first.headers["user-agent"] == ["my-app/1"]
    assert first.headers["x-team"] == ["growth"]
    assert second.headers["authorization"] == ["mine"]
    assert second.headers["x-team"] == ["sales"]
    assert second.headers["host"] == ["h"]
    assert second.headers["accept-encoding"] == ["gzip"]


@pytest.mark.parametrize(
    ("track", "body", "says"),
    [
        ("sale", {}, "409: The service has already recorded this event."),
        ("lead", {"type": "duplicate_event"}, "409: The service has already recorded this event."),
        ("lead", {"type": "duplicate_attribution"}, "409: A deferred lead has bound the customer"),
        ("lead", {}, "409: The service has already recorded this event, or a deferred lead has"),
    ],
)
def test_a_conflict_says_what_it_means(track: str, body: Any, says: str) -> None:
    """The SDK's own sentence depends on the operation and on the service's type."""
    with Server(reply(409, json=body)) as server:
        api = api_of(server)
        with api.api_client, pytest.raises(ApiException) as caught:
            getattr(api, f"track_{track}")(LEAD if track == "lead" else SALE)
    assert str(caught.value).startswith(says)


@pytest.mark.parametrize("status", [0, 401, 409, 500, 599])
def test_an_exception_can_be_made_of_its_status(status: int) -> None:
    """An application's own tests raise one; type and message are the usual ones."""
    error = ApiException(status=status, reason="Reason")
    spec = error_spec(status)
    assert (error.status, error.type, error.message) == (status, spec.type, spec.message)
    assert (error.reason, error.attempts, error.retryable) == ("Reason", 0, False)


def test_a_default_header_can_be_removed() -> None:
    """`None` removes what was set, so that the SDK's own header is sent again."""
    with Server() as server:
        api = api_of(server)
        with api.api_client as api_client:
            for name in ("X-Team", "User-Agent", "Host", "Authorization", "X-Unknown"):
                api_client.set_default_header(name, "set")
                api_client.set_default_header(name.upper(), None)
            api.track_lead(LEAD)
            with pytest.raises(ApiValueError, match="header"):
                api_client.set_default_header("two words", None)
    (request,) = server.requests
    assert "x-team" not in request.headers
    assert "x-unknown" not in request.headers
    assert request.headers["host"] == [f"127.0.0.1:{server.port}"]
    assert request.headers["authorization"] == [f"Bearer {TOKEN}"]
    assert request.headers["user-agent"][0].startswith("cutmeshort-python/")


def test_the_layers_below_a_client_can_be_used() -> None:
    """`tracking_api` and `api_client` of a client raise exceptions, over its connections."""
    with Server(reply(), reply(401)) as server, client_of(server) as client:
        assert client.tracking_api.api_client is client.api_client
        assert client.tracking_api.track_lead(LEAD).success is True
        with pytest.raises(ApiException):
            client.tracking_api.track_lead(LEAD)
        assert server.connections == 1


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize(
    ("click_id", "body", "hinted"),
    [
        (None, b"", True),
        (None, b"<html>", True),
        (None, b'{"details": []}', True),
        (None, b'{"error": "No such customer"}', False),
        ("click_1", b"", False),
    ],
)
def test_a_refusal_without_a_reason_names_a_missing_click(
    status: int, click_id: Any, body: bytes, hinted: bool
) -> None:
    """Where the service doesn't say what is wrong, the SDK says that there is no click."""
    with Server(reply(status, body)) as server, client_of(server) as client:
        result = client.track_lead("Sign up", "user_42", click_id)
        with pytest.raises(ApiException) as caught:
            client.tracking_api.track_lead({**LEAD.to_dict(), "clickId": click_id})
    assert ("has no click_id" in result["error"]) is hinted
    assert ("has no click_id" in str(caught.value)) is (click_id is None)


class _Name(str, Enum):
    TRACE = "X-Trace"

    def __format__(self, _: str) -> str:
        return "X\r\nX-Other: 1\r\nX"


def test_a_header_is_sent_as_it_was_checked() -> None:
    """Not as an instance of a subclass says: that may be anything."""
    with Server() as server:
        api = api_of(server)
        with api.api_client:
            api.track_lead(LEAD, _headers={_Name.TRACE: _Name.TRACE})
    assert server.requests[0].headers["x-trace"] == ["X-Trace"]
    assert "x-other" not in server.requests[0].headers


def test_a_header_of_several_lines_is_read_as_one() -> None:
    """A folded header (RFC 9112, section 5.2) has spaces in place of its line breaks."""
    answer = b"HTTP/1.1 200 OK\r\nX-Folded: one,\r\n\ttwo\r\n  three\r\nContent-Length: 2\r\n\r\n{}"
    with Server(raw(answer, close=False)) as server:
        api = api_of(server)
        with api.api_client:
            response = api.track_lead_with_http_info(LEAD)
    assert response.headers["x-folded"] == "one, two three"


def test_a_response_can_be_read_after_its_connection_is_used_again() -> None:
    """Its body was received: it doesn't hold the connection."""
    with Server(reply(json={"message": "One"}), reply(json={"message": "Two"})) as server:
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
        (gzip.compress(b"0" * 2**30), "gzip"),
        (b"not zipped", "gzip"),
        (b"{}", "unknown"),
        (b"0" * (2**20 + 1), "identity"),
    ],
    ids=["bomb", "garbage", "unknown", "large"],
)
def test_a_response_to_be_read_has_the_same_limits(body: bytes, coding: str, status: int) -> None:
    """What is larger than 1 MiB, or can't be decompressed, is an exception with its status."""
    step = reply(status, body, {"Content-Encoding": coding})
    with Server(step) as server:
        api = api_of(server)
        with api.api_client, pytest.raises(ApiException) as caught:
            api.track_lead_without_preload_content(LEAD)
    expected = "invalid_response" if status == 200 else "unprocessable_entity"
    assert (caught.value.type, caught.value.status) == (expected, status)


@pytest.mark.parametrize("coding", ["gzip", "identity"])
def test_a_response_to_be_read_is_decompressed(coding: str) -> None:
    """Each way of reading gives the whole body, once."""
    body = b'{"message": "%s"}' % (b"x" * 100_000)
    sent = gzip.compress(body) if coding == "gzip" else body
    with Server(reply(200, sent, {"Content-Encoding": coding, "X-Trace": "1"})) as server:
        api = api_of(server)
        with api.api_client:
            responses = [api.track_lead_without_preload_content(LEAD) for _ in range(4)]
    first, second, third, fourth = responses
    assert (first.status, first.reason, first.headers["x-trace"]) == (200, "Reason", "1")
    assert first.data == body
    assert (second.read(10), second.read()) == (body[:10], body[10:])
    assert b"".join(third.stream(1000)) == body
    assert len(fourth.json()["message"]) == 100_000


def test_what_the_host_wrote_is_in_no_context_of_an_exception() -> None:
    """Some tools follow `__context__` even where `raise ... from` hides it."""
    answer = f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{TOKEN}\r\n".encode()
    with Server(raw(answer)) as server:
        api = api_of(server, retries=0)
        with api.api_client, pytest.raises(ApiException) as caught:
            api.track_lead(LEAD)
    link: Any = caught.value
    while link is not None:
        assert TOKEN not in repr(link)
        assert link.__context__ in (None, link.__cause__)
        link = link.__cause__


@pytest.mark.parametrize("pick", [lambda client: client, lambda client: client.api_client])
def test_a_client_can_not_be_pickled(pick: Any) -> None:
    """It has the token, and connections, neither of which belongs into a file."""
    with Server() as server, client_of(server) as client:
        for copied in (pickle.dumps, copy.deepcopy):
            with pytest.raises(TypeError, match="make one in each process"):
                copied(pick(client))


def test_without_a_token_a_call_needs_one() -> None:
    """A configuration may lack a token; a call then needs `_request_auth`."""
    with Server() as server, ApiClient(Configuration(server.url)) as api_client:
        api = TrackingApi(api_client)
        with pytest.raises(ApiValueError, match="CMS_BEARER_TOKEN"):
            api.track_lead(LEAD)
        api.track_lead(LEAD, _request_auth="other")
        assert [r.headers["authorization"] for r in server.requests] == [["Bearer other"]]


def test_apis_without_a_client_share_the_default_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """ApiClient.get_default makes one client, of Configuration.get_default, until set anew."""
    with Server() as server:
        Configuration.set_default(Configuration(server.url, TOKEN))
        with ApiClient.get_default() as shared:
            assert TrackingApi().api_client is TrackingApi().api_client is shared
            assert TrackingApi().track_lead(LEAD).success is True
        with ApiClient(Configuration(server.url, "other")) as other:
            ApiClient.set_default(other)
            assert TrackingApi().api_client is other
        Configuration.set_default(None)
        monkeypatch.setenv("CMS_HOST", "https://env.example")
        assert Configuration.get_default().host == "https://env.example"


@pytest.mark.parametrize(
    ("ours", "builtin"),
    [
        ("ApiTypeError", TypeError),
        ("ApiValueError", ValueError),
        ("ApiKeyError", KeyError),
        ("ApiAttributeError", AttributeError),
    ],
)
def test_argument_errors_are_the_builtin_ones_too(ours: str, builtin: type[Exception]) -> None:
    """`except ValueError` catches ApiValueError, and so on."""
    error = getattr(cutmeshort, ours)
    assert issubclass(error, builtin)
    assert issubclass(error, OpenApiException)
    assert not issubclass(error, ApiException)
    assert pickle.loads(pickle.dumps(error("text"))).args == ("text",)
