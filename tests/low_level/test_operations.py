"""TrackingApi and ApiClient: the three forms of each operation, and clients that are shared."""

import copy
import pickle
from typing import Any

import pydantic
import pytest

from cutmeshort import (
    ApiClient,
    ApiException,
    ApiResponse,
    ApiTypeError,
    ApiValueError,
    Configuration,
    LeadPayload,
    TrackingApi,
    TrackResponse,
)
from cutmeshort.operations import OPERATIONS, Operation

from ..support.api import LEAD, api_of
from ..support.events import TOKEN, client_of
from ..support.operations import each_operation, minimal, payload
from ..support.server import Server, raw, respond

FORMS = ["", "_with_http_info", "_without_preload_content"]


@each_operation
@pytest.mark.parametrize("as_dict", [False, True])
def test_an_operation_has_three_forms(operation: Operation, as_dict: bool) -> None:
    """The three forms return the data, the HTTP details, and the unread response."""
    step = respond(201, json={"message": "Done", "data": {"id": 1}}, headers={"X-Request-Id": "r"})
    model = payload(operation)
    sent = model.to_dict() if as_dict else model
    with Server(step) as server:
        api = api_of(server)
        with api.api_client:
            data = getattr(api, operation.name)(sent)
            assert (data.success, data.message, data.data) == (True, "Done", {"id": 1})
            response = getattr(api, f"{operation.name}_with_http_info")(sent)
            assert isinstance(response, ApiResponse)
            assert isinstance(response.data, TrackResponse)
            assert (response.status_code, response.data) == (201, data)
            assert response.headers["x-request-id"] == response.headers["X-REQUEST-ID"] == "r"
            assert response.raw_data == b'{"message": "Done", "data": {"id": 1}}'
            unread = getattr(api, f"{operation.name}_without_preload_content")(sent)
            assert (unread.status, unread.json()) == (201, {"message": "Done", "data": {"id": 1}})
        sent_to = [(request.method, request.target) for request in server.requests]
        assert sent_to == [(operation.method, operation.path)] * 3
        assert {request.body for request in server.requests} == {model.to_json().encode()}


@each_operation
@pytest.mark.parametrize("form", FORMS)
def test_each_form_takes_options(operation: Operation, form: str) -> None:
    """Each form of each operation takes the options of one call, and rejects unknown ones."""
    with Server() as server:
        api = api_of(server)
        call = getattr(api, operation.name + form)
        with api.api_client:
            call(payload(operation), _request_auth="other", _headers={"X-Trace": "1"})
            with pytest.raises(TypeError, match="unexpected keyword argument '_timeout'"):
                call(payload(operation), _timeout=1)
    (request,) = server.requests
    assert request.headers["authorization"] == ["Bearer other"]
    assert request.headers["x-trace"] == ["1"]


@each_operation
@pytest.mark.parametrize("form", FORMS)
def test_a_payload_is_the_operations_model_or_a_dict(operation: Operation, form: str) -> None:
    """A method validates a dict and rejects anything else, including another operation's model."""
    others = [payload(other) for other in OPERATIONS if other is not operation]
    with Server() as server:
        api = api_of(server)
        call = getattr(api, operation.name + form)
        with api.api_client:
            with pytest.raises(pydantic.ValidationError, match="event_name"):
                call({**minimal(operation), "event_name": ""})
            for invalid in (None, "text", [], *others):
                name = operation.request_model.__name__
                with pytest.raises(ApiTypeError, match=f"payload must be a {name} or a mapping"):
                    call(invalid)
        assert not server.requests


def test_an_unvalidated_payload_is_sent_without_a_warning() -> None:
    """The client sends an unvalidated payload without pydantic's warning, which shows values."""
    lead = LeadPayload.model_construct(event_name="A", customer_name=["secret"])
    with Server() as server:
        api = api_of(server)
        with api.api_client:
            api.track_lead(lead)
        assert server.requests[0].json == {"eventName": "A", "customerName": ["secret"]}
    assert lead.to_dict() == {"eventName": "A", "customerName": ["secret"]}


def test_a_dict_payload_is_validated() -> None:
    """A dict can have snake_case or camelCase names, and each invalid field is in the error."""
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
        assert len(server.requests) == 1


def test_the_layers_below_a_client_can_be_used() -> None:
    """`tracking_api` and `api_client` of a client use its connections, and raise exceptions."""
    with Server(respond(), respond(401)) as server, client_of(server) as client:
        assert client.tracking_api.api_client is client.api_client
        assert client.tracking_api.track_lead(LEAD).success is True
        with pytest.raises(ApiException):
            client.tracking_api.track_lead(LEAD)
        assert server.connections == 1


def test_a_folded_header_is_read_as_one_line() -> None:
    """A folded header (RFC 9112, section 5.2) has spaces instead of its line breaks."""
    head = b"HTTP/1.1 200 OK\r\nX-Folded: one,\r\n\ttwo\r\n  three\r\nContent-Length: 2\r\n\r\n{}"
    with Server(raw(head, close=False)) as server:
        api = api_of(server)
        with api.api_client:
            response = api.track_lead_with_http_info(LEAD)
    assert response.headers["x-folded"] == "one, two three"


@pytest.mark.parametrize("pick", [lambda client: client, lambda client: client.api_client])
def test_a_client_can_not_be_pickled(pick: Any) -> None:
    """A client, which has the token and connections, can't be pickled or copied."""
    with Server() as server, client_of(server) as client:
        for copied in (pickle.dumps, copy.deepcopy):
            with pytest.raises(TypeError, match="create one in each process"):
                copied(pick(client))


def test_without_a_token_a_call_requires_request_auth() -> None:
    """If the configuration has no token, a call requires `_request_auth`."""
    with Server() as server, ApiClient(Configuration(server.url)) as api_client:
        api = TrackingApi(api_client)
        with pytest.raises(ApiValueError, match="CMS_BEARER_TOKEN"):
            api.track_lead(LEAD)
        api.track_lead(LEAD, _request_auth="other")
        assert [r.headers["authorization"] for r in server.requests] == [["Bearer other"]]


def test_apis_without_a_client_share_the_default_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """APIs without a client share the default client, which has the default configuration."""
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
