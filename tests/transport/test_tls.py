"""TLS and proxies, with real certificates and real tunnels."""

import base64
import itertools
import logging
import os
import pickle
import re
import select
import socket
import ssl
import threading
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cutmeshort import (
    ApiClient,
    ApiException,
    ApiValueError,
    CMSClient,
    Configuration,
    TrackingApi,
)

from ..support.events import PAYLOAD, TOKEN, lead
from ..support.forking import forks
from ..support.server import Connection, Server, at_once, drop, raw, reply, reset, silence

OK = reply(json={"message": "Done"})


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def authority_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


def _tls(authority: trustme.CA, *names: str, **validity: Any) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*names, **validity).configure_cert(context)
    return context


@pytest.fixture(scope="module")
def tls(authority: trustme.CA) -> ssl.SSLContext:
    """A server's context with a certificate for 127.0.0.1."""
    return _tls(authority, "127.0.0.1")


def _track(server: Server, host: Any = None, **settings: Any) -> Any:
    with CMSClient(TOKEN, host or server.url, configuration=Configuration(**settings)) as client:
        return lead(client)


def test_an_unknown_authority_is_refused_with_advice(tls: ssl.SSLContext) -> None:
    """A certificate that isn't trusted is a `tls_error`, tried once, that says what to do."""
    with Server(OK, tls=tls) as server:
        result = _track(server)
        assert (result["type"], result["status_code"]) == ("tls_error", 0)
        assert result["retryable"] is False
        assert "ssl_ca_cert" in result["error"]
        assert server.connections == 1
        assert not server.requests
        assert server.wait_until_all_closed()


@pytest.mark.parametrize(
    ("validity", "name", "reason", "advice"),
    [
        ({"not_after": datetime(2020, 1, 1, tzinfo=timezone.utc)}, "127.0.0.1", "expired", "clock"),
        (
            {"not_before": datetime(2999, 1, 1, tzinfo=timezone.utc)},
            "127.0.0.1",
            "not yet valid",
            "clock",
        ),
        ({}, "127.0.0.2", "IP address mismatch", "CMS_HOST"),
        ({}, "api.example", "IP address mismatch", "CMS_HOST"),
    ],
)
def test_a_certificate_that_is_not_valid_is_refused_with_advice(
    validity: Any, name: str, reason: str, advice: str, authority: trustme.CA, authority_file: str
) -> None:
    """A wrong date or name is a `tls_error`, tried once, that says what is wrong and what to do."""
    with Server(OK, tls=_tls(authority, name, **validity)) as server:
        result = _track(server, ssl_ca_cert=authority_file)
        assert (result["type"], result["status_code"]) == ("tls_error", 0)
        assert reason in result["error"]
        assert advice in result["error"]
        assert "ssl_ca_cert" not in result["error"]
        assert (server.connections, len(server.requests)) == (1, 0)
        assert server.wait_until_all_closed()


def test_a_self_signed_certificate_is_refused_with_advice(tmp_path: Path) -> None:
    """A certificate that nobody but itself vouches for is a `tls_error` that says what to do."""
    own = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    both = tmp_path / "both.pem"
    own.private_key_pem.write_to_path(both)
    own.cert_pem.write_to_path(both, append=True)
    context.load_cert_chain(both)
    with Server(OK, tls=context) as server:
        result = _track(server)
        assert result["type"] == "tls_error"
        assert "self" in result["error"]
        assert "ssl_ca_cert" in result["error"]
        assert server.connections == 1


def test_what_is_left_of_an_answer_is_not_the_next_one(
    tls: ssl.SSLContext, authority_file: str
) -> None:
    """A TLS connection with more than one answer in it isn't kept, even if TLS has read it all."""
    body = b'{"message": "%s"}' % (b"x" * 8000)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
    first = head % len(body) + body
    first = first.replace(b"200 OK", b"200 " + b"O" * (8194 - len(first)))
    assert len(first) == 8192  # what is read at a time
    second = head % 20 + b'{"message": "wrong"}'
    steps = [raw(first + second, close=False), reply(422)]
    configuration = Configuration(ssl_ca_cert=authority_file)
    with (
        Server(*steps, tls=tls) as server,
        CMSClient(TOKEN, server.url, configuration=configuration, max_retries=0) as client,
    ):
        assert lead(client)["success"] is True
        assert lead(client)["type"] == "unprocessable_entity"
        assert server.connections == 2


