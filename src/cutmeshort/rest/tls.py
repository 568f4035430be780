"""Certificates, and TLS over sockets that enforce the attempt's deadline."""

import ssl
from functools import partial
from pathlib import Path
from typing import Any, Optional

from urllib3.util.ssltransport import SSLTransport

from ..configuration import Configuration
from ..exceptions import ApiValueError
from .attempt import current_attempt


def make_ssl_context(configuration: Configuration) -> ssl.SSLContext:
    """Create the TLS context; raise ApiValueError if a certificate or key can't be loaded."""
    context = _make_context(configuration)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False
    # Python 3.9 sets this option, with which a truncated TLS stream counts as complete.
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    # urllib3 calls this method.
    context.wrap_socket = partial(_wrap, context)  # type: ignore[method-assign, assignment]
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _check_files(configuration: Configuration) -> None:
    """Raise ApiValueError if a file can't be read, and name it; errors of `ssl` do not."""
    for name in ("ssl_ca_cert", "cert_file", "key_file"):
        path = getattr(configuration, name)
        try:
            if path is not None:
                Path(path).open("rb").close()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise ApiValueError(f"{name} can't be read: {path!r} ({reason})", name) from None


def _make_context(configuration: Configuration) -> ssl.SSLContext:
    ca_file, ca_data = configuration.ssl_ca_cert, configuration.ca_cert_data
    cert_file, key_file = configuration.cert_file, configuration.key_file
    try:
        context = ssl.create_default_context(cafile=ca_file, cadata=ca_data)
    except (OSError, TypeError, ValueError) as error:
        _check_files(configuration)
        if ca_file is None and ca_data is None:  # for example, the file of SSLKEYLOGFILE
            raise ApiValueError(f"TLS can't be used: {error}") from None
        given = [] if ca_file is None else [f"ssl_ca_cert ({ca_file!r})"]
        given += [] if ca_data is None else ["ca_cert_data"]
        text = f"{' or '.join(given)} has no certificates in PEM (in ca_cert_data: or DER)"
        raise ApiValueError(text, "ssl_ca_cert" if ca_file else "ca_cert_data") from None
    try:
        if cert_file is not None:
            # With an empty password, OpenSSL does not ask for one on the terminal.
            context.load_cert_chain(cert_file, key_file, password="")
    except (OSError, ValueError):
        _check_files(configuration)
        files = f"cert_file ({cert_file!r})" + (f" and key_file ({key_file!r})" if key_file else "")
        reasons = "not PEM, certificate and key don't match, or the key has a password"
        raise ApiValueError(f"{files} can't be loaded: {reasons}", "cert_file") from None
    return context


def _wrap(context: ssl.SSLContext, sock: Any, server_hostname: Optional[str]) -> SSLTransport:
    """
    Do the TLS handshake over a TimedSocket.

    Python's own TLS socket has no deadline: it reads for as long as a peer sends empty records.
    """
    attempt = current_attempt.get()
    attempt.start_step(attempt.connect_timeout)
    return SSLTransport(sock, context, server_hostname)
