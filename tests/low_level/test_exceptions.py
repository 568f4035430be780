"""The exceptions that the layers below the facade raise, and their attributes."""

import copy
import pickle
import traceback
from typing import Any

import pydantic
import pytest

import cutmeshort
from cutmeshort import (
    ApiClient,
    ApiException,
    Configuration,
    LeadPayload,
    OpenApiException,
    SalePayload,
    TrackingApi,
)
from cutmeshort.exceptions import error_spec
from cutmeshort.operations import Operation

from ..support.api import LEAD, SALE, api_of
from ..support.events import TOKEN, client_of
from ..support.operations import each_operation, payload
from ..support.server import Server, drop, raw, reset, respond


@each_operation
def test_an_exception_has_a_cause(operation: Operation) -> None:
    """The cause of an ApiException is urllib3's exception, whose frames contain no headers."""
    with Server(reset) as server:
        configuration = Configuration(server.url, TOKEN, retries=0)
        with ApiClient(configuration) as api_client, pytest.raises(ApiException) as caught:
            getattr(TrackingApi(api_client), operation.name)(payload(operation))
    cause = caught.value.__cause__
    assert type(cause).__module__ == "urllib3.exceptions"
    assert cause is not None
    frames = [frame for frame, _ in traceback.walk_tb(cause.__traceback__)]
    assert frames
    assert not any(TOKEN in str(frame.f_locals.get("headers")) for frame in frames)


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
def test_the_status_determines_the_exception(status: int, exception: str) -> None:
    """Each status raises its class, with the response in attributes and not in the message."""
    step = respond(
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


def test_the_token_is_redacted_in_raw_bodies() -> None:
    """If the service echoes the token, raw bodies have `[redacted]` instead."""
    with Server(respond(body=f'{{"a": "{TOKEN}"}}'), respond(400, f"<{TOKEN}>")) as server:
        api = api_of(server)
        with api.api_client:
            assert api.track_lead_with_http_info(LEAD).raw_data == b'{"a": "[redacted]"}'
            with pytest.raises(ApiException) as caught:
                api.track_lead(LEAD)
            assert caught.value.body == "<[redacted]>"


@pytest.mark.parametrize(
    "create",
    [
        lambda: LeadPayload(event_name="", customer_email="secret"),  # type: ignore[call-arg]
        lambda: SalePayload.from_dict({"amount": "secret", "currency": "secret", "x": "secret"}),
        lambda: SalePayload.from_dict("secret"),  # type: ignore[arg-type]
        lambda: LeadPayload.from_json('{"customerName": ["secret"]}'),
        lambda: LeadPayload.from_json('{"customerName": "secret'),
    ],
)
def test_the_error_for_an_invalid_payload_shows_no_values(create: Any) -> None:
    """Neither the message nor the repr of pydantic's exception has the customer's data."""
    with pytest.raises(pydantic.ValidationError) as caught:
        create()
    assert caught.value.error_count() > 0
    assert all(error["msg"] for error in caught.value.errors())
    shown = "".join(traceback.format_exception_only(type(caught.value), caught.value))
    for text in (shown, repr(caught.value)):
        assert "secret" not in text


@each_operation
def test_an_exception_without_a_response_has_status_0(operation: Operation) -> None:
    """The exception for a failure without a response has status 0, no headers and no body."""
    with Server(drop) as server:
        api = api_of(server)
        with api.api_client, pytest.raises(ApiException) as caught:
            getattr(api, operation.name)(payload(operation), _max_retries=0)
    assert (caught.value.status, caught.value.type) == (0, "network_error")
    assert caught.value.headers is caught.value.body is caught.value.data is None
    assert caught.value.retryable is True


@pytest.mark.parametrize(
    ("track", "body", "message"),
    [
        ("sale", {}, "409: The service has already recorded this event."),
        ("lead", {"type": "duplicate_event"}, "409: The service has already recorded this event."),
        (
            "lead",
            {"type": "duplicate_attribution"},
            "409: A deferred lead has associated",
        ),
        ("lead", {}, "409: The service has already recorded this event, or a deferred lead has"),
    ],
)
def test_the_message_of_a_conflict_explains_it(track: str, body: Any, message: str) -> None:
    """The message of a conflict depends on the operation and on the service's type."""
    with Server(respond(409, json=body)) as server:
        api = api_of(server)
        with api.api_client, pytest.raises(ApiException) as caught:
            getattr(api, f"track_{track}")(LEAD if track == "lead" else SALE)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("status", [0, 401, 409, 500, 599])
def test_an_exception_can_be_created_from_a_status(status: int) -> None:
    """A test can create an exception from a status, with its usual type and message."""
    error = ApiException(status=status, reason="Reason")
    spec = error_spec(status)
    assert (error.status, error.type, error.message) == (status, spec.type, spec.message)
    assert (error.reason, error.attempts, error.retryable) == ("Reason", 0, False)


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
def test_a_rejection_without_a_reason_mentions_a_missing_click(
    status: int, click_id: Any, body: bytes, hinted: bool
) -> None:
    """If the service does not say what is wrong, the SDK says that there is no click."""
    with Server(respond(status, body)) as server, client_of(server) as client:
        result = client.track_lead("Sign up", "user_42", click_id)
        with pytest.raises(ApiException) as caught:
            client.tracking_api.track_lead({**LEAD.to_dict(), "clickId": click_id})
    assert ("has no click_id" in result["error"]) is hinted
    assert ("has no click_id" in str(caught.value)) is (click_id is None)


def test_no_context_of_an_exception_has_the_response() -> None:
    """No `__context__` of an exception has the response, as some tools show hidden contexts."""
    response = f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{TOKEN}\r\n".encode()
    with Server(raw(response)) as server:
        api = api_of(server, retries=0)
        with api.api_client, pytest.raises(ApiException) as caught:
            api.track_lead(LEAD)
    link: Any = caught.value
    while link is not None:
        assert TOKEN not in repr(link)
        assert link.__context__ in (None, link.__cause__)
        link = link.__cause__


@pytest.mark.parametrize(
    ("ours", "builtin"),
    [
        ("ApiTypeError", TypeError),
        ("ApiValueError", ValueError),
        ("ApiKeyError", KeyError),
        ("ApiAttributeError", AttributeError),
    ],
)
def test_argument_errors_are_built_in_errors_too(ours: str, builtin: type[Exception]) -> None:
    """`except ValueError` catches ApiValueError, and so on for the other argument errors."""
    error = getattr(cutmeshort, ours)
    assert issubclass(error, builtin)
    assert issubclass(error, OpenApiException)
    assert not issubclass(error, ApiException)
    assert pickle.loads(pickle.dumps(error("text"))).args == ("text",)
