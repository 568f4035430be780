"""What each of urllib3's errors means."""

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

# By the verify codes of OpenSSL (x509_vfy.h).
_TRUST = "For a private certificate authority, pass Configuration(ssl_ca_cert=...)."
_CLOCK = "Check this machine's clock; if that is right, the certificate has to be renewed."
_NAME = "Check the host argument or CMS_HOST."
_PROXY = "Check the proxy's address."
_REISSUE = "The certificate, or its authority's, has to be issued again."
_ADVICE = {
    **dict.fromkeys((2, 18, 19, 20, 21), _TRUST),
    **dict.fromkeys((9, 10), _CLOCK),
    **dict.fromkeys((62, 64), _NAME),
}


def translate_error(error: Exception, host: str, proxy: str, sent: bool) -> ApiException:
    """
    Make the exception for what urllib3 raised, before or after the request was sent.

    Args:
        error: What was raised.
        host: The service's host, for messages.
        proxy: The proxy's address without user and password; empty without a proxy.
        sent: Whether the request was sent.

    Raises what the application's signal handler raised, if urllib3 took that for a failure.
    """
    cause = _root_cause(error)
    if is_application_error(cause):
        clear_locals(error)
        raise cause from None
    if isinstance(error, urllib3_errors.ClosedPoolError):
        message = "The client is closed: make a new one."
        return ApiException(0, "client_closed", message, retryable=True)
    kind, message = _kind_and_message(error, cause, host, proxy, sent)
    return ApiException(0, kind, message, retryable=is_retried(0, kind))


def safe_cause(error: Exception) -> Exception:
    """
    Make an error that may end in a log.

    Sockets, token and customers' data go out of its frames, and what the host sent out of its text,
    unless it is known to have none: it may echo the request.
    """
    clear_locals(error)
    root = _root_cause(error)
    ours = isinstance(root, OSError) and (root.errno is not None or type(root) is socket.timeout)
    if ours or isinstance(root, (urllib3_errors.PoolError, ResponseError)):
        return error
    names = f"{type(error).__name__}: {type(root).__name__}"
    return urllib3_errors.ProtocolError(names).with_traceback(error.__traceback__)


def _root_cause(error: BaseException) -> BaseException:
    """Unwrap what urllib3 wrapped: it keeps the cause among the arguments, or as the cause."""
    inner = [part for part in (*error.args, error.__cause__) if isinstance(part, BaseException)]
    return _root_cause(inner[0]) if inner else error


def clear_locals(error: BaseException) -> None:
    """Forget the locals of an exception's frames: they have the token and the customer's data."""
    link: Optional[BaseException] = error
    while link is not None:
        clear_frames(link.__traceback__)
        link = link.__cause__ or link.__context__


def _kind_and_message(
    error: Exception, cause: BaseException, host: str, proxy: str, sent: bool
) -> tuple[str, str]:
    tls_message = _tls_message(error, cause, host, proxy, sent)
    if tls_message is not None:
        # Once there was a handshake, the service is trusted: what fails then is the network.
        return "network_error" if sent else "tls_error", tls_message
    kind, route = "network_error", f"{host}, through the proxy {proxy}," if proxy else host
    if isinstance(cause, ResponseError):
        what = "a response" if sent else "something"
        message = f"{route} sent {what} that can't be used: {cause}."
    elif isinstance(error, urllib3_errors.ProxyError):
        refused = re.match(_REFUSED_TUNNEL, str(cause))
        message = f"The proxy {proxy} can't be reached: check its address."
        if refused:
            message = f"The proxy {proxy} refused a tunnel to {host} with status {refused[1]}."
        if refused and refused[1] == "407":
            message += " Check its user and password."
    elif isinstance(error, urllib3_errors.NameResolutionError):
        message = f"The name {host} could not be resolved."
    elif isinstance(error, urllib3_errors.NewConnectionError):  # to urllib3, it is a timeout, too
        message = f"Could not connect to {host}."
    elif isinstance(error, urllib3_errors.TimeoutError) or isinstance(
        cause, (socket.timeout, TimeoutError)
    ):
        kind, message = "timeout", f"{route} did not respond in time."
    else:
        message = f"The connection to {route} failed before the whole response came."
    return kind, message


def _tls_message(
    error: Exception, cause: BaseException, host: str, proxy: str, sent: bool
) -> Optional[str]:
    """Say why TLS failed, if it did; one that was closed early is the network's failure."""
    at_proxy = isinstance(error, urllib3_errors.ProxyError)
    peer = f"the proxy {proxy}" if at_proxy else host
    if isinstance(cause, ssl.SSLCertVerificationError):
        advice = _ADVICE.get(cause.verify_code, _REISSUE)
        advice = _PROXY if at_proxy and advice is _NAME else advice
        return f"The certificate of {peer} was refused ({cause.verify_message}). {advice}"
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
        return f"No TLS connection to {peer} could be made ({reason}): does this port speak TLS?"
    if isinstance(error, urllib3_errors.SSLError) and not isinstance(cause, OSError):
        return f"The certificate of {peer} is not for the name in assert_hostname."
    return None
