"""`cutmeshort doctor`: what it reports about the connection and the token."""

import errno
import json
import os
import re
import socket
import ssl
import threading
import time
from datetime import datetime, timedelta, timezone
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
import trustme
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cutmeshort.cli import response_checks
from cutmeshort.exceptions import ApiException
from cutmeshort.sandbox import Sandbox

from ..support.addresses import Resolver, needs_unresponsive_address, unresponsive_address
from ..support.certificates import context_for, context_with
from ..support.relays import tunnel_to
from ..support.server import Server, drop, never_respond, raw, reset, respond
from ..support.timing import SLACK, timed
from .conftest import TOKEN, Run

NETWORK = ["dns", "tcp", "tunnel", "tls", "clock", "token_accepted"]
REJECTED = {"success": False, "error": "eventName is required"}
SERVICE = respond(422, json=REJECTED)


@pytest.fixture
def doctor(run: Run, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the command against a host, and return the network checks by name."""

    def doctor(host: str, *options: str, **variables: str) -> dict[str, dict[str, str]]:
        for name, value in {"CMS_HOST": host, **variables}.items():
            monkeypatch.setenv(name, value)
        done = run("doctor", "--json", *options)
        assert done.err == ""
        document = json.loads(done.out)
        checks = {check["name"]: check for check in document["checks"][4:]}
        assert list(checks) == NETWORK
        failed = [each for each in document["checks"] if each["status"] == "failed"]
        assert (done.code, document["ok"]) == (int(bool(failed)), not failed)
        assert all(each["advice"] for each in failed)
        return checks

    return doctor


def statuses(checks: dict[str, dict[str, str]]) -> str:
    """Return the first letters of the statuses, in the order of the checks."""
    return "".join(check["status"][0] for check in checks.values())


def test_a_working_set_up_passes(doctor: Any, sandbox: Sandbox) -> None:
    """The sandbox rejects the empty event, which shows that it accepts the token."""
    checks = doctor(sandbox.url)
    assert statuses(checks) == "oossoo"
    assert checks["token_accepted"]["message"].endswith("rejected only the empty event, with 422.")
    assert [refused.status for refused in sandbox.refused] == [422]
    assert sandbox.leads == []


def test_the_empty_event_is_sent_as_a_call_sends_it(doctor: Any) -> None:
    """The request has the SDK's headers and the path of the host, and is not retried."""
    with Server(respond(503)) as server:
        doctor(f"{server.url}/base")
    (request,) = server.requests
    assert (request.method, request.target, request.json) == ("POST", "/base/track/lead", {})
    assert request.headers["authorization"] == [f"Bearer {TOKEN}"]
    assert request.headers["x-cms-sdk-runtime"] == ["python"]


@pytest.mark.usefixtures("_trusted")
def test_tls_is_described(doctor: Any, authority: trustme.CA) -> None:
    """The report shows the TLS version and the days until the certificate expires."""
    later = datetime.now(timezone.utc) + timedelta(days=90, hours=1)
    with Server(SERVICE, tls=context_for(authority, "127.0.0.1", not_after=later)) as server:
        checks = doctor(server.url)
    assert statuses(checks) == "oososo"
    message = r"TLSv1\.[23], days until the certificate expires: (90|89)\."
    assert re.fullmatch(message, checks["tls"]["message"])


@pytest.mark.usefixtures("_trusted")
def test_a_certificate_that_expires_soon_is_a_warning(doctor: Any, authority: trustme.CA) -> None:
    """A certificate that expires within a week is a warning, and the exit code is 0."""
    soon = datetime.now(timezone.utc) + timedelta(days=3, hours=1)
    with Server(SERVICE, tls=context_for(authority, "127.0.0.1", not_after=soon)) as server:
        checks = doctor(server.url)
    assert statuses(checks) == "ooswso"
    assert checks["tls"]["message"].endswith("expires: 3.")


@pytest.mark.usefixtures("_trusted")
@pytest.mark.parametrize(
    ("names", "age", "reason", "advice"),
    [
        (["127.0.0.1"], timedelta(days=1), "certificate has expired", "clock"),
        (["other.example"], None, "IP address mismatch", "CMS_HOST"),
        (None, None, "unable to get local issuer certificate", "SSL_CERT_FILE"),
    ],
    ids=["expired", "other name", "unknown authority"],
)
def test_a_certificate_that_is_rejected_has_advice(
    names: Any, age: Any, reason: str, advice: str, doctor: Any, authority: trustme.CA
) -> None:
    """The report says why the certificate is rejected and what to do, and the rest are skipped."""
    validity = {} if age is None else {"not_after": datetime.now(timezone.utc) - age}
    issuer = authority if names else trustme.CA()
    context = context_for(issuer, *(names or ["127.0.0.1"]), **validity)
    with Server(SERVICE, tls=context) as server:
        checks = doctor(server.url)
    assert statuses(checks) == "oosfss"
    assert f"was rejected ({reason}" in checks["tls"]["message"]
    assert advice in checks["tls"]["advice"]
    assert server.requests == []


def test_a_self_signed_certificate_has_advice(
    doctor: Any, authority: trustme.CA, tmp_path: Path
) -> None:
    """A certificate of an authority that is not trusted is reported with the variable to set."""
    with Server(SERVICE, tls=context_with(authority, tmp_path / "own.pem")) as server:
        checks = doctor(server.url)
    assert statuses(checks) == "oosfss"
    assert "SSL_CERT_FILE" in checks["tls"]["advice"]


def test_a_port_without_tls_is_reported(doctor: Any) -> None:
    """If the port of an https:// host does not use TLS, the report says so."""
    with Server(on_connect=[raw(b"HTTP/1.1 400 Bad Request\r\n\r\n")]) as server:
        checks = doctor(server.url.replace("http:", "https:"))
    assert statuses(checks) == "oosfss"
    assert "TLS" in checks["tls"]["advice"]


def test_a_port_on_which_nothing_listens_is_reported(doctor: Any) -> None:
    """A rejected connection fails the TCP check, and the later checks are skipped."""
    with Server() as server:
        pass
    checks = doctor(server.url)
    assert statuses(checks) == "ofssss"
    reason = os.strerror(errno.ECONNREFUSED)
    message = f"Could not connect to 127.0.0.1:{server.port}. {reason}."
    assert checks["tcp"]["message"] == message
    assert "firewall" in checks["tcp"]["advice"]
    assert checks["clock"]["message"] == "There is no connection."


@pytest.mark.parametrize("proxy", ["", "http://missing.example:3128"])
def test_a_name_that_does_not_exist_is_reported(proxy: str, doctor: Any) -> None:
    """The failed check names the service's host or the proxy's, and the rest are skipped."""
    checks = doctor("https://service.example", HTTPS_PROXY=proxy)
    assert statuses(checks) == "fsssss"
    name = "missing.example (the proxy)" if proxy else "service.example (the service)"
    assert checks["dns"]["message"].startswith(f"The address of {name} was not found (")
    assert ("the proxy's variable" if proxy else "CMS_HOST") in checks["dns"]["advice"]


def test_a_name_has_its_addresses(doctor: Any) -> None:
    """The report shows the addresses of a name."""
    with Server(SERVICE) as server:
        checks = doctor(f"http://localhost:{server.port}")
    assert statuses(checks) == "oossso"
    assert "localhost (the service) has the address" in checks["dns"]["message"]
    assert "127.0.0.1" in checks["dns"]["message"]


def test_a_slow_look_up_ends_in_time(doctor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver that does not respond fails the look-up after `--timeout`."""
    resolver = Resolver(socket.gaierror(socket.EAI_AGAIN, "try again"))
    resolver.released.clear()
    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", resolver)
        checks, seconds = timed(lambda: doctor("https://slow.example", "--timeout", "0.2"))
        resolver.released.set()
        for thread in threading.enumerate():
            if thread.name == "look up slow.example":
                thread.join()
    assert statuses(checks) == "fsssss"
    assert checks["dns"]["message"].endswith("was not found within 0.2 s.")
    assert seconds < 0.2 + SLACK


@needs_unresponsive_address
def test_an_address_that_does_not_respond_ends_in_time(doctor: Any) -> None:
    """A connection that is neither accepted nor rejected fails after `--timeout`."""
    with unresponsive_address() as (address, port):
        host = f"http://{address}:{port}"
        checks, seconds = timed(lambda: doctor(host, "--timeout", "0.2"))
    assert statuses(checks) == "ofssss"
    assert "did not respond in time" in checks["tcp"]["message"]
    assert seconds < 0.2 + SLACK


@pytest.mark.parametrize("tls", [False, True])
def test_a_service_that_never_responds_ends_in_time(tls: bool, doctor: Any) -> None:
    """Without a response, the TLS or the token check fails, and the command ends in time."""
    with Server(never_respond, on_connect=[never_respond]) as server:
        host = server.url.replace("http:", "https:") if tls else server.url
        checks, seconds = timed(lambda: doctor(host, "--timeout", "0.2"))
    assert statuses(checks) == ("oosfss" if tls else "oosssf")
    failed = checks["tls" if tls else "token_accepted"]
    assert f"127.0.0.1:{server.port} did not respond in time." in failed["message"]
    assert seconds < 0.2 + SLACK


@pytest.mark.parametrize("step", [drop, reset, raw(b"\0" * 999), raw(b"HTTP/1.1 200 OK\r\n")])
def test_a_broken_response_is_reported(step: Any, doctor: Any) -> None:
    """If the connection is closed early, or the data is not HTTP, the token check fails."""
    with Server(step) as server:
        checks = doctor(server.url)
    assert statuses(checks) == "oosssf"
    assert checks["token_accepted"]["message"].startswith("Unknown: ")


# Status, body and headers of a response; the check's status, and a part of its message and advice.
RESPONSES: list[Any] = [
    (422, REJECTED, {}, "ok", "rejected only the empty event", ""),
    (400, {"message": "eventName"}, {}, "ok", "rejected only the empty event, with 400", ""),
    (422, b"", {}, "ok", "rejected only the empty event", ""),
    (401, {}, {}, "failed", "rejects the token, with status 401", "CMS_BEARER_TOKEN"),
    (403, {}, {}, "failed", "rejects the token, with status 403", "permission to track events."),
    (403, b"<html>", {}, "failed", "rejects the token, with status 403", "proxy or gateway"),
    (200, {"success": True}, {}, "failed", "accepted an empty event", "CMS_HOST"),
    (204, b"", {}, "failed", "accepted an empty event, with status 204", "CMS_HOST"),
    (200, b"<html>Log in", {}, "failed", "status 200 (invalid_response", "proxy or gateway"),
    (200, {"success": False}, {}, "failed", "status 200 (api_error", "CMS_HOST"),
    (400, b"<html>", {}, "failed", "status 400 (bad_request", "proxy or gateway"),
    (404, b"<html>", {}, "failed", "status 404 (not_found", "CMS_HOST"),
    (302, b"", {"Location": "/login"}, "failed", "status 302 (redirect", "CMS_HOST"),
    (409, {}, {}, "failed", "status 409 (conflict", "CMS_HOST"),
    (418, {}, {}, "failed", "status 418 (api_error", "CMS_HOST"),
    (429, {}, {"Retry-After": "30"}, "failed", "(rate_limit_exceeded", "in 30 s"),
    (429, {}, {}, "failed", "(rate_limit_exceeded", "later"),
    (500, {}, {"X-Request-Id": "req_9"}, "failed", "request id req_9", "later"),
    (503, b"<html>", {}, "failed", "(service_unavailable", "later"),
]


@pytest.mark.parametrize(("status", "body", "headers", "expected", "message", "advice"), RESPONSES)
def test_each_response_has_a_status(
    status: int,
    body: Any,
    headers: dict[str, str],
    expected: str,
    message: str,
    advice: str,
    doctor: Any,
) -> None:
    """The status and the body tell whether the token is accepted, rejected or unknown."""
    content = body if isinstance(body, bytes) else json.dumps(body)
    with Server(respond(status, content, headers)) as server:
        check = doctor(server.url)["token_accepted"]
    assert check["status"] == expected
    assert message in check["message"]
    assert advice in check.get("advice", "")


@pytest.mark.parametrize("token", ["", "Bearer not-valid"])
@pytest.mark.parametrize(("status", "expected"), [(401, "s"), (422, "s"), (404, "f")])
def test_without_a_token_the_network_is_checked(
    token: str, status: int, expected: str, doctor: Any
) -> None:
    """Without a valid token, a substitute is sent, whose rejection skips the token check."""
    date = {"Date": formatdate(usegmt=True)}
    with Server(respond(status, "{}", date)) as server:
        checks = doctor(server.url, CMS_BEARER_TOKEN=token)
    assert statuses(checks) == f"oosso{expected}"
    assert server.requests[0].headers["authorization"] == ["Bearer none"]


def test_invalid_settings_skip_the_network(doctor: Any) -> None:
    """Without a valid host, no network check runs."""
    checks = doctor("ftp://service.example")
    assert statuses(checks) == "ssssss"


def test_disabled_tracking_does_not_skip_the_network(doctor: Any, sandbox: Sandbox) -> None:
    """With CMS_ENABLED=0, the network checks run."""
    assert statuses(doctor(sandbox.url, CMS_ENABLED="0")) == "oossoo"


@pytest.mark.parametrize(
    ("seconds", "status", "message"),
    [
        (0, "ok", "0 s"),
        (-58, "ok", "behind"),
        (-90, "failed", "behind"),
        (90, "failed", "ahead of"),
    ],
)
def test_the_clock_is_compared(
    seconds: int, status: str, message: str, doctor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that differs from the Date header by more than a minute fails, with advice."""
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)
    date = formatdate(now - seconds, usegmt=True)
    with Server(respond(422, json=REJECTED, headers={"Date": date})) as server:
        check = doctor(server.url)["clock"]
    assert check["status"] == status
    assert message in check["message"]


@pytest.mark.parametrize(
    "headers", [{}, {"Date": ""}, {"Date": "yesterday"}, {"Date": "Thu, 01 Jan 99999 00:00:00 GMT"}]
)
def test_the_clock_is_skipped_without_a_valid_date(headers: Any, doctor: Any) -> None:
    """Without a valid Date header, the clock check is skipped with the reason."""
    with Server(respond(422, json=REJECTED, headers=headers)) as server:
        checks = doctor(server.url)
    assert statuses(checks) == "oossso"
    assert checks["clock"]["message"] == "There was no response with a valid Date header."


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(
    st.text()
    | st.lists(
        st.sampled_from(
            ["Sun,", "31", "99", "Jan", "2026", "99999999999", "25:61:61", "-0000", "Z"]
        )
    ).map(" ".join)
)
def test_any_date_is_skipped_or_compared(text: str) -> None:
    """Whatever the Date header is, the check never raises an exception."""
    outcome = ApiException(422, headers={"Date": text})
    assert response_checks.check_clock(outcome).status in ("ok", "failed", "skipped")


@pytest.fixture
def target(tls: ssl.SSLContext, _trusted: None) -> Any:
    """An https service that rejects the empty event."""
    with Server(respond(422, json=REJECTED), tls=tls) as server:
        yield server


def test_a_proxy_is_checked_first(doctor: Any, target: Server) -> None:
    """With a proxy, the DNS and TCP checks are for the proxy, and the TLS check for the service."""
    with Server(tunnel_to(target)) as proxy:
        checks = doctor(target.url, HTTPS_PROXY=f"http://ann:secret@localhost:{proxy.port}")
    assert statuses(checks) == "ooooso"
    assert checks["dns"]["message"].startswith("localhost (the proxy) has the address")
    assert checks["tcp"]["message"] == (f"Connected to the proxy at 127.0.0.1, port {proxy.port}.")
    assert checks["tunnel"]["message"] == f"The proxy opened a tunnel to {target.url}."
    assert "secret" not in str(checks)


def test_a_proxy_with_tls_is_checked(doctor: Any, target: Server, tls: ssl.SSLContext) -> None:
    """The tunnel of an https proxy is checked like that of an http proxy."""
    with Server(tunnel_to(target), tls=tls) as proxy:
        assert statuses(doctor(target.url, HTTPS_PROXY=proxy.url)) == "ooooso"


@pytest.mark.parametrize(
    ("step", "message", "advice"),
    [
        (respond(407), "refused a tunnel to 127.0.0.1:1 with status 407", "user and password"),
        (respond(403), "refused a tunnel to 127.0.0.1:1 with status 403", "permits tunnels"),
        (drop, "sent unusable data: truncated", "permits tunnels"),
    ],
)
def test_a_proxy_that_opens_no_tunnel_is_reported(
    step: Any, message: str, advice: str, doctor: Any
) -> None:
    """The tunnel check shows the proxy's status, and advice."""
    with Server(step) as proxy:
        checks = doctor("https://127.0.0.1:1", HTTPS_PROXY=proxy.url)
    assert statuses(checks) == "oofsss"
    assert message in checks["tunnel"]["message"]
    assert advice in checks["tunnel"]["advice"]


def test_a_proxy_that_does_not_listen_is_reported(doctor: Any) -> None:
    """If nothing listens at the proxy's address, the TCP check names the proxy."""
    with Server() as proxy:
        pass
    checks = doctor("https://127.0.0.1:1", HTTPS_PROXY=proxy.url)
    assert statuses(checks) == "ofssss"
    assert checks["tcp"]["message"].startswith(f"The proxy {proxy.url} can't be reached")
    assert checks["tcp"]["advice"].startswith("Check the proxy's port")
