"""`cutmeshort.testing.redirect`: which clients it redirects, and what they send."""

import gc
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from cutmeshort import ApiClient, ApiValueError, CMSClient, Configuration, TrackingApi
from cutmeshort.testing import observe_hosts, redirect

from ..support.certificates import context_for
from ..support.events import PAYLOAD, SALE_PAYLOAD, TOKEN, client_of, lead, sale
from ..support.server import OK, Server, drop, respond

SECRET = "real_secret_token"
ORIGINALS = (ApiClient._send, ApiClient.__init__)


@pytest.fixture
def service() -> Iterator[Server]:
    """The real service, which no redirected call may reach."""
    with Server(respond(500)) as server:
        yield server


@pytest.fixture
def sandbox() -> Iterator[Server]:
    """The server to which calls are redirected."""
    with Server(OK) as server:
        yield server


def authorizations(server: Server) -> set[str]:
    """Return all values of the Authorization headers that a server received."""
    return {value for each in server.requests for value in each.headers["authorization"]}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"enabled": False},
        {"proxy": "http://user:password@127.0.0.1:9"},
        {"timeout": 7, "request_timeout": (1, 2), "retries": 0},
        {"socket_options": [(1, 9, 1)], "connection_pool_maxsize": 1},
    ],
    ids=str,
)
def test_existing_clients_are_redirected(
    settings: dict[str, Any], service: Server, sandbox: Server
) -> None:
    """Every client that exists sends its events to the given URL with the given token."""
    configuration = Configuration(f"{service.url}/api", SECRET, **settings)
    default = Configuration(service.url, SECRET)
    with CMSClient(configuration=configuration) as client, ApiClient(default) as api_client:
        ApiClient.set_default(api_client)
        with redirect(f"{sandbox.url}/v2", TOKEN):
            assert lead(client)["success"] is sale(client)["success"] is True
            assert TrackingApi().track_lead(PAYLOAD).message == "Done"
            response = TrackingApi().track_sale_without_preload_content(SALE_PAYLOAD)
            assert response.status == 200
    assert [each.target for each in sandbox.requests] == ["/v2/track/lead", "/v2/track/sale"] * 2
    assert authorizations(sandbox) == {f"Bearer {TOKEN}"}
    assert service.connections == 0


def test_a_client_without_a_token_is_redirected(sandbox: Server) -> None:
    """A client that has no token sends that of the redirect."""
    with ApiClient(Configuration()) as api_client, redirect(sandbox.url, TOKEN):
        TrackingApi(api_client).track_lead(PAYLOAD)
    assert authorizations(sandbox) == {f"Bearer {TOKEN}"}


def test_the_real_token_is_never_sent(service: Server, sandbox: Server) -> None:
    """The token of the client and of the call are left out; other headers are sent."""
    with ApiClient(Configuration(service.url, SECRET)) as api_client:
        api_client.set_default_header("X-Shop", "1")
        api_client.user_agent = "shop"
        api = TrackingApi(api_client)
        with redirect(sandbox.url, TOKEN):
            api.track_lead(PAYLOAD, _request_auth=SECRET)
            api.track_lead(PAYLOAD, _headers={"authorization": SECRET, "x-call": "2"})
            api_client.set_default_header("X-Shop", None)
            api.track_lead(PAYLOAD)
    assert SECRET.encode() not in b"".join(each.raw for each in sandbox.requests)
    assert authorizations(sandbox) == {f"Bearer {TOKEN}"}
    headers = [each.headers for each in sandbox.requests]
    assert [each.get("x-shop") for each in headers] == [["1"], ["1"], None]
    assert [each.get("x-call") for each in headers] == [None, ["2"], None]
    assert {each["user-agent"][0] for each in headers} == {"shop"}
    assert {each["host"][0] for each in headers} == {sandbox.url.partition("//")[2]}


