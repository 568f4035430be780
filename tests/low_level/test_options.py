"""Options and headers of one call, and default headers of a client."""

from enum import Enum
from typing import Any

import pytest

from cutmeshort import (
    ApiException,
    ApiValueError,
)

from ..support.api import LEAD, api_of
from ..support.events import TOKEN
from ..support.server import Server, never_respond, respond


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"_timeout": 1}, TypeError, "unexpected keyword argument '_timeout'"),
        ({"token": "x"}, TypeError, "keyword arguments: 'token'"),
        ({"timeout": 1, "_deadline": 1}, TypeError, "unexpected keyword argument 'timeout'"),
        ({"_deadline": 0}, ApiValueError, "_deadline must be"),
        ({"_deadline": "1"}, ApiValueError, "_deadline must be"),
        ({"_request_timeout": (1, 2, 3)}, ApiValueError, "_request_timeout must be"),
        ({"_request_timeout": "1"}, ApiValueError, "_request_timeout must be"),
        ({"_max_retries": 1.5}, ApiValueError, "_max_retries must be"),
        ({"_request_auth": "a b"}, ApiValueError, "_request_auth must be"),
        ({"_request_auth": ""}, ApiValueError, "_request_auth must be"),
        ({"_headers": "X: y"}, ApiValueError, "_headers must be"),
        ({"_headers": {"X": 1}}, ApiValueError, "a mapping in which X is a string"),
        ({"_headers": {"X": "a\r\nY: b"}}, ApiValueError, "a mapping in which X is a string"),
        ({"_headers": {"X": "€"}}, ApiValueError, "a mapping in which X is a string"),
        ({"_headers": {"X:": "y"}}, ApiValueError, "_headers must be a mapping of HTTP"),
        ({"_headers": {"content-LENGTH": "1"}}, ApiValueError, "not contain content-LENGTH"),
        ({"_headers": {"Transfer-Encoding": "x"}}, ApiValueError, "not contain Transfer-Encoding"),
    ],
)
def test_an_invalid_option_is_an_error(options: Any, error: type[Exception], message: str) -> None:
    """A misspelt option or an invalid value is an error, and the client sends nothing."""
    with Server() as server:
        api = api_of(server)
        with api.api_client, pytest.raises(error, match=message):
            api.track_lead(LEAD, **options)
        assert not server.requests


def test_options_of_one_call_take_precedence_over_the_configuration() -> None:
    """Token, headers, retries and timeouts of a call replace the client's, for that call only."""
    with Server(respond(500), respond(), respond(), never_respond) as server:
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


def test_headers_of_a_call_take_precedence_over_token_and_defaults() -> None:
    """A header of a call replaces the token's, and that a default one, whatever their case."""
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


def test_a_default_header_can_be_removed() -> None:
    """After a default header is set to None, the client sends the SDK's own header again."""
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


class _Name(str, Enum):
    TRACE = "X-Trace"

    def __format__(self, _: str) -> str:
        return "X\r\nX-Other: 1\r\nX"


def test_a_header_is_sent_as_it_was_validated() -> None:
    """A subclass of str can't change a header between its validation and its sending."""
    with Server() as server:
        api = api_of(server)
        with api.api_client:
            api.track_lead(LEAD, _headers={_Name.TRACE: _Name.TRACE})
    assert server.requests[0].headers["x-trace"] == ["X-Trace"]
    assert "x-other" not in server.requests[0].headers
