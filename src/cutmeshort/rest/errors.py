"""What each error of urllib3 means."""

import re
import socket
import ssl
from traceback import clear_frames
from typing import Optional

from urllib3 import exceptions as urllib3_errors

from ..exceptions import ApiException, is_application_error
from ..retry import is_retried
from .attempt import ResponseError

_CLOSED_EARLY = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
_EARLY_END = "UNEXPECTED_EOF_WHILE_READING"  # not an SSLEOFError in Python 3.9
_REFUSED_TUNNEL = r"Tunnel connection failed: ([0-9]{3})"

# Advice by OpenSSL's verify code (x509_vfy.h).
_TRUST = "For a private certificate authority, pass Configuration(ssl_ca_cert=...)."
_CLOCK = "Check this machine's clock. If it is right, the certificate must be renewed."
_NAME = "Check the host argument or CMS_HOST."
_PROXY = "Check the proxy's address."
_REISSUE = "The certificate, or its authority's, must be issued again."
_ADVICE = {
    **dict.fromkeys((2, 18, 19, 20, 21), _TRUST),
    **dict.fromkeys((9, 10), _CLOCK),
    **dict.fromkeys((62, 64), _NAME),
}


def translate_error(error: Exception, host: str, proxy: str, sent: bool) -> ApiException:
    """
    Make the exception for an error of urllib3.

    If urllib3 wrapped an exception of the application, from a signal handler, that is raised.

    Args:
        error: The error.
        host: The service's host, for messages.
        proxy: The proxy's address without user and password; empty without a proxy.
        sent: Whether the request was sent.
    """
    cause = _root_cause(error)
    if is_application_error(cause):
        clear_locals(error)
        raise cause from None
    if isinstance(error, urllib3_errors.ClosedPoolError):
        message = "The client is closed: make a new one."
        return ApiException(0, "client_closed", message, retryable=True)
    type_, message = _type_and_message(error, cause, host, proxy, sent)
    return ApiException(0, type_, message, retryable=is_retried(0, type_))


def safe_cause(error: Exception) -> Exception:
    """
    Return an error that may end in a log, as the cause of an exception.

    The frames of its traceback have no sockets, no token and no customers' data. Its text has
    nothing that the host sent, which may echo the request.
    """
    clear_locals(error)
    root = _root_cause(error)
    local = isinstance(root, OSError) and (root.errno is not None or type(root) is socket.timeout)
    if local or isinstance(root, (urllib3_errors.PoolError, ResponseError)):
        return error
    names = f"{type(error).__name__}: {type(root).__name__}"
    return urllib3_errors.ProtocolError(names).with_traceback(error.__traceback__)


def _root_cause(error: BaseException) -> BaseException:
    """Unwrap an error. urllib3 keeps the cause in the arguments, or as `__cause__`."""
    inner = [part for part in (*error.args, error.__cause__) if isinstance(part, BaseException)]
    return _root_cause(inner[0]) if inner else error


def clear_locals(error: BaseException) -> None:
    """Clear the local variables of a traceback, which have the token and customers' data."""
    link: Optional[BaseException] = error
    while link is not None:
        clear_frames(link.__traceback__)
        link = link.__cause__ or link.__context__


def _type_and_message(
    error: Exception, cause: BaseException, host: str, proxy: str, sent: bool
) -> tuple[str, str]:
    tls_message = _tls_message(error, cause, host, proxy, sent)
    if tls_message is not None:
        # After the handshake, the service is trusted, so a failure is the network's.
        return "network_error" if sent else "tls_error", tls_message
    type_, route = "network_error", f"{host}, through the proxy {proxy}," if proxy else host
    if isinstance(cause, ResponseError):
        sent_data = "a response" if sent else "data"
        message = f"{route} sent {sent_data} that can't be used: {cause}."
    elif isinstance(error, urllib3_errors.ProxyError):
        rejected = re.match(_REFUSED_TUNNEL, str(cause))
        message = f"The proxy {proxy} can't be reached: check its address."
        if rejected:
            message = f"The proxy {proxy} refused a tunnel to {host} with status {rejected[1]}."
        if rejected and rejected[1] == "407":
            message += " Check its user and password."
    elif isinstance(error, urllib3_errors.NameResolutionError):
        message = f"The name {host} could not be resolved."
    elif isinstance(error, urllib3_errors.NewConnectionError):  # also a subclass of TimeoutError
        message = f"Could not connect to {host}."
    elif isinstance(error, urllib3_errors.TimeoutError) or isinstance(
        cause, (socket.timeout, TimeoutError)
    ):
        type_, message = "timeout", f"{route} did not respond in time."
    else:
        message = f"The connection to {route} failed before the whole response was received."
    return type_, message


def _tls_message(
    error: Exception, cause: BaseException, host: str, proxy: str, sent: bool
) -> Optional[str]:
    """Return why TLS failed, if it did. An early close is a failure of the network."""
    at_proxy = isinstance(error, urllib3_errors.ProxyError)
    peer = f"the proxy {proxy}" if at_proxy else host
    if isinstance(cause, ssl.SSLCertVerificationError):
        advice = _ADVICE.get(cause.verify_code, _REISSUE)
        advice = _PROXY if at_proxy and advice is _NAME else advice
        return f"The certificate of {peer} was rejected ({cause.verify_message}). {advice}"
    reason = getattr(cause, "reason", None) or "unknown reason"
    if (
        isinstance(cause, ssl.SSLError)
        and not isinstance(cause, _CLOSED_EARLY)
        and reason != _EARLY_END
    ):
        if reason.endswith("CERTIFICATE_REQUIRED"):
            what = "asks for a client's certificate: pass Configuration(cert_file=...)"
            return f"The TLS server {peer} {what}."
        if sent:
            return f"The TLS connection to {peer} failed ({reason})."
        return f"No TLS connection to {peer} could be made ({reason}): does this port use TLS?"
    if isinstance(error, urllib3_errors.SSLError) and not isinstance(cause, OSError):
        return f"The certificate of {peer} is not for the name in assert_hostname."
    return None
