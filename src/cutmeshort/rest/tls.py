"""Certificates, and TLS that ends in time."""

import ssl
from typing import Any, Callable

from urllib3.util import wait_for_read, wait_for_write

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
    # Python 3.9 takes a connection that was cut for one that has ended.
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    context.sslsocket_class = _in_time(context.sslsocket_class or ssl.SSLSocket)
    try:
        if configuration.cert_file is not None:
            # An empty password: else an encrypted key would ask for one on the terminal.
            context.load_cert_chain(configuration.cert_file, configuration.key_file, password="")
    except OSError:
        raise ApiValueError(
            "cert_file or key_file is not readable as PEM, or the key has a password"
        ) from None
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _in_time(base: type[ssl.SSLSocket]) -> type[ssl.SSLSocket]:
    """
    Make sockets whose handshake, and each read, ends with the step of the attempt.

    Two others start a time-out anew with each piece of a TLS record: gevent, which has sockets of
    its own (hence `base`), and urllib3 in TLS within TLS, to an https:// proxy.
    """

    class TLSSocket(base):  # type: ignore[misc, valid-type]
        def do_handshake(self, *_: Any) -> None:
            attempt = current_attempt.get()
            attempt.start_step(attempt.connect_timeout)
            try:
                self._finish(super().do_handshake)
            except BaseException:
                self.close()
                raise

        def recv(self, buflen: int = 1024, flags: int = 0) -> Any:
            return self._finish(super().recv, buflen, flags)

        def _finish(self, operation: Callable[..., Any], *arguments: Any) -> Any:
            attempt = current_attempt.get()
            timeout = self.gettimeout()
            self.settimeout(0)
            try:
                while True:
                    try:
                        return operation(*arguments)
                    except ssl.SSLWantReadError:  # noqa: PERF203 - it waits for the network
                        wait_for_read(self, attempt.remaining())
                    except ssl.SSLWantWriteError:
                        wait_for_write(self, attempt.remaining())
            finally:
                self.settimeout(timeout)

    return TLSSocket
