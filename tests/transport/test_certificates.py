"""Certificates: which ones the client trusts, and the results for the others."""

import re
import ssl
from datetime import datetime, timezone
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from cutmeshort import (
    ApiValueError,
    CMSClient,
    Configuration,
)

from ..support.certificates import context_for, context_with
from ..support.events import TOKEN, lead, track_once
from ..support.server import OK, Server


def test_an_unknown_authority_is_a_tls_error_with_advice(tls: ssl.SSLContext) -> None:
    """A certificate that the client does not trust is a `tls_error` that says what to do."""
    with Server(OK, tls=tls) as server:
        result = track_once(server)
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
def test_an_invalid_certificate_is_a_tls_error_with_advice(
    validity: Any, name: str, reason: str, advice: str, authority: trustme.CA, authority_file: str
) -> None:
    """A wrong date or name is a `tls_error` that says what is wrong and what to do."""
    with Server(OK, tls=context_for(authority, name, **validity)) as server:
        result = track_once(server, ssl_ca_cert=authority_file)
        assert (result["type"], result["status_code"]) == ("tls_error", 0)
        assert reason in result["error"]
        assert advice in result["error"]
        assert "ssl_ca_cert" not in result["error"]
        assert (server.connections, len(server.requests)) == (1, 0)
        assert server.wait_until_all_closed()


def test_a_self_signed_certificate_is_a_tls_error_with_advice(tmp_path: Path) -> None:
    """A self-signed certificate is a `tls_error` that says what to do."""
    own = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    both = tmp_path / "both.pem"
    own.private_key_pem.write_to_path(both)
    own.cert_pem.write_to_path(both, append=True)
    context.load_cert_chain(both)
    with Server(OK, tls=context) as server:
        result = track_once(server)
        assert result["type"] == "tls_error"
        assert "self" in result["error"]
        assert "ssl_ca_cert" in result["error"]
        assert server.connections == 1


def test_a_private_authority_is_trusted_by_file_and_by_data(
    tls: ssl.SSLContext, authority: trustme.CA, authority_file: str
) -> None:
    """The client trusts the authority in `ssl_ca_cert` or `ca_cert_data`."""
    pem = authority.cert_pem.bytes().decode()
    der = ssl.PEM_cert_to_DER_cert(pem)
    with Server(OK, tls=tls) as server:
        for settings in ({"ssl_ca_cert": authority_file}, {"ca_cert_data": pem}):
            assert track_once(server, **settings)["success"] is True
        configuration = Configuration(ca_cert_data=der)
        with CMSClient(TOKEN, server.url, configuration=configuration) as client:
            assert lead(client)["success"] is lead(client)["success"] is True
        assert server.connections == 3


@pytest.mark.parametrize("name", ["ssl_ca_cert", "cert_file", "key_file"])
def test_a_file_that_is_not_pem_is_named(name: str, tmp_path: Path, authority_file: str) -> None:
    """The error for a file without a certificate or key names the setting and the file."""
    path = tmp_path / "empty.pem"
    path.write_text("nothing", encoding="utf-8")
    files = {name: str(path)}
    if name == "key_file":
        files["cert_file"] = authority_file
    with pytest.raises(ApiValueError, match=re.escape(f"{name} ({str(path)!r})")):
        CMSClient(TOKEN, configuration=Configuration(**files))  # type: ignore[arg-type]


def test_a_certificate_for_another_purpose_must_be_issued_again(
    authority: trustme.CA, authority_file: str, tmp_path: Path
) -> None:
    """The error for a certificate with a wrong purpose says to have it issued again."""
    name = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    context = context_with(authority, tmp_path / "client.pem", name, purpose)
    with Server(OK, tls=context) as server:
        result = track_once(server, ssl_ca_cert=authority_file)
    assert result["type"] == "tls_error"
    assert result["error"].endswith("The certificate or that of its authority must be reissued.")


def test_verification_can_be_switched_off(tls: ssl.SSLContext) -> None:
    """With `verify_ssl=False`, a client accepts any certificate and warns when it is created."""
    with Server(OK, tls=tls) as server:
        configuration = Configuration(server.url, TOKEN, verify_ssl=False)
        with pytest.warns(UserWarning, match="verify_ssl=False") as caught:
            client = CMSClient(configuration=configuration)
        with client:
            assert lead(client)["success"] is lead(client)["success"] is True
    assert [warning.filename for warning in caught] == [__file__]


def test_the_expected_name_can_be_set(authority: trustme.CA, authority_file: str) -> None:
    """The client rejects a certificate for another name, unless `assert_hostname` expects it."""
    with Server(OK, tls=context_for(authority, "api.example")) as server:
        for expected, type_ in (
            (None, "tls_error"),
            ("other.example", "tls_error"),
            ("api.example", None),
            (False, None),
        ):
            result = track_once(server, ssl_ca_cert=authority_file, assert_hostname=expected)
            assert result.get("type") == type_


def test_the_name_of_the_handshake_can_be_set(authority: trustme.CA, authority_file: str) -> None:
    """The client sends `tls_server_name` by SNI and expects it in the certificate."""
    context = context_for(authority, "api.example")
    requested_names: list[Any] = []
    context.sni_callback = lambda _socket, name, _context: requested_names.append(name)
    with Server(OK, tls=context) as server:
        result = track_once(server, ssl_ca_cert=authority_file, tls_server_name="api.example")
        assert result["success"] is True
    assert requested_names == ["api.example"]


@pytest.mark.parametrize("separate", [False, True])
def test_a_client_certificate_is_sent(
    separate: bool, authority: trustme.CA, authority_file: str, tmp_path: Path
) -> None:
    """The client sends the certificate of `cert_file`; the server rejects a client without one."""
    context = context_for(authority, "127.0.0.1")
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
        assert track_once(server, ssl_ca_cert=authority_file, **settings)["success"] is True
        # With TLS 1.3, the server rejects the client after the handshake, even after the request.
        rejected = track_once(server, ssl_ca_cert=authority_file, retries=0)
        assert rejected["type"] == "network_error"
        assert len(server.requests) == 1
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        rejected = track_once(server, ssl_ca_cert=authority_file)
        assert rejected["type"] == "tls_error"
        assert "TLS handshake" in rejected["error"]
        assert len(server.requests) == 1


def test_a_key_with_a_password_is_rejected(authority: trustme.CA, tmp_path: Path) -> None:
    """A client can't be created with an encrypted key, and does not prompt for the password."""
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


@pytest.mark.parametrize("expected", [None, "localhost"])
def test_a_certificate_without_a_subject_alternative_name_is_rejected(
    expected: Any, authority: trustme.CA, authority_file: str, tmp_path: Path
) -> None:
    """The client ignores the common name of a certificate without a subjectAltName."""
    context = context_with(authority, tmp_path / "server.pem")
    with Server(OK, tls=context) as server:
        host = f"https://localhost:{server.port}"
        result = track_once(server, host, ssl_ca_cert=authority_file, assert_hostname=expected)
        assert result["type"] == "tls_error"
        assert not server.requests
