"""Translates urllib3's errors to ApiException."""

import re
import socket
import ssl
from traceback import clear_frames
from typing import Optional
from urllib.parse import urlsplit

from urllib3 import exceptions as urllib3_errors

from ..exceptions import ApiException, is_application_error
from ..retry import is_retried
from .attempt import Attempt, ResponseError

CLIENT_CLOSED = "client_closed"

_CLOSED_EARLY = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
_CLOSED_EARLY_REASON = "UNEXPECTED_EOF_WHILE_READING"  # not an SSLEOFError in Python 3.9
_REFUSED_TUNNEL = r"Tunnel connection failed: ([0-9]{3})"

_TRUST_AUTHORITY = "For a private certificate authority, pass Configuration(ssl_ca_cert=...)."
_CHECK_CLOCK = "Check this machine's clock. If it is correct, the certificate must be renewed."
_CHECK_HOST = "Check the host argument or CMS_HOST."
_CHECK_PROXY = "Check the proxy's address."
_REISSUE = "The certificate or that of its authority must be reissued."
_ADVICE = {  # by OpenSSL's verify code (x509_vfy.h)
    **dict.fromkeys((2, 18, 19, 20, 21), _TRUST_AUTHORITY),  # self-signed, or unknown issuer
    **dict.fromkeys((9, 10), _CHECK_CLOCK),  # not yet valid, or expired
    **dict.fromkeys((62, 64), _CHECK_HOST),  # for another host name, or another address
}


def translate_error(error: Exception, host: str, proxy: str, attempt: Attempt) -> ApiException:
    """
    Return the exception for a failed attempt, with urllib3's error as its cause.

    Its message names the host and the proxy, which has no user and password and may be empty.

    Raises:
        Exception: A signal handler of the application raised it, and urllib3 wrapped it.
    """
    cause = _root_cause(error)
    if is_application_error(cause):
        clear_locals(error)
        raise cause from None
    if isinstance(error, urllib3_errors.ClosedPoolError):
        message = "The client is closed: create a new one."
        # Retryable, because a new client can send the event.
        exception = ApiException(0, CLIENT_CLOSED, message, retryable=True)
    else:
        type_, message = _type_and_message(error, cause, host, proxy, attempt.sent)
        exception = ApiException(0, type_, message, retryable=is_retried(0, type_))
    exception.__cause__ = _safe_cause(error)
    return exception


def _safe_cause(error: Exception) -> Exception:
    """
    Return an error, or a substitute for it, that is safe to log.

    The local variables of its traceback are cleared: they hold sockets, the token and customers'
    data. Its message contains nothing that the host sent, which may echo the request.
    """
    clear_locals(error)
    root = _root_cause(error)
    # The text of these errors is from this machine.
    local = isinstance(root, OSError) and (root.errno is not None or type(root) is socket.timeout)
    if local or isinstance(root, (urllib3_errors.PoolError, ResponseError)):
        return error
    names = f"{type(error).__name__}: {type(root).__name__}"
    return urllib3_errors.ProtocolError(names).with_traceback(error.__traceback__)


def _root_cause(error: BaseException) -> BaseException:
    """Return the innermost cause. urllib3 keeps causes in `args` or `__cause__`."""
    inner = [part for part in (*error.args, error.__cause__) if isinstance(part, BaseException)]
    return _root_cause(inner[0]) if inner else error


def clear_locals(error: BaseException) -> None:
    """Clear the local variables of a traceback, which hold the token and customers' data."""
    link: Optional[BaseException] = error
    while link is not None:
        clear_frames(link.__traceback__)
        link = link.__cause__ or link.__context__


def _type_and_message(
    error: Exception, cause: BaseException, host: str, proxy: str, sent: bool
) -> tuple[str, str]:
    tls_message = _tls_message(error, cause, host, proxy, sent)
    if tls_message is not None:
        # After the handshake, the service is trusted, so this is a failure of the network.
        return "network_error" if sent else "tls_error", tls_message
    type_, peer = "network_error", f"{host} (through the proxy {proxy})" if proxy else host
    if isinstance(cause, ResponseError):
        data = "an unusable response" if sent else "unusable data"
        message = f"{peer} sent {data}: {cause}."
    elif isinstance(error, urllib3_errors.ProxyError):
        rejected = re.match(_REFUSED_TUNNEL, str(cause))
        message = f"The proxy {proxy} can't be reached: check its address."
        if rejected:
            message = f"The proxy {proxy} refused a tunnel to {host} with status {rejected[1]}."
        if rejected and rejected[1] == "407":
            message += " Check the proxy's user and password."
    elif isinstance(error, urllib3_errors.NameResolutionError):
        message = f"The host name {urlsplit(f'//{host}').hostname} could not be resolved."
    elif isinstance(error, urllib3_errors.NewConnectionError):  # also a subclass of TimeoutError
        message = f"Could not connect to {host}."
    elif isinstance(error, urllib3_errors.TimeoutError) or isinstance(
        cause, (socket.timeout, TimeoutError)
    ):
        type_, message = "timeout", f"{peer} did not respond in time."
    else:
        message = f"The connection to {peer} failed before the whole response was received."
    return type_, message


def _tls_message(
    error: Exception, cause: BaseException, host: str, proxy: str, sent: bool
) -> Optional[str]:
    """Return the message for a failure of TLS, else None; an early close is not one."""
    at_proxy = isinstance(error, urllib3_errors.ProxyError)
    peer = f"the proxy {proxy}" if at_proxy else host
    if isinstance(cause, ssl.SSLCertVerificationError):
        advice = _ADVICE.get(cause.verify_code, _REISSUE)
        advice = _CHECK_PROXY if at_proxy and advice is _CHECK_HOST else advice
        return f"The certificate of {peer} was rejected ({cause.verify_message}). {advice}"
    reason = getattr(cause, "reason", None) or "unknown reason"
    if (
        isinstance(cause, ssl.SSLError)
        and not isinstance(cause, _CLOSED_EARLY)
        and reason != _CLOSED_EARLY_REASON
    ):
        if reason.endswith("CERTIFICATE_REQUIRED"):
            advice = "pass Configuration(cert_file=...)"
            return f"A client certificate is required by {peer}: {advice}."
        if sent:
            return f"The TLS connection to {peer} failed ({reason})."
        return f"The TLS handshake with {peer} failed ({reason}). Check that this port uses TLS."
    # Without an OSError, it is urllib3's own check of assert_hostname.
    if isinstance(error, urllib3_errors.SSLError) and not isinstance(cause, OSError):
        return f"The certificate of {peer} is not for the name in assert_hostname."
    return None