def test_no_spelling_of_a_header_sends_another_token(service: Server, sandbox: Server) -> None:
    """An `Authorization` header of a call is left out in upper, lower and mixed case."""
    with ApiClient(Configuration(service.url, SECRET)) as api_client:

        @settings(max_examples=30)
        @given(st.lists(st.booleans(), min_size=13, max_size=13))
        def check(upper: list[bool]) -> None:
            letters = zip("authorization", upper)
            name = "".join(letter.upper() if up else letter for letter, up in letters)
            with redirect(sandbox.url, TOKEN):
                TrackingApi(api_client).track_lead(PAYLOAD, _headers={name: f"Bearer {SECRET}"})

        check()
    assert authorizations(sandbox) == {f"Bearer {TOKEN}"}


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"_request_auth": "white space"}, ApiValueError),
        ({"_headers": {"Authorization": "line\nbreak"}}, ApiValueError),
        ({"_headers": "X-Shop: 1"}, ApiValueError),
        ({"_deadline": -1}, ApiValueError),
        ({"_dedline": 1}, TypeError),
    ],
    ids=str,
)
def test_invalid_arguments_are_rejected_as_without_a_redirect(
    options: Any, error: type[Exception], service: Server, sandbox: Server
) -> None:
    """A redirected call checks its payload and all its options."""
    with ApiClient(Configuration(service.url, SECRET)) as api_client:
        api = TrackingApi(api_client)
        with redirect(sandbox.url, TOKEN):
            with pytest.raises(error):
                api.track_lead(PAYLOAD, **options)
            with pytest.raises(ValidationError):
                api.track_lead({})
    assert sandbox.connections == 0


def test_a_closed_client_stays_closed(service: Server, sandbox: Server) -> None:
    """A client that is closed before or in the block returns `client_closed`."""
    closed, client = client_of(service), client_of(service)
    closed.close()
    with redirect(sandbox.url, TOKEN):
        assert lead(client)["success"]
        client.close()
        for each in (closed, client):
            assert lead(each)["type"] == "client_closed"
    assert len(sandbox.requests) == 1
    assert service.connections == 0


def test_a_new_client_of_loopback_is_not_redirected(service: Server, sandbox: Server) -> None:
    """Of the clients that a test creates, those of its own servers are not redirected."""
    with redirect(sandbox.url, TOKEN), client_of(service, max_retries=0) as own:
        with CMSClient(SECRET, "https://real.example") as other:
            assert lead(other)["success"]
        with CMSClient(SECRET, "https://real.example", enabled=False) as disabled:
            assert lead(disabled)["type"] == "disabled"
        assert lead(own)["status_code"] == 500
        with redirect(sandbox.url, TOKEN):  # `own` exists
            assert lead(own)["success"]
    assert (len(service.requests), len(sandbox.requests)) == (1, 2)


def test_a_new_client_of_the_url_does_not_send_its_own_token(sandbox: Server) -> None:
    """A client with the host from the environment and a token of its own sends the given token."""
    with redirect(f"{sandbox.url}/", TOKEN), CMSClient(SECRET, sandbox.url) as client:
        assert lead(client)["success"]
    assert authorizations(sandbox) == {f"Bearer {TOKEN}"}


def test_the_innermost_block_applies(service: Server, sandbox: Server) -> None:
    """Blocks can be nested, and the end of each restores the one around it."""
    with Server(OK) as inner, client_of(service, max_retries=0) as client:
        with redirect(sandbox.url, TOKEN):
            with suppress(KeyError), redirect(inner.url, "inner"):
                assert ApiClient._send is not ORIGINALS[0]
                lead(client)
                raise KeyError
            lead(client)
        assert (ApiClient._send, ApiClient.__init__) == ORIGINALS
        assert lead(client)["status_code"] == 500
        assert authorizations(inner) == {"Bearer inner"}
        assert [len(each.requests) for each in (inner, sandbox, service)] == [1, 1, 1]


def test_a_new_client_of_the_outer_url_is_redirected_too(sandbox: Server) -> None:
    """A client whose host was read from the environment of the outer block is redirected."""
    with (
        Server(OK) as outer,
        redirect(outer.url, "outer"),
        redirect(sandbox.url, TOKEN),
        CMSClient("outer", outer.url) as client,
    ):
        assert lead(client)["success"]
    assert (len(outer.requests), len(sandbox.requests)) == (0, 1)