def test_a_kept_tls_connection_that_was_dropped_is_replaced_at_once(
    tls: ssl.SSLContext, authority_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same holds for https: success without a repeat and without a wait."""
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("waited"))
    once = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    configuration = Configuration(ssl_ca_cert=authority_file)
    with (
        Server(once, tls=tls) as server,
        CMSClient(TOKEN, server.url, configuration=configuration, max_retries=0) as client,
    ):
        for number in (1, 2, 3):
            assert lead(client)["success"] is True
            assert server.wait_until_all_closed()
            assert (len(server.requests), server.connections) == (number, number)


@forks
def test_a_tls_connection_survives_the_fork_of_its_process(
    tls: ssl.SSLContext, authority_file: str
) -> None:
    """The child says no good-bye on its parent's connection."""
    configuration = Configuration(ssl_ca_cert=authority_file)
    with (
        Server(OK, tls=tls) as server,
        CMSClient(TOKEN, server.url, configuration=configuration, max_retries=0) as client,
    ):
        assert lead(client)["success"] is True
        child = os.fork()
        if child == 0:
            os._exit(0 if lead(client)["success"] else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert lead(client)["success"] is True
        assert [request.connection for request in server.requests] == [1, 2, 1]


def test_a_private_authority_is_trusted_by_file_and_by_data(
    tls: ssl.SSLContext, authority: trustme.CA, authority_file: str
) -> None:
    """`ssl_ca_cert` and `ca_cert_data` name the authority; a connection serves many calls."""
    pem = authority.cert_pem.bytes().decode()
    der = ssl.PEM_cert_to_DER_cert(pem)
    with Server(OK, tls=tls) as server:
        for settings in ({"ssl_ca_cert": authority_file}, {"ca_cert_data": pem}):
            assert _track(server, **settings)["success"] is True
        configuration = Configuration(ca_cert_data=der)
        with CMSClient(TOKEN, server.url, configuration=configuration) as client:
            assert lead(client)["success"] is lead(client)["success"] is True
        assert server.connections == 3


def test_plain_http_goes_through_an_https_proxy_in_time(
    tls: ssl.SSLContext, authority_file: str
) -> None:
    """The proxy's certificate is verified as the configuration says, and the deadline holds."""
    drip = raw([b"HTTP/1.1 200 OK\r\n"] + [b"X: y\r\n"] * 90, every=0.1)
    for step, settings, kind in (
        (OK, {"ssl_ca_cert": authority_file}, None),
        (OK, {}, "tls_error"),
        (drip, {"ssl_ca_cert": authority_file, "timeout": 0.5}, "timeout"),
    ):
        with Server(step, tls=tls) as proxy:
            begin = time.monotonic()
            result = _track(
                proxy,
                "http://api.example",
                proxy=proxy.url,
                allow_insecure_http=True,
                **settings,  # type: ignore[arg-type]
            )
            assert result.get("type") == kind
            assert time.monotonic() - begin < 2.5


@pytest.mark.parametrize("name", ["ssl_ca_cert", "cert_file", "key_file"])
def test_a_file_that_is_not_pem_is_named(name: str, tmp_path: Path, authority_file: str) -> None:
    """The message has the path of a file that has no certificate or key."""
    path = tmp_path / "empty.pem"
    path.write_text("nothing")
    files = {name: str(path)}
    if name == "key_file":
        files["cert_file"] = authority_file
    with pytest.raises(ApiValueError, match=re.escape(f"{name} ({str(path)!r})")):
        CMSClient(TOKEN, configuration=Configuration(**files))  # type: ignore[arg-type]


def test_a_certificate_for_another_purpose_is_not_a_matter_of_trust(
    authority: trustme.CA, authority_file: str, tmp_path: Path
) -> None:
    """The advice is to have it issued again, and not to pass a file that was passed already."""
    name = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    context = _certificate(authority, tmp_path / "client.pem", name, purpose)
    with Server(OK, tls=context) as server:
        result = _track(server, ssl_ca_cert=authority_file)
    assert result["type"] == "tls_error"
    assert result["error"].endswith("The certificate, or its authority's, must be issued again.")


def test_a_proxys_certificate_is_not_blamed_on_the_host(authority: trustme.CA) -> None:
    """The error names the proxy."""
    with Server(OK, tls=_tls(authority, "127.0.0.1")) as proxy:
        result = _track(proxy, "https://api.example", proxy=proxy.url)
    assert result["type"] == "tls_error"
    assert result["error"].startswith(f"The certificate of the proxy {proxy.url} was refused")


def test_verification_can_be_switched_off(tls: ssl.SSLContext) -> None:
    """`verify_ssl=False` takes any certificate; the client warns of it once, when it is made."""
    with Server(OK, tls=tls) as server:
        configuration = Configuration(server.url, TOKEN, verify_ssl=False)
        with pytest.warns(UserWarning, match="verify_ssl=False") as caught:
            client = CMSClient(configuration=configuration)
        with client:
            assert lead(client)["success"] is lead(client)["success"] is True
    assert [warning.filename for warning in caught] == [__file__]


def test_the_expected_name_can_be_set(authority: trustme.CA, authority_file: str) -> None:
    """A certificate for another name is refused, unless `assert_hostname` expects that name."""
    with Server(OK, tls=_tls(authority, "api.example")) as server:
        for expected, kind in (
            (None, "tls_error"),
            ("other.example", "tls_error"),
            ("api.example", None),
            (False, None),
        ):
            result = _track(server, ssl_ca_cert=authority_file, assert_hostname=expected)
            assert result.get("type") == kind


def test_the_name_of_the_handshake_can_be_set(authority: trustme.CA, authority_file: str) -> None:
    """`tls_server_name` is asked for by SNI and expected in the certificate."""
    context = _tls(authority, "api.example")
    asked: list[Any] = []
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    with Server(OK, tls=context) as server:
        result = _track(server, ssl_ca_cert=authority_file, tls_server_name="api.example")
        assert result["success"] is True
    assert asked == ["api.example"]


@pytest.mark.parametrize("separate", [False, True])
def test_a_client_certificate_is_shown(
    separate: bool, authority: trustme.CA, authority_file: str, tmp_path: Path
) -> None:
    """`cert_file` and `key_file` identify the client; without them the server refuses it."""
    context = _tls(authority, "127.0.0.1")
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    client = authority.issue_cert("client@example.com")
    certificate, key = tmp_path / "client.pem", tmp_path / "client.key"
    client.private_key_pem.write_to_path(key)
    if not separate:
        client.private_key_pem.write_to_path(certificate)
    for blob in client.cert_chain_pems:
        blob.write_to_path(certificate, append=True)
    with Server(OK, tls=context) as server:
        settings = {"cert_file": str(certificate), "key_file": str(key) if separate else None}
        assert _track(server, ssl_ca_cert=authority_file, **settings)["success"] is True
        # With TLS 1.3, the server refuses after the handshake, and may have the request by then.
        refused = _track(server, ssl_ca_cert=authority_file, retries=0)
        assert refused["type"] == "network_error"
        assert len(server.requests) == 1
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        refused = _track(server, ssl_ca_cert=authority_file)
        assert refused["type"] == "tls_error"
        assert "No TLS connection" in refused["error"]
        assert len(server.requests) == 1


def test_a_key_with_a_password_is_refused(authority: trustme.CA, tmp_path: Path) -> None:
    """An encrypted key is refused when the client is made, and nobody is asked for a password."""
    certificate = authority.issue_cert("client@example.com")
    key = serialization.load_pem_private_key(certificate.private_key_pem.bytes(), None)
    encrypted = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"password"),
    )
    path = tmp_path / "client.pem"
    path.write_bytes(encrypted + b"".join(pem.bytes() for pem in certificate.cert_chain_pems))
    with pytest.raises(ApiValueError, match="key has a password"):
        CMSClient(TOKEN, configuration=Configuration(cert_file=str(path)))


