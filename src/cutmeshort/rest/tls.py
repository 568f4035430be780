"""Certificates, and TLS over sockets that respect the deadline."""

import ssl
from functools import partial
from typing import Any, Optional

from urllib3.util.ssltransport import SSLTransport

from ..configuration import Configuration
from ..exceptions import ApiValueError
from .attempt import current_attempt


def make_ssl_context(configuration: Configuration) -> ssl.SSLContext:
    """Make what all connections share; raise ApiValueError if a certificate can't be used."""
    try:
        context = ssl.create_default_context(
            cafile=configuration.ssl_ca_cert, cadata=configuration.ca_cert_data
        )
    except (OSError, TypeError, ValueError):
        raise ApiValueError("ssl_ca_cert or ca_cert_data is not readable as PEM or DER") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False
    # Set by Python 3.9, it treats a truncated TLS stream as one that ended.
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    context.wrap_socket = partial(_wrap, context)  # type: ignore[method-assign, assignment]
    try:
        if configuration.cert_file is not None:
            # An empty password: else an encrypted key would ask for one on the terminal.
            context.load_cert_chain(configuration.cert_file, configuration.key_file, password="")
    except OSError:
        raise ApiValueError("cert_file or key_file is not PEM, or the key has a password") from None
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _wrap(context: ssl.SSLContext, sock: Any, server_hostname: Optional[str]) -> SSLTransport:
    """
    Do the TLS handshake over a socket that respects the deadline.

    Python's own TLS sockets read from the system for as long as a peer sends empty messages.
    """
    attempt = current_attempt.get()
    attempt.start_step(attempt.connect_timeout)
    return SSLTransport(sock, context, server_hostname)
