"""Which Host and Origin headers the sandbox accepts."""

import re
import socket
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutmeshort import ApiValueError
from cutmeshort.sandbox import Sandbox
from cutmeshort.sandbox.http.access import (
    Access,
    check_allowed_hosts,
    cross_site_refusal,
    is_allowed,
    parse_host,
)

from .helpers import LEAD, connect, post, read_to_end, request

LOOPBACK = [
    "localhost",
    "LocalHost:1",
    "shop.localhost:8787",
    "127.0.0.1",
    "127.255.255.254:80",
    "[::1]",
    "[0:0:0:0:0:0:0:1]:8787",
    "localhost:",
]
OTHER = [
    "evil.example",
    "localhost.evil.example",
    "evil-localhost",
    "localhost.",
    "127.0.0.1.evil.example",
    "127.1",
    "2130706433",
    "0x7f.0.0.1",
    "10.0.0.5",
    "[2001:db8::1]:80",
    "sandbox:8787",
]
MALFORMED = ["", " ", "::1", "[127.0.0.1]", "[::1", "a b", "user@localhost", "localhost/", "[::g]"]


def status(bound: str, allowed: Any, *hosts: str) -> int:
    """Return the status with which a request is rejected; 0 if it is not."""
    headers = [(b"accept", b"*/*"), *((b"host", host.encode()) for host in hosts)]
    refusal = Access(bound, allowed).host_refusal(headers)
    return 0 if refusal is None else refusal.status


@pytest.mark.parametrize(
    ("bound", "accepted", "rejected"),
    [
        ("127.0.0.1", LOOPBACK, OTHER),
        ("::1", LOOPBACK, OTHER),
        ("localhost", LOOPBACK, OTHER),
        ("0.0.0.0", [*LOOPBACK, *OTHER[8:10]], [*OTHER[:8], OTHER[10]]),
        ("::", [*LOOPBACK, *OTHER[8:10]], [*OTHER[:8], OTHER[10]]),
        ("Sandbox", [*LOOPBACK, *OTHER[8:]], OTHER[:8]),
    ],
)
def test_only_known_hosts_are_accepted(
    bound: str, accepted: list[str], rejected: list[str]
) -> None:
    """The sandbox accepts the names of loopback and its own, and IP addresses on other networks."""
    assert [host for host in accepted if status(bound, (), host) != 0] == []
    assert [host for host in rejected if status(bound, (), host) != 403] == []
    assert [host for host in MALFORMED if status(bound, (), host) != 400] == []


def test_the_host_header_must_be_one() -> None:
    """A request without a Host header, or with several, is rejected."""
    assert status("127.0.0.1", ()) == 400
    assert status("127.0.0.1", (), "localhost", "localhost") == 400


def test_other_hosts_can_be_allowed() -> None:
    """Names and addresses that are passed are accepted with any port and in any case."""
    allowed = ["Sandbox", "x.ngrok.example", "10.0.0.5", "[2001:DB8:0::1]", "::2"]
    for host in ("sandbox:8787", "X.NGROK.example", "10.0.0.5:1", "[2001:db8::1]", "[::2]:9"):
        assert status("127.0.0.1", allowed, host) == 0
        assert status("127.0.0.1", (), host) == 403
    assert status("127.0.0.1", allowed, "a.sandbox") == 403


@pytest.mark.parametrize("value", ["sandbox", ["sandbox:80"], ["http://sandbox"], [""], [7], ["*"]])
def test_an_invalid_host_is_an_error(value: Any) -> None:
    """A single string, and anything that is not a host, is an error that names the argument."""
    with pytest.raises(ApiValueError, match="allowed_hosts must be a list of host names"):
        Sandbox(allowed_hosts=value)


HOST_CHARACTERS = string.ascii_letters + string.digits + ".-_:[]@/% "


