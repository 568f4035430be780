"""Proxies: tunnels for https, forwarded requests for http, and the data that a proxy gets."""

import base64
import logging
import pickle
import ssl
import traceback
from typing import Any

import pytest
import trustme

from cutmeshort import (
    ApiClient,
    ApiException,
    ApiValueError,
    CMSClient,
    Configuration,
    TrackingApi,
)

from ..support.certificates import context_for
from ..support.events import PAYLOAD, TOKEN, lead, track_once
from ..support.relays import tunnel_to
from ..support.server import OK, Connection, Server, drop, never_respond, raw, reset
from ..support.timing import SLACK, timed


@pytest.mark.parametrize(
    ("trusted", "slow", "type_"),
    [(True, False, None), (False, False, "tls_error"), (True, True, "timeout")],
)
def test_plain_http_goes_through_an_https_proxy_in_time(
    trusted: bool, slow: bool, type_: Any, tls: ssl.SSLContext, authority_file: str
) -> None:
    """The client verifies an https proxy's certificate, and a slow proxy is a timeout."""
    trickle = raw([b"HTTP/1.1 200 OK\r\n"] + [b"X: y\r\n"] * 90, every=0.1)
    settings: dict[str, Any] = {"allow_insecure_http": True, "request_timeout": 60}
    if trusted:
        settings["ssl_ca_cert"] = authority_file
    if slow:
        settings["timeout"] = 0.3
    with Server(trickle if slow else OK, tls=tls) as proxy:
        settings["proxy"] = proxy.url
        result, seconds = timed(lambda: track_once(proxy, "http://api.example", **settings))
    assert result.get("type") == type_
    assert seconds < 0.3 + SLACK


def test_the_error_for_a_proxys_certificate_names_the_proxy(authority: trustme.CA) -> None:
    """The error names the proxy whose certificate the client rejected."""
    with Server(OK, tls=context_for(authority, "127.0.0.1")) as proxy:
        result = track_once(proxy, "https://api.example", proxy=proxy.url)
    assert result["type"] == "tls_error"
    assert result["error"].startswith(f"The certificate of the proxy {proxy.url} was rejected")


def test_a_slow_handshake_through_an_https_proxy_ends_at_the_deadline(
    tls: ssl.SSLContext, authority_file: str
) -> None:
    """A call ends at its deadline if the handshake through an https proxy is slow."""

    def trickle(connection: Connection) -> bool:
        connection.socket.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        hello = b"\x16\x03\x03\x40\x00" + b"\x02\x00\x3f\xfc" + bytes(16000)
        return raw([hello[n : n + 1] for n in range(100)], every=0.05)(connection)

    with Server(trickle, tls=tls) as proxy:
        settings = {"proxy": proxy.url, "ssl_ca_cert": authority_file}
        result, seconds = timed(
            lambda: track_once(proxy, timeout=0.3, request_timeout=60, **settings)
        )
        assert result["success"] is False
        assert seconds < 0.3 + SLACK