def test_a_hung_handshake_does_not_hold_a_call_beyond_its_deadline(tls: ssl.SSLContext) -> None:
    """The handshake gets what is left, after a connection or a tunnel that took its time."""
    with Server(tls=tls, greetings=[silence]) as target, Server(_slow_tunnel) as proxy:
        _tunnel_target[:] = [target.port]
        for settings in ({}, {"proxy": proxy.url}):
            begin = time.monotonic()
            result = _track(target, timeout=0.5, **settings)
            assert result["type"] == "timeout"
            assert time.monotonic() - begin < 2.5


def test_an_https_proxy_that_drips_does_not_hold_a_call_beyond_its_deadline(
    tls: ssl.SSLContext, authority_file: str
) -> None:
    """TLS within TLS is bounded like the rest."""

    def drip(connection: Connection) -> bool:
        connection.socket.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        hello = b"\x16\x03\x03\x40\x00" + b"\x02\x00\x3f\xfc" + bytes(16000)
        return raw([hello[n : n + 1] for n in range(100)], every=0.05)(connection)

    with Server(drip, tls=tls) as proxy:
        begin = time.monotonic()
        result = _track(proxy, timeout=0.5, proxy=proxy.url, ssl_ca_cert=authority_file)
        assert result["success"] is False
        assert time.monotonic() - begin < 2.5


