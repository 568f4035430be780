"""Proxies: tunnels for https, forwarded requests for http, and what a proxy learns."""

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
    """The proxy's certificate is verified, and a slow proxy is a timeout at the deadline."""
    drip = raw([b"HTTP/1.1 200 OK\r\n"] + [b"X: y\r\n"] * 90, every=0.1)
    settings: dict[str, Any] = {"allow_insecure_http": True, "request_timeout": 60}
    if trusted:
        settings["ssl_ca_cert"] = authority_file
    if slow:
        settings["timeout"] = 0.3
    with Server(drip if slow else OK, tls=tls) as proxy:
        settings["proxy"] = proxy.url
        result, seconds = timed(lambda: track_once(proxy, "http://api.example", **settings))
    assert result.get("type") == type_
    assert seconds < 0.3 + SLACK


def test_a_proxys_certificate_is_not_blamed_on_the_host(authority: trustme.CA) -> None:
    """The error names the proxy whose certificate was refused."""
    with Server(OK, tls=context_for(authority, "127.0.0.1")) as proxy:
        result = track_once(proxy, "https://api.example", proxy=proxy.url)
    assert result["type"] == "tls_error"
    assert result["error"].startswith(f"The certificate of the proxy {proxy.url} was rejected")


def test_an_https_proxy_that_drips_does_not_hold_a_call_beyond_its_deadline(
    tls: ssl.SSLContext, authority_file: str
) -> None:
    """TLS in TLS ends at the deadline."""

    def drip(connection: Connection) -> bool:
        connection.socket.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        hello = b"\x16\x03\x03\x40\x00" + b"\x02\x00\x3f\xfc" + bytes(16000)
        return raw([hello[n : n + 1] for n in range(100)], every=0.05)(connection)

    with Server(drip, tls=tls) as proxy:
        settings = {"proxy": proxy.url, "ssl_ca_cert": authority_file}
        result, seconds = timed(
            lambda: track_once(proxy, timeout=0.3, request_timeout=60, **settings)
        )
        assert result["success"] is False
        assert seconds < 0.3 + SLACK


def test_https_goes_through_a_proxys_tunnel(
    target: Server, authority_file: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The proxy sees host, user and password, and its own headers, but no token and no data."""
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


def test_an_https_proxy_is_spoken_to_by_tls(
    target: Server, authority_file: str, tls: ssl.SSLContext
) -> None:
    """A proxy with an https:// URL is verified like the service."""
    with Server(tunnel_to(target), tls=tls) as proxy:
        url = f"https://127.0.0.1:{proxy.port}"
        assert track_once(target, proxy=url, ssl_ca_cert=authority_file)["success"] is True
        assert track_once(target, proxy=url)["type"] == "tls_error"


def test_the_environment_names_the_proxy(
    target: Server, authority_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HTTPS_PROXY is used unless NO_PROXY excludes the host; plain http to loopback never goes."""
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


def test_plain_http_goes_through_a_proxy_in_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where plain http is permitted, a proxy gets the request itself."""
    with Server(OK) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://user:secret@127.0.0.1:{proxy.port}")
        configuration = Configuration("http://gw.example/cms", TOKEN, allow_insecure_http=True)
        with CMSClient(configuration=configuration) as client:
            assert lead(client)["success"] is True
        assert proxy.requests[0].target == "http://gw.example/cms/track/lead"
        assert proxy.requests[0].headers["host"] == ["gw.example"]
        user = base64.b64encode(b"user:secret").decode()
        assert proxy.requests[0].headers["proxy-authorization"] == [f"Basic {user}"]


def test_a_proxys_headers_replace_those_of_a_call_whatever_their_case() -> None:
    """A proxy that forwards gets each header once."""
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
def test_the_host_header_names_the_host_without_its_standard_port(host: str, named: str) -> None:
    """As RFC 9110 has it, section 7.2; a dot that ends a name is for the name look-up alone."""
    with Server(OK) as proxy:
        configuration = Configuration(
            host, TOKEN, proxy=f"http://127.0.0.1:{proxy.port}", allow_insecure_http=True
        )
        with CMSClient(configuration=configuration) as client:
            assert lead(client)["success"] is True
    assert proxy.requests[0].headers["host"] == [named]


REFUSALS = [
    raw(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"),
    raw(b"HTTP/1.1 407 who is user:secret? dXNlcjpzZWNyZXQ=\r\nX: secret\r\n\r\nsecret"),
    raw(b"HTTP/1.1 502 Bad Gateway\r\n\r\n"),
    raw(b"dXNlcjpzZWNyZXQ= secret\r\n\r\n"),
    raw(b"HTTP/1.1 200 OK\r\n" + b"X: secret dXNlcjpzZWNyZXQ=\r\n" * 9),
    drop,
    reset,
]


@pytest.mark.usefixtures("no_wait")
@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("tunnel", [True, False])
def test_a_proxy_that_refuses_is_named_without_its_password(
    refusal: Any, tunnel: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """No result, log or exception has the proxy's user and password, though the proxy echoes."""
    with Server(refusal) as proxy, caplog.at_level(logging.DEBUG):
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
    refused = refusal in REFUSALS[:2]
    if tunnel:
        assert (result["type"], result["retryable"]) == ("network_error", True)
        assert f"proxy http://127.0.0.1:{proxy.port}" in result["error"]
        assert ("407. Check the proxy's user and password." in result["error"]) is refused
        assert len(proxy.requests) == 8
        assert all(TOKEN not in str(request) for request in proxy.requests)
    elif refused:
        assert (result["type"], result["status_code"]) == ("api_error", 407)
        assert len(proxy.requests) == 2
    error = caught.value
    shown = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    for text in (str(result), shown, caplog.text, pickle.dumps(error).decode("latin-1")):
        assert "secret" not in text
        assert "dXNlcjpzZWNyZXQ" not in text


@pytest.mark.usefixtures("no_wait")
def test_a_proxy_that_can_not_be_reached_is_a_network_error() -> None:
    """Where no proxy listens, the result names it and is retryable."""
    with Server() as proxy:
        pass
    result = track_once(
        proxy, "https://api.example", proxy=f"http://u:secret@127.0.0.1:{proxy.port}"
    )
    assert (result["type"], result["retryable"]) == ("network_error", True)
    assert f"The proxy {proxy.url} can't be reached" in result["error"]
    assert "secret" not in str(result)


@pytest.mark.parametrize("opened", [False, True])
def test_a_slow_proxy_does_not_hold_a_call_beyond_its_deadline(
    opened: bool, tls: ssl.SSLContext, authority_file: str
) -> None:
    """The time that a proxy takes to open its tunnel counts against the deadline."""
    with Server(never_respond, tls=tls) as target:
        drip = raw([b"HTTP/1.1 200 OK\r\n"] + [b"X: y\r\n"] * 50, every=0.05)
        with Server(tunnel_to(target, delay=0.1) if opened else drip) as proxy:
            settings = {"proxy": proxy.url, "ssl_ca_cert": authority_file}
            result, seconds = timed(
                lambda: track_once(target, timeout=0.3, request_timeout=60, **settings)
            )
    assert result["success"] is False
    assert seconds < 0.3 + SLACK