@given(
    st.one_of(
        st.text(HOST_CHARACTERS, max_size=30),
        st.sampled_from(LOOPBACK + OTHER).flatmap(
            lambda host: st.text(HOST_CHARACTERS, max_size=6).map(lambda text: text + host)
        ),
        st.sampled_from(LOOPBACK + OTHER).flatmap(
            lambda host: st.text(HOST_CHARACTERS, max_size=6).map(lambda text: host + text)
        ),
        st.ip_addresses(v=4).map(str),
        st.ip_addresses(v=6).map("[{}]".format),
    ),
    st.booleans(),
)
def test_no_other_name_is_accepted(header: str, any_address: bool) -> None:
    """Whatever the header is, an accepted one is an address, a loopback name or allowed."""
    host = parse_host(header)
    if host is None or not is_allowed(host, check_allowed_hosts(["Sandbox"]), any_address):
        return
    name = re.sub(r":\d*$", "", header).lower()
    loopback = re.fullmatch(r"127(\.\d{1,3}){3}|\[[0:]*:0*1\]", name)
    address = re.fullmatch(r"\d{1,3}(\.\d{1,3}){3}|\[[0-9a-f:]+(\.\d+){0,3}\]", name)
    assert (
        name in ("localhost", "sandbox")
        or re.fullmatch(r"[a-z0-9._-]*\.localhost", name)
        or loopback
        or (any_address and address)
    )


def test_a_rejected_host_is_an_error_of_the_service(sandbox: Sandbox) -> None:
    """An operation responds with 403 and what to do, and the request is in the log."""
    sandbox.fail_next(status=503)
    response = post(sandbox, LEAD, Host="evil.example")
    assert (response.status, response.json()["type"]) == (403, "forbidden")
    assert "--allow-host evil.example" in response.json()["error"]
    assert [refused.type for refused in sandbox.refused] == ["forbidden"]
    assert post(sandbox, LEAD).status == 503  # the fault is still there
    assert sandbox.leads == []
    sandbox.update_settings(error_response="code")
    assert post(sandbox, LEAD, Host="evil.example").json()["code"] == "FORBIDDEN"
    assert request(sandbox, "GET", "/elsewhere", headers={"Host": "evil.example"}).status == 403


def test_a_rejected_host_does_not_see_the_interface(sandbox: Sandbox) -> None:
    """The interface responds to a name that is not allowed with 403 and one line."""
    for path in ("/_sandbox/state", "/docs", "/openapi.json", "/_sandbox/events"):
        response = request(sandbox, "GET", path, headers={"Host": "evil.example:80"})
        assert response.status == 403
        assert response.json().keys() == {"error"}
        assert response.headers["X-Frame-Options"] == "DENY"


def test_an_old_client_without_a_host_is_rejected(sandbox: Sandbox) -> None:
    """A request of HTTP/1.0 without a Host header gets 400."""
    with connect(sandbox) as connection:
        connection.sendall(b"GET /_sandbox/health HTTP/1.0\r\n\r\n")
        assert read_to_end(connection).startswith(b"HTTP/1.1 400")


def test_an_allowed_host_reaches_operations_and_interface() -> None:
    """A container that calls the sandbox by an allowed name is served."""
    with Sandbox(allowed_hosts=["sandbox"]) as sandbox:
        assert post(sandbox, LEAD, Host="sandbox:8787").status == 200
        headers = {"Host": "sandbox:8787", "Content-Type": "application/json"}
        origin = {"Origin": "http://sandbox:8787", **headers}
        assert request(sandbox, "POST", "/_sandbox/clear", headers=origin).status == 200
        tunnel = {"Origin": "https://sandbox:8787", **headers}
        assert request(sandbox, "POST", "/_sandbox/clear", headers=tunnel).status == 200


def test_a_sandbox_on_all_addresses_responds_to_addresses() -> None:
    """A sandbox that listens on all addresses responds under any address, and to no other name."""
    hosts = {"192.168.1.7:80": b"200", "0.0.0.0": b"200", "evil.example": b"403"}
    with Sandbox(host="0.0.0.0") as sandbox:
        for host, expected in hosts.items():
            with connect(sandbox) as connection:
                head = f"GET /_sandbox/health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
                connection.sendall(head.encode())
                assert read_to_end(connection).split()[1] == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, 200),
        ({"Origin": "OWN"}, 200),
        ({"Origin": "OWN", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Content-Type": "Application/JSON; charset=utf-8"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Origin": "http://localhost:1"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "OWN.evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": ""}, 415),
    ],
)
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_another_website_changes_nothing(
    method: str, headers: dict[str, str], expected: int, sandbox: Sandbox
) -> None:
    """A write needs the content type of JSON, and no page of another origin may send it."""
    sandbox.fail_next(status=503)
    path = {"POST": "/_sandbox/clear", "DELETE": "/_sandbox/faults"}[method]
    own = {"Content-Type": "application/json", **headers}
    own = {name: value.replace("OWN", sandbox.url) for name, value in own.items()}
    response = request(sandbox, method, path, headers=own)
    assert response.status == expected
    assert "Access-Control-Allow-Origin" not in response.headers
    assert len(sandbox.faults) == (0 if expected == 200 else 1)