def _certificate(
    authority: trustme.CA, path: Path, *extensions: x509.ExtensionType
) -> ssl.SSLContext:
    """Make a server's context whose certificate has a common name and what is given."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.load_pem_x509_certificate(authority.cert_pem.bytes())
    issuer_key: Any = serialization.load_pem_private_key(authority.private_key_pem.bytes(), None)
    begin = datetime.now(timezone.utc) - timedelta(days=1)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=9))
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), False
        )
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    certificate = builder.sign(issuer_key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(pem))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    return context


@pytest.mark.parametrize("expected", [None, "localhost"])
def test_a_certificate_without_names_is_refused(
    expected: Any, authority: trustme.CA, authority_file: str, tmp_path: Path
) -> None:
    """A common name is no substitute for a subjectAltName."""
    context = _certificate(authority, tmp_path / "server.pem")
    with Server(OK, tls=context) as server:
        host = f"https://localhost:{server.port}"
        result = _track(server, host, ssl_ca_cert=authority_file, assert_hostname=expected)
        assert result["type"] == "tls_error"
        assert not server.requests


def send_on(client: Any, data: bytes) -> bool:
    """Send back what a relay's target sent, and go on."""
    client.sendall(data)
    return True


def relay(connection: Connection, port: int, send_back: Any = send_on) -> bool:
    """Pass bytes on to a port, and what comes back to `send_back`, until either side ends."""
    client = connection.socket
    with socket.create_connection(("127.0.0.1", port)) as upstream:
        while not connection.stopping.is_set():
            for source in select.select([client, upstream], [], [], 0.05)[0]:
                data = b""
                with suppress(OSError):
                    data = source.recv(65536)
                if not data:
                    return False
                if source is client:
                    upstream.sendall(data)
                elif not send_back(client, data):
                    return False
    return False


class Relay:
    """
    Passes bytes on to a server; damages its response to a request, and closes the connection.

    Args:
        target: The server.
        damage: Makes other bytes of those that come back.
    """

    def __init__(self, target: Server, damage: Any) -> None:
        self._target = target
        self._damage = damage

    def __call__(self, connection: Connection) -> bool:
        """Greet a connection by passing it on."""
        before = len(self._target.requests)

        def send_back(client: Any, data: bytes) -> bool:
            damaged = len(self._target.requests) > before
            client.sendall(self._damage(data) if damaged else data)
            return not damaged

        return relay(connection, self._target.port, send_back)


def flip(data: bytes) -> bytes:
    """Change the last byte of what comes, a part of a record's authentication."""
    return data[:-1] + bytes([data[-1] ^ 1])


@pytest.mark.usefixtures("no_wait")
@pytest.mark.parametrize("damage", [flip, lambda data: data[:-1], lambda _: b"\x15\x03\x03\0\1x"])
def test_tls_that_fails_after_the_request_is_a_network_error(
    damage: Any, tls: ssl.SSLContext, authority_file: str
) -> None:
    """What was sent may be recorded: it is retried, and a failure is retryable."""
    with Server(OK, tls=tls) as target, Server(greetings=[Relay(target, damage)]) as relay:
        host = f"https://127.0.0.1:{relay.port}"
        result = _track(relay, host, ssl_ca_cert=authority_file, timeout=5)
        assert (result["type"], result["retryable"]) == ("network_error", True)
        assert relay.connections == 4


def cut(connection: Connection) -> bool:
    """Respond without a length, and close the connection below TLS."""
    connection.socket.sendall(b'HTTP/1.1 200 OK\r\n\r\n{"success": true}')
    socket.socket.shutdown(connection.socket, socket.SHUT_RDWR)
    return False


