"""What each of urllib3's errors means."""

import re
import socket
import ssl
from traceback import clear_frames
from typing import Optional

from urllib3.exceptions import (
    ClosedPoolError,
    ConnectTimeoutError,
    NameResolutionError,
    NewConnectionError,
    PoolError,
    ProtocolError,
    ProxyError,
    SSLError,
)
from urllib3.exceptions import TimeoutError as Urllib3TimeoutError

from ..exceptions import ApiException
from ..retry import is_retryable

_BROKEN_HANDSHAKE = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
_REFUSED_TUNNEL = r"Tunnel connection failed: ([0-9]{3})"

# By the verify codes of OpenSSL (x509_vfy.h).
_TRUST = "For a private certificate authority, pass Configuration(ssl_ca_cert=...)."
_CLOCK = "Check this machine's clock; if that is right, the certificate has to be renewed."
_NAME = "Check the host argument or CMS_HOST."
_ADVICE = {9: _CLOCK, 10: _CLOCK, 62: _NAME, 64: _NAME}


def was_never_sent(error: Exception) -> bool:
    """Tell whether there was no connection, so that the service can't have got anything."""
    return isinstance(error, (ConnectTimeoutError, ProxyError, ClosedPoolError))


def translate_error(error: Exception, host: str) -> ApiException:
    """Make the exception, of status 0, for what urllib3 raised."""
    if isinstance(error, ClosedPoolError):
        message = "The client is closed: make a new one."
        return ApiException(0, "client_closed", message, retryable=True)
    kind, message = _kind_and_message(error, _root(error), host)
    return ApiException(0, kind, message, retryable=is_retryable(0, kind))


def safe_cause(error: Exception) -> Exception:
    """
    Make an error that may end in a log.

    Sockets, token and customers' data go out of its frames, and the words of whoever answered
    out of its text, unless it is known to have none: they may repeat what was sent.
    """
    link: Optional[BaseException] = error
    while link is not None:
        clear_frames(link.__traceback__)
        link = link.__cause__ or link.__context__
    root = _root(error)
    ours = isinstance(root, OSError) and (root.errno is not None or type(root) is socket.timeout)
    if ours or isinstance(root, PoolError):
        return error
    names = f"{type(error).__name__}: {type(root).__name__}"
    return ProtocolError(names).with_traceback(error.__traceback__)


def _kind_and_message(error: Exception, cause: BaseException, host: str) -> tuple[str, str]:
    distrust = _distrust(error, cause, host)
    if distrust is not None:
        return "tls_error", distrust
    if isinstance(error, ProxyError):
        refused = re.match(_REFUSED_TUNNEL, str(cause))
        what = (
            f"refused the way to {host} with status {refused[1]}" if refused else "did not answer"
        )
        return "network_error", f"The proxy {what}: check its address, user and password."
    if isinstance(error, NameResolutionError):
        return "network_error", f"The name {host} could not be resolved."
    if isinstance(error, NewConnectionError):
        return "network_error", f"{host} could not be connected to."
    if isinstance(error, Urllib3TimeoutError) or isinstance(cause, socket.timeout):
        return "timeout", f"{host} did not answer in time."
    return "network_error", f"The connection to {host} broke before the whole answer came."


def _distrust(error: Exception, cause: BaseException, host: str) -> Optional[str]:
    """Say why TLS failed, if it did; a handshake that breaks off is the network's failure."""
    if isinstance(cause, ssl.SSLCertVerificationError):
        advice = _ADVICE.get(cause.verify_code, _TRUST)
        return f"The certificate of {host} was refused ({cause.verify_message}). {advice}"
    if isinstance(cause, ssl.SSLError) and not isinstance(cause, _BROKEN_HANDSHAKE):
        reason = cause.reason or "unknown reason"
        if reason.endswith("CERTIFICATE_REQUIRED"):
            return f"{host} asks for a client's certificate: pass Configuration(cert_file=...)."
        return f"No TLS connection to {host} could be made ({reason}): does this port speak TLS?"
    if isinstance(error, SSLError) and not isinstance(cause, OSError):
        return f"The certificate of {host} is for another name: {cause}."
    return None


def _root(error: BaseException) -> BaseException:
    """Unwrap what urllib3 wrapped: it keeps the cause among the arguments, or as the cause."""
    inner = [part for part in (*error.args, error.__cause__) if isinstance(part, BaseException)]
    return _root(inner[0]) if inner else error