def test_blocks_of_threads_can_overlap(service: Server, sandbox: Server) -> None:
    """A block can end before one that began later, which then still applies."""
    first, second = redirect(sandbox.url, "first"), redirect(sandbox.url, "second")
    with client_of(service) as client:
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert lead(client)["success"]
        second.__exit__(None, None, None)
    assert authorizations(sandbox) == {"Bearer second"}
    assert (ApiClient._send, ApiClient.__init__) == ORIGINALS


def test_all_threads_are_redirected(service: Server, sandbox: Server) -> None:
    """Threads that share a client, and begin before the block, send to the URL."""
    begin = threading.Barrier(9)
    results: list[Any] = []
    with client_of(service) as client:

        def work() -> None:
            begin.wait()
            results.extend(lead(client) for _ in range(5))

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        with redirect(sandbox.url, TOKEN):
            begin.wait()
            for thread in threads:
                thread.join()
    assert [result["success"] for result in results] == [True] * 40
    assert service.connections == 0


@pytest.mark.usefixtures("no_wait")
def test_a_redirected_call_has_the_settings_of_its_client(service: Server) -> None:
    """The retries, and the timeouts, of the client and of the call apply."""
    with (
        Server(drop) as sandbox,
        client_of(service, max_retries=2) as client,
        redirect(sandbox.url, TOKEN),
    ):
        assert lead(client)["attempts"] == 3
        assert lead(client, max_retries=0)["attempts"] == 1
        assert lead(client, timeout=1e-9)["type"] == "timeout"


def test_the_connections_are_closed_at_the_end(service: Server, sandbox: Server) -> None:
    """No connection to the URL stays open after the block."""
    with client_of(service) as client:
        with redirect(sandbox.url, TOKEN):
            lead(client)
        assert sandbox.wait_until_all_closed()


def test_the_connections_of_a_deleted_client_are_closed(service: Server, sandbox: Server) -> None:
    """The redirect keeps nothing of a client that the application has deleted."""
    with redirect(sandbox.url, TOKEN):
        for _ in range(2):
            client = CMSClient(SECRET, "https://real.example")
            lead(client)
            del client
        gc.collect()
        assert sandbox.wait_until_all_closed()
    assert len(sandbox.requests) == 2
    assert service.connections == 0


def test_plain_http_is_allowed_to_any_host(service: Server) -> None:
    """The sandbox may run in another container, without TLS."""
    with client_of(service, max_retries=0) as client, redirect("http://sandbox.example", TOKEN):
        assert "sandbox.example could not be resolved" in lead(client)["error"]


def test_the_tls_settings_of_a_client_are_not_used(service: Server, tmp_path: Path) -> None:
    """A redirected call reads no files of the client, and checks the certificate of the URL."""
    authority = trustme.CA()
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    configuration = Configuration(ssl_ca_cert=path, assert_hostname="service.example")
    with (
        Server(OK, tls=context_for(authority, "127.0.0.1")) as sandbox,
        client_of(service, max_retries=0, configuration=configuration) as client,
    ):
        path.unlink()
        with redirect(sandbox.url, TOKEN):
            assert lead(client)["type"] == "tls_error"


@pytest.mark.parametrize(
    ("url", "token", "message"),
    [
        ("sandbox", TOKEN, "url must be an https:// URL"),
        ("https://real.example/?a", TOKEN, "url must be an https:// URL"),
        ("http://127.0.0.1:1", "", "token must be the bearer token"),
    ],
)
def test_an_invalid_url_or_token_is_rejected(url: str, token: str, message: str) -> None:
    """The block does not begin with an invalid URL or token, and nothing is replaced."""
    with pytest.raises(ApiValueError, match=message), redirect(url, token):
        pass
    assert (ApiClient._send, ApiClient.__init__) == ORIGINALS


def test_the_hosts_of_calls_are_observed(service: Server, sandbox: Server) -> None:
    """The observer gets the host to which each call is sent, after redirects."""
    hosts: list[Any] = []
    with client_of(service, max_retries=0) as client, client_of(service) as closed:
        closed.close()
        with observe_hosts(hosts.append):
            lead(client)
            lead(closed)
            with redirect(sandbox.url, TOKEN):
                lead(client)
        lead(client)
    assert [host.port for host in hosts] == [service.port, sandbox.port]
    assert [host.hostname for host in hosts] == ["127.0.0.1", "127.0.0.1"]