def whole(connection: Connection) -> bool:
    """Respond without a length, and close the connection as TLS has it."""
    connection.socket.sendall(b'HTTP/1.1 200 OK\r\n\r\n{"success": true}')
    with suppress(OSError):
        connection.socket.unwrap()  # type: ignore[attr-defined]
    return False


@pytest.mark.usefixtures("no_wait")
@pytest.mark.parametrize("tunnelled", [False, True])
@pytest.mark.parametrize(("step", "kind"), [(cut, "network_error"), (whole, None)])
def test_a_body_that_ends_with_the_connection_needs_the_end_of_tls(
    step: Any, kind: Any, tunnelled: bool, tls: ssl.SSLContext, authority_file: str
) -> None:
    """Anyone on the network could have closed the connection."""
    with Server(step, tls=tls) as target, Server(_tunnel, tls=tls) as proxy:
        _tunnel_target[:] = [target.port]
        settings = {"proxy": f"https://127.0.0.1:{proxy.port}"} if tunnelled else {}
        result = _track(target, ssl_ca_cert=authority_file, **settings)
        assert result.get("type") == kind
        assert len(target.requests) == (4 if kind else 1)


def test_a_response_in_too_many_pieces_is_refused(tls: ssl.SSLContext, authority_file: str) -> None:
    """One of single bytes, each a TLS record, would cost more than it is worth."""
    body = [b" "] * 20_100
    step = raw([b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body), *body])
    with Server(step, tls=tls) as server:
        result = _track(server, ssl_ca_cert=authority_file, retries=0)
    assert result["type"] == "network_error"
    assert "pieces" in result["error"]


def flood_with_hello_requests(connection: Connection) -> bool:
    """Send what TLS skips, for as long as it comes: it needs no certificate."""
    connection.socket.recv(1)
    return raw(lambda: itertools.repeat(b"\x16\x03\x03\x00\x04\0\0\0\0" * 9999))(connection)


def test_a_handshake_that_has_no_end_does_not_hold_a_call(tls: ssl.SSLContext) -> None:
    """OpenSSL would read what means nothing for as long as it comes."""
    with Server(tls=tls, greetings=[flood_with_hello_requests]) as server:
        begin = time.monotonic()
        result = _track(server, timeout=10, retries=0)
        assert time.monotonic() - begin < 3
    assert (result["type"], result["retryable"]) == ("network_error", True)


def test_a_handshake_and_a_tunnel_end_with_the_time_to_connect(tls: ssl.SSLContext) -> None:
    """Each step of making a connection has the same limit as connecting."""
    with Server(tls=tls, greetings=[silence]) as target, Server(silence) as proxy:
        for settings in ({}, {"proxy": proxy.url}):
            begin = time.monotonic()
            result = _track(target, request_timeout=(0.2, 60), timeout=60, retries=0, **settings)
            assert result["type"] == "timeout"
            assert time.monotonic() - begin < 2.5


def test_a_tunnel_and_a_handshake_have_a_time_of_their_own(
    tls: ssl.SSLContext, authority_file: str
) -> None:
    """Together they may take longer than the time to connect."""

    def wait(connection: Connection) -> bool:
        return not connection.stopping.wait(0.6)

    def slow_tunnel(connection: Connection) -> bool:
        return wait(connection) and _tunnel(connection)

    with Server(OK, tls=tls, greetings=[wait]) as target, Server(slow_tunnel) as proxy:
        _tunnel_target[:] = [target.port]
        settings = {"proxy": proxy.url, "request_timeout": (1, 5)}
        assert _track(target, ssl_ca_cert=authority_file, **settings)["success"] is True


def test_no_tls_at_all_is_a_tls_error() -> None:
    """A plain server behind https:// is a `tls_error`, tried once."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            client, _address = listener.accept()
            client.recv(65536)
            client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            client.close()

        thread = threading.Thread(target=answer)
        thread.start()
        with CMSClient(TOKEN, f"https://127.0.0.1:{listener.getsockname()[1]}") as client:
            result = lead(client)
        thread.join()
    assert result["type"] == "tls_error"
    assert "No TLS connection" in result["error"]


def test_a_handshake_that_breaks_off_is_a_network_error() -> None:
    """A server that goes away in the handshake is repeated, unlike one that refuses."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)

        def accept() -> None:
            for _ in range(2):
                client, _address = listener.accept()
                client.recv(1)
                client.recv(65536)
                client.close()

        thread = threading.Thread(target=accept)
        thread.start()
        host = f"https://127.0.0.1:{listener.getsockname()[1]}"
        with CMSClient(TOKEN, host, max_retries=1) as client:
            assert lead(client)["type"] == "network_error"
        thread.join()