CROSS_SITE = [
    {"Origin": "http://evil.example"},
    {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "http://localhost:1"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Origin": "OWN", "Sec-Fetch-Site": "cross-site"},
]


@pytest.mark.parametrize("method", ["POST", "GET", "OPTIONS"])
@pytest.mark.parametrize("headers", CROSS_SITE)
def test_another_website_does_not_reach_an_operation(
    method: str, headers: dict[str, str], sandbox: Sandbox
) -> None:
    """A request to an operation that a page of another origin sends gets 403 and has no effect."""
    sandbox.update_settings(rate_limit=2)
    sandbox.fail_next(status=503)
    before = sandbox.state()
    sent = {name: value.replace("OWN", sandbox.url) for name, value in headers.items()}
    sent.update({"Authorization": f"Bearer {sandbox.token}", "Content-Type": "text/plain"})
    response = request(sandbox, method, "/track/lead", headers=sent)
    assert (response.status, response.json()["type"]) == (403, "forbidden")
    assert "Access-Control-Allow-Origin" not in response.headers
    assert sandbox.state() == before
    assert sandbox.requests == []


def test_the_page_of_the_sandbox_reaches_an_operation(sandbox: Sandbox) -> None:
    """A lead that the page sends is recorded, as its Origin is that of the sandbox."""
    own = {"Origin": sandbox.url, "Sec-Fetch-Site": "same-origin"}
    assert post(sandbox, LEAD, **own).status == 200
    assert len(sandbox.leads) == 1


@pytest.mark.parametrize(
    ("host", "origin", "expected"),
    [
        ("localhost", "http://localhost", True),
        ("localhost", "http://localhost:80", True),
        ("localhost:80", "http://localhost", True),
        ("[::1]:80", "http://[::1]", True),
        ("Localhost:443", "https://localhost", True),
        ("localhost:8787", "HTTPS://LOCALHOST:8787", True),
        ("localhost:443", "http://localhost", False),
        ("localhost", "http://localhost:443", False),
        ("localhost", "http://localhost:8080", False),
        ("localhost:8787", "http://127.0.0.1:8787", False),
        ("localhost", "ftp://localhost", False),
        ("localhost", "localhost", False),
        ("localhost", "http://localhost, http://evil.example", False),
    ],
)
def test_an_origin_is_compared_with_the_host(host: str, origin: str, expected: bool) -> None:
    """An origin is the sandbox's own if its host and port are, with or without a default port."""
    headers = [(b"host", host.encode()), (b"origin", origin.encode())]
    assert (cross_site_refusal(headers) is None) is expected


def test_a_request_that_another_website_once_sent_can_be_sent_again(sandbox: Sandbox) -> None:
    """A replay works whatever the Origin of the imported request is: the developer asks for it."""
    assert post(sandbox, LEAD).status == 200
    document = sandbox.export()
    document["requests"][0]["headers"].append(["origin", "http://evil.example"])
    sandbox.import_(document)
    assert sandbox.replay(document["requests"][0]["id"])["state"] == "duplicate"


@pytest.mark.parametrize("path", ["/_sandbox/clear", "/track/lead"])
def test_two_origins_are_rejected(path: str, sandbox: Sandbox) -> None:
    """A request with two Origin headers is rejected, even if one is the sandbox's own."""
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: {sandbox.url[7:]}",
        f"Origin: {sandbox.url}",
        "Origin: http://evil.example",
        "Content-Type: application/json",
        "Content-Length: 0",
        "Connection: close",
    ]
    with connect(sandbox) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        connection.shutdown(socket.SHUT_WR)
        assert read_to_end(connection).startswith(b"HTTP/1.1 403")