def test_https_goes_through_a_proxys_tunnel(
    target: Server, authority_file: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The proxy gets the host, its credentials and its headers, but no token and no event data."""
    with Server(tunnel_to(target)) as proxy, caplog.at_level(logging.DEBUG):
        result = track_once(
            target,
            proxy=f"http://user:p%40ss@127.0.0.1:{proxy.port}",
            proxy_headers={"X-Team": "growth"},
            ssl_ca_cert=authority_file,
        )
        assert result["success"] is True
        (request,) = proxy.requests
    assert (request.method, request.target) == ("CONNECT", f"127.0.0.1:{target.port}")
    user = base64.b64encode(b"user:p@ss").decode()
    assert request.headers["proxy-authorization"] == [f"Basic {user}"]
    assert request.headers["x-team"] == ["growth"]
    assert "authorization" not in request.headers
    assert len(target.requests) == 1
    assert "proxy-authorization" not in target.requests[0].headers
    assert "p@ss" not in caplog.text
    assert "p%40ss" not in caplog.text


def test_the_client_connects_to_an_https_proxy_over_tls(
    target: Server, authority_file: str, tls: ssl.SSLContext
) -> None:
    """The client verifies the certificate of a proxy with an https:// URL."""
    with Server(tunnel_to(target), tls=tls) as proxy:
        url = f"https://127.0.0.1:{proxy.port}"
        assert track_once(target, proxy=url, ssl_ca_cert=authority_file)["success"] is True
        assert track_once(target, proxy=url)["type"] == "tls_error"


def test_the_environment_names_the_proxy(
    target: Server, authority_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HTTPS_PROXY is used unless NO_PROXY excludes the host; http to loopback uses no proxy."""
    with Server(tunnel_to(target)) as proxy, Server(OK) as plain:
        monkeypatch.setenv("HTTPS_PROXY", f"127.0.0.1:{proxy.port}")
        monkeypatch.setenv("HTTP_PROXY", f"127.0.0.1:{proxy.port}")
        assert track_once(target, ssl_ca_cert=authority_file)["success"] is True
        assert len(proxy.requests) == 1
        assert track_once(plain)["success"] is True
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert track_once(target, ssl_ca_cert=authority_file)["success"] is True
        assert len(proxy.requests) == 1
        monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1")
        monkeypatch.delenv("NO_PROXY")
        with pytest.raises(ApiValueError, match="HTTPS_PROXY"):
            CMSClient(TOKEN)


def test_the_proxy_gets_the_whole_request_of_plain_http(monkeypatch: pytest.MonkeyPatch) -> None:
    """If http is permitted, the client sends the whole request to the proxy."""
    with Server(OK) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://user:secret@127.0.0.1:{proxy.port}")
        configuration = Configuration("http://gw.example/cms", TOKEN, allow_insecure_http=True)
        with CMSClient(configuration=configuration) as client:
            assert lead(client)["success"] is True
        assert proxy.requests[0].target == "http://gw.example/cms/track/lead"
        assert proxy.requests[0].headers["host"] == ["gw.example"]
        user = base64.b64encode(b"user:secret").decode()
        assert proxy.requests[0].headers["proxy-authorization"] == [f"Basic {user}"]


def test_proxy_headers_replace_those_of_a_call() -> None:
    """A forwarding proxy gets each header once: `proxy_headers` replace a call's, in any case."""
    with Server(OK) as proxy:
        configuration = Configuration(
            "http://api.example",
            TOKEN,
            proxy=f"http://user:secret@127.0.0.1:{proxy.port}",
            proxy_headers={"authorization": "p", "HOST": "h", "proxy-authorization": "q"},
            allow_insecure_http=True,
        )
        with CMSClient(configuration=configuration) as client:
            assert lead(client)["success"] is True
    sent = proxy.requests[0].headers
    assert (sent["authorization"], sent["host"]) == (["p"], ["h"])
    assert len(sent["proxy-authorization"]) == 1
    assert TOKEN.encode() not in proxy.requests[0].raw


@pytest.mark.parametrize(
    ("host", "named"),
    [
        ("http://api.example", "api.example"),
        ("http://API.example:80", "api.example"),
        ("http://api.example:443", "api.example:443"),
        ("http://api.example.:8080/path", "api.example:8080"),
        ("http://api.example.", "api.example"),
        ("http://[2001:db8::1]:80", "[2001:db8::1]"),
        ("http://[2001:db8::1]:8080", "[2001:db8::1]:8080"),
    ],
)
def test_the_host_header_has_no_default_port(host: str, named: str) -> None:
    """The Host header has no default port and no final dot (RFC 9110, section 7.2)."""
    with Server(OK) as proxy:
        configuration = Configuration(
            host, TOKEN, proxy=f"http://127.0.0.1:{proxy.port}", allow_insecure_http=True
        )
        with CMSClient(configuration=configuration) as client:
            assert lead(client)["success"] is True
    assert proxy.requests[0].headers["host"] == [named]


PROXY_FAILURES = [
    raw(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"),
    raw(b"HTTP/1.1 407 who is user:secret? dXNlcjpzZWNyZXQ=\r\nX: secret\r\n\r\nsecret"),
    raw(b"HTTP/1.1 502 Bad Gateway\r\n\r\n"),
    raw(b"dXNlcjpzZWNyZXQ= secret\r\n\r\n"),
    raw(b"HTTP/1.1 200 OK\r\n" + b"X: secret dXNlcjpzZWNyZXQ=\r\n" * 9),
    drop,
    reset,
]


@pytest.mark.usefixtures("no_wait")
@pytest.mark.parametrize("failure", PROXY_FAILURES)
@pytest.mark.parametrize("tunnel", [True, False])
def test_a_failing_proxy_is_named_without_its_password(
    failure: Any, tunnel: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """No result, log or exception has the proxy's credentials, even if the proxy echoes them."""
    with Server(failure) as proxy, caplog.at_level(logging.DEBUG):
        configuration = Configuration(
            "https://api.example" if tunnel else "http://api.example",
            TOKEN,
            proxy=f"http://user:secret@127.0.0.1:{proxy.port}",
            allow_insecure_http=not tunnel,
            timeout=60,
        )
        assert "secret" not in repr(configuration)
        with ApiClient(configuration) as api_client, pytest.raises(ApiException) as caught:
            TrackingApi(api_client).track_lead(PAYLOAD)
        with CMSClient(configuration=configuration) as client:
            result = lead(client)
        assert proxy.wait_until_all_closed()
    assert (result["success"], result["type"]) == (False, caught.value.type)
    needs_credentials = failure in PROXY_FAILURES[:2]
    if tunnel:
        assert (result["type"], result["retryable"]) == ("network_error", True)
        assert f"proxy http://127.0.0.1:{proxy.port}" in result["error"]
        assert ("407. Check the proxy's user and password." in result["error"]) is needs_credentials
        assert len(proxy.requests) == 8
        assert all(TOKEN not in str(request) for request in proxy.requests)
    elif needs_credentials:
        assert (result["type"], result["status_code"]) == ("api_error", 407)
        assert len(proxy.requests) == 2
    error = caught.value
    shown = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    for text in (str(result), shown, caplog.text, pickle.dumps(error).decode("latin-1")):
        assert "secret" not in text
        assert "dXNlcjpzZWNyZXQ" not in text


@pytest.mark.usefixtures("no_wait")
def test_a_proxy_that_can_not_be_reached_is_a_network_error() -> None:
    """If nothing listens at the proxy's address, the result names the proxy and is retryable."""
    with Server() as proxy:
        pass
    result = track_once(
        proxy, "https://api.example", proxy=f"http://u:secret@127.0.0.1:{proxy.port}"
    )
    assert (result["type"], result["retryable"]) == ("network_error", True)
    assert f"The proxy {proxy.url} can't be reached" in result["error"]
    assert "secret" not in str(result)


@pytest.mark.parametrize("opened", [False, True])
def test_a_slow_proxy_does_not_block_a_call_beyond_its_deadline(
    opened: bool, tls: ssl.SSLContext, authority_file: str
) -> None:
    """The time that a proxy takes to open its tunnel counts towards the deadline."""
    with Server(never_respond, tls=tls) as target:
        trickle = raw([b"HTTP/1.1 200 OK\r\n"] + [b"X: y\r\n"] * 50, every=0.05)
        with Server(tunnel_to(target, delay=0.1) if opened else trickle) as proxy:
            settings = {"proxy": proxy.url, "ssl_ca_cert": authority_file}
            result, seconds = timed(
                lambda: track_once(target, timeout=0.3, request_timeout=60, **settings)
            )
    assert result["success"] is False
    assert seconds < 0.3 + SLACK