def _tunnel(connection: Connection, send_back: Any = send_on) -> bool:
    """Respond to CONNECT, then relay."""
    connection.socket.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
    return relay(connection, _tunnel_target[0], send_back)


_tunnel_target: list[int] = []


@pytest.fixture
def target(tls: ssl.SSLContext) -> Iterator[Server]:
    """An https server that proxies tunnel to."""
    with Server(OK, tls=tls) as server:
        _tunnel_target[:] = [server.port]
        yield server


def test_https_goes_through_a_proxys_tunnel(
    target: Server, authority_file: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The proxy sees host, user and password, and its own headers, but no token and no data."""
    with Server(_tunnel) as proxy, caplog.at_level(logging.DEBUG):
        result = _track(
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
    with Server(_tunnel, tls=tls) as proxy:
        url = f"https://127.0.0.1:{proxy.port}"
        assert _track(target, proxy=url, ssl_ca_cert=authority_file)["success"] is True
        assert _track(target, proxy=url)["type"] == "tls_error"


def test_an_unread_answer_can_be_read_in_another_thread(
    tls: ssl.SSLContext, authority_file: str
) -> None:
    """TLS within TLS goes by the answer's own time, not by that of the thread's last call."""
    body = b'{"message": "%s"}' % (b"x" * 100_000)
    with Server(reply(body=body), tls=tls) as target, Server(_tunnel, tls=tls) as proxy:
        _tunnel_target[:] = [target.port]
        configuration = Configuration(
            target.url, TOKEN, proxy=f"https://127.0.0.1:{proxy.port}", ssl_ca_cert=authority_file
        )
        with ApiClient(configuration) as api_client, ThreadPoolExecutor(1) as other:
            api = TrackingApi(api_client)
            answer = api.track_lead_without_preload_content(PAYLOAD)
            assert other.submit(lambda: answer.data).result() == body
            answer = api.track_lead_without_preload_content(PAYLOAD)
            api.track_lead(PAYLOAD, _deadline=0.2)
            assert not threading.Event().wait(0.2)
            assert answer.data == body


def test_the_environment_names_the_proxy(
    target: Server, authority_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HTTPS_PROXY is used unless NO_PROXY excludes the host; plain http to loopback never goes."""
    with Server(_tunnel) as proxy, Server(OK) as plain:
        monkeypatch.setenv("HTTPS_PROXY", f"127.0.0.1:{proxy.port}")
        monkeypatch.setenv("HTTP_PROXY", f"127.0.0.1:{proxy.port}")
        assert _track(target, ssl_ca_cert=authority_file)["success"] is True
        assert len(proxy.requests) == 1
        assert _track(plain)["success"] is True
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert _track(target, ssl_ca_cert=authority_file)["success"] is True
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
def test_a_proxy_that_refuses_says_so_and_nothing_else(
    refusal: Any, tunnel: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """No result, log or exception has the proxy's user and password, though the proxy echoes."""
    with Server(refusal) as proxy, caplog.at_level(logging.DEBUG):
        configuration = Configuration(
            "https://api.example" if tunnel else "http://api.example",
            TOKEN,
            proxy=f"http://user:secret@127.0.0.1:{proxy.port}",
            allow_insecure_http=not tunnel,
            timeout=5,
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
        assert ("407. Check its user and password." in result["error"]) is refused
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
def test_a_proxy_that_is_away_is_a_network_error() -> None:
    """Where no proxy listens, the result says so and may be repeated."""
    with Server() as proxy:
        pass
    away = _track(proxy, "https://api.example", proxy=f"http://u:secret@127.0.0.1:{proxy.port}")
    assert (away["type"], away["retryable"]) == ("network_error", True)
    assert f"The proxy {proxy.url} can't be reached" in away["error"]
    assert "secret" not in str(away)


def _slow_tunnel(connection: Connection) -> bool:
    """Take a while before the tunnel stands."""
    connection.stopping.wait(0.3)
    return _tunnel(connection)


@pytest.mark.parametrize(
    "tunnel", [raw([b"HTTP/1.1 200 OK\r\n"] + [b"X: y\r\n"] * 50, every=0.05), _slow_tunnel]
)
def test_a_slow_proxy_does_not_hold_a_call_beyond_its_deadline(
    tunnel: Any, tls: ssl.SSLContext, authority_file: str
) -> None:
    """The time that a proxy takes for its tunnel is the call's."""
    with Server(silence, tls=tls) as target, Server(tunnel) as proxy:
        _tunnel_target[:] = [target.port]
        begin = time.monotonic()
        result = _track(target, timeout=0.5, proxy=proxy.url, ssl_ca_cert=authority_file)
        assert result["success"] is False
        assert time.monotonic() - begin < 2.5


@pytest.mark.usefixtures("no_wait")
def test_a_409_after_an_attempt_that_never_left_is_a_conflict(
    tls: ssl.SSLContext, authority_file: str
) -> None:
    """Where no attempt before the 409 was sent, nothing can have landed."""
    with Server(reply(409), tls=tls, greetings=[silence, at_once]) as server:
        configuration = Configuration(request_timeout=1, ssl_ca_cert=authority_file)
        with CMSClient(TOKEN, server.url, configuration=configuration) as client:
            assert lead(client)["type"] == "conflict"
        assert (server.connections, len(server.requests)) == (2, 1)


def test_socket_options_are_set() -> None:
    """`socket_options` reach the connection's socket; a wrong one fails to connect."""
    with Server(OK) as server:
        good = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
        assert _track(server, socket_options=good)["success"] is True
        bad = [(socket.SOL_SOCKET, 99999, 1)]
        assert _track(server, socket_options=bad, retries=0)["type"] == "network_error"


def test_the_number_of_kept_connections_is_limited() -> None:
    """Beyond `connection_pool_maxsize`, connections are closed after their call."""
    barrier = threading.Barrier(2)

    def together(connection: Connection) -> bool:
        with suppress(threading.BrokenBarrierError):
            barrier.wait(5)
        return OK(connection)

    with Server(together) as server:
        configuration = Configuration(connection_pool_maxsize=1)
        with CMSClient(TOKEN, server.url, configuration=configuration) as client:
            threads = [threading.Thread(target=lead, args=(client,)) for _ in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            with server.closed:
                assert server.closed.wait_for(lambda: server.open_connections == 1, 5)
        assert server.connections == 2


def at_once_in_records(sock: Any, *records: bytes) -> None:
    """Send each as a TLS record of its own, all in one segment."""
    cork = socket.TCP_CORK  # type: ignore[attr-defined, unused-ignore]
    sock.setsockopt(socket.IPPROTO_TCP, cork, 1)
    for record in records:
        sock.sendall(record)
    sock.setsockopt(socket.IPPROTO_TCP, cork, 0)


def two_responses(connection: Connection) -> bool:
    """Send two responses to one request."""
    first = b'HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{"message": "first"}'
    at_once_in_records(connection.socket, first, first.replace(b"first", b"wrong"))
    return True


def tunnel_of_records(connection: Connection) -> bool:
    """Tunnel; each TLS record of the target goes into one of the proxy's own."""

    def send_back(client: Any, data: bytes) -> bool:
        records = []
        while data:
            size = 5 + int.from_bytes(data[3:5], "big")
            records.append(data[:size])
            data = data[size:]
        at_once_in_records(client, *records)
        return True

    return _tunnel(connection, send_back)


@pytest.mark.skipif(not hasattr(socket, "TCP_CORK"), reason="needs Linux's TCP_CORK")
@pytest.mark.parametrize("tunnel", [None, _tunnel, tunnel_of_records])
def test_what_a_layer_of_tls_has_read_is_not_the_next_response(
    tunnel: Any, tls: ssl.SSLContext, authority_file: str
) -> None:
    """A second response that TLS has received, but not decrypted, ends the connection."""
    with Server(two_responses, reply(422), tls=tls) as target, Server(tunnel, tls=tls) as proxy:
        _tunnel_target[:] = [target.port]
        configuration = Configuration(
            target.url,
            TOKEN,
            ssl_ca_cert=authority_file,
            proxy=proxy.url if tunnel else None,
        )
        with CMSClient(configuration=configuration, max_retries=0) as client:
            assert lead(client)["success"] is True
            assert lead(client)["type"] == "unprocessable_entity"
        assert target.connections == 2
