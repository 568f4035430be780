"""
The only room that knows urllib3: connections, TLS, proxies, the retry loop, the deadline, the size
cap, and what each of urllib3's errors means.
"""

import http.client
import io
import logging
import os
import random
import socket
import ssl
import time
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Optional, Union
from urllib.parse import unquote, urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ClosedPoolError,
    ConnectTimeoutError,
    DecodeError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    SSLError,
)
from urllib3.exceptions import TimeoutError as Urllib3TimeoutError

from .configuration import Configuration, check_proxy, is_loopback
from .exceptions import ApiException, ApiValueError
from .retry import RETRYABLE_STATUSES, RetryPolicy, parse_retry_after

MAX_BODY_BYTES = 2**20

# Of what urllib3 decompresses, only what can't expand more than a thousandfold, and in pieces small
# enough for that to be harmless.
_CODINGS = frozenset({"", "identity", "gzip", "x-gzip", "deflate"})
_PIECE_BYTES = 2**14

_log = logging.getLogger("cutmeshort")


@dataclass(frozen=True)
class RESTRequest:
    """
    One call, ready to be sent.

    Attributes:
        method: The HTTP method.
        path: The target, from the host's root, `/` first.
        headers: All headers but those that frame the message.
        body: What every attempt sends.
        deadline: Seconds for the whole call.
        attempt_timeout: Seconds for one attempt, to connect and for the answer.
        max_retries: Attempts after the first.
        preload_content: Whether to read the answer's body.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    deadline: float
    attempt_timeout: tuple[float, float]
    max_retries: int
    preload_content: bool = True


class RESTResponse(NamedTuple):
    """
    An answer, of whatever status.

    Attributes:
        raw: urllib3's response.
        data: The body; None when it was not to be read, is too large or can't be decompressed.
        repeated: Whether an earlier attempt of the same call may have reached the service.
    """

    raw: urllib3.BaseHTTPResponse
    data: Optional[bytes]
    repeated: bool

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.raw.status

    def retry_after(self) -> Optional[float]:
        """Seconds that the service asks to wait, if it does."""
        return parse_retry_after(self.raw.headers.get("Retry-After"), time.time())


class _Failure(NamedTuple):
    """No answer: what to raise, and whether the service may have got the request."""

    error: ApiException
    sent: bool


class _BoundedReader(io.RawIOBase):
    """
    Read from a socket until a fixed moment.

    A socket's own time-out starts anew with every byte, so that a server which sends one now and
    then would hold a call for as long as it likes.
    """

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw = raw
        self._socket = sock
        self._end = time.monotonic() + (sock.gettimeout() or 0)
        self.ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> Optional[int]:
        remaining = self._end - time.monotonic()
        if remaining <= 0:
            raise socket.timeout("timed out")
        self._socket.settimeout(remaining)
        size = self._raw.readinto(buffer)
        self.ended = not size
        return size

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    """An answer that ends in time, has a whole head, and is not an interim one."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        raw: Any = self.fp.detach()
        self._reader = _BoundedReader(raw, sock)
        self.fp = io.BufferedReader(self._reader)

    def begin(self) -> None:
        self._begin_once()
        # http.client skips 100 alone. Any other 1xx would pass for the answer, and the true answer
        # for that to the connection's next request.
        while self.status < 200:
            self.headers = None  # type: ignore[assignment]
            self._begin_once()

    def _begin_once(self) -> None:
        super().begin()
        # http.client takes a head that breaks off for a whole one, which would make a success of
        # "200 OK" alone, and drops what follows a line that is no header.
        if self._reader.ended or self.msg.defects:
            raise http.client.RemoteDisconnected("the answer's head is broken")


class _HTTPConnection(HTTPConnection):
    response_class = _Response


class _HTTPSConnection(HTTPSConnection):
    response_class = _Response


class _HTTPPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _HTTPConnection  # pyright: ignore[reportAssignmentType]


class _HTTPSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection  # pyright: ignore[reportAssignmentType]


_clients: "weakref.WeakSet[RESTClientObject]" = weakref.WeakSet()


class RESTClientObject:
    """
    Sends requests to one host, over connections that it keeps. Any number of threads may use it.

    Raises:
        ApiValueError: A certificate, key or proxy of the configuration can't be used.
    """

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._closed = False
        self._base = ""
        self._proxy = _proxy_of(configuration)
        tls = "https:" in (configuration.host[:6], (self._proxy or ("",))[0][:6])
        self._ssl_context = _ssl_context(configuration) if tls else None
        self._pool = self._new_pool()
        self._parents_pool: object = None
        _clients.add(self)

    def request(self, request: RESTRequest) -> RESTResponse:
        """
        Send a request, again where that is safe and may help, until the deadline.

        Returns:
            The answer, of whatever status.

        Raises:
            ApiException: With status 0: there was no answer.
        """
        end = time.monotonic() + request.deadline
        policy = RetryPolicy(request.max_retries)
        attempt = 0
        repeated = False
        while True:
            attempt += 1
            outcome = self._attempt(request, end - time.monotonic(), repeated)
            retry_after = None
            if isinstance(outcome, RESTResponse):
                if outcome.status not in RETRYABLE_STATUSES:
                    return outcome
                retry_after = outcome.retry_after()
            elif self._closed or not outcome.error.retryable:
                raise outcome.error
            wait = policy.wait(
                attempt,
                remaining=end - time.monotonic(),
                jitter=random.random(),
                retry_after=retry_after,
            )
            _log.debug("attempt %d failed, next one in %s s", attempt, wait)
            if isinstance(outcome, RESTResponse):
                if wait is None:
                    return outcome
                outcome.raw.close()
                # The rate limit refuses before anything is recorded.
                repeated = repeated or outcome.status != 429
            else:
                if wait is None:
                    raise outcome.error
                repeated = repeated or outcome.sent
            time.sleep(wait)

    def close(self) -> None:
        """Close all connections. A request after that fails."""
        self._closed = True
        if isinstance(self._pool, urllib3.PoolManager):
            self._pool.clear()
        else:
            self._pool.close()

    def start_afresh(self) -> None:
        """
        Take new connections in the child of a fork.

        The parent's are neither used nor closed: their pool may have been locked by a thread that
        doesn't exist here.
        """
        self._parents_pool = self._pool
        self._pool = self._new_pool()

    def _attempt(
        self, request: RESTRequest, remaining: float, repeated: bool
    ) -> Union[RESTResponse, _Failure]:
        if self._closed:
            return _client_closed()
        connect, read = request.attempt_timeout
        total = max(remaining, 0.001)
        try:
            raw = self._pool.urlopen(
                request.method,
                self._base + request.path,
                body=request.body,
                headers=request.headers,
                retries=False,
                redirect=False,
                timeout=urllib3.Timeout(total=total, connect=connect, read=read),
                preload_content=False,
            )
            data = _read(raw) if request.preload_content else None
        except (HTTPError, http.client.HTTPException, OSError) as error:
            return self._failure(error)
        return RESTResponse(raw, data, repeated)

    def _new_pool(self) -> Union[urllib3.HTTPConnectionPool, urllib3.PoolManager]:
        configuration = self._configuration
        parts = urlsplit(configuration.host)
        options: dict[str, Any] = {
            "maxsize": configuration.connection_pool_maxsize,
            "socket_options": [
                *HTTPConnection.default_socket_options,
                *configuration.socket_options,
            ],
        }
        if parts.scheme == "https":
            options["ssl_context"] = self._ssl_context
            options["assert_hostname"] = configuration.assert_hostname
            options["server_hostname"] = configuration.tls_server_name
        if self._proxy is not None:
            url, headers = self._proxy
            manager = urllib3.ProxyManager(
                url, proxy_headers=headers, proxy_ssl_context=self._ssl_context, **options
            )
            manager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}
            self._base = f"{parts.scheme}://{parts.netloc}"
            return manager
        host = parts.hostname or ""
        if parts.scheme == "https":
            return _HTTPSPool(host, parts.port, **options)
        return _HTTPPool(host, parts.port, **options)

    def _failure(self, error: Exception) -> _Failure:
        """Name what urllib3 raised."""
        if isinstance(error, ClosedPoolError):
            return _client_closed()
        host = urlsplit(self._configuration.host).netloc
        cause = _root(error)
        sent = True
        retryable = True
        if isinstance(error, ProxyError) and not isinstance(cause, ssl.SSLError):
            kind = "network_error"
            message = f"The proxy gave no way to {host}: check its address, user and password."
            sent = False
        elif isinstance(error, (SSLError, ProxyError)) and not isinstance(cause, ssl.SSLEOFError):
            kind, message = "tls_error", _tls_message(host, cause)
            sent = retryable = False
        elif isinstance(error, NameResolutionError):
            kind, message, sent = "network_error", f"The name {host} could not be resolved.", False
        elif isinstance(error, NewConnectionError):
            kind, message, sent = "network_error", f"{host} could not be connected to.", False
        elif isinstance(error, ConnectTimeoutError):
            kind, message, sent = "timeout", f"{host} could not be connected to in time.", False
        elif isinstance(error, Urllib3TimeoutError) or isinstance(cause, socket.timeout):
            kind, message = "timeout", f"{host} did not answer in time."
        else:
            kind, message = "network_error", f"The connection to {host} broke before its answer."
        exception = ApiException(0, kind, message, retryable=retryable)
        exception.__cause__ = error
        return _Failure(exception, sent)


def _client_closed() -> _Failure:
    message = "The client is closed: make a new one."
    return _Failure(ApiException(0, "client_closed", message, retryable=True), sent=False)


def _read(response: urllib3.BaseHTTPResponse) -> Optional[bytes]:
    """Read the body; None where it can't be decompressed or exceeds MAX_BODY_BYTES."""
    pieces = []
    size = 0
    if response.headers.get("Content-Encoding", "").strip().lower() not in _CODINGS:
        response.close()
        return None
    try:
        for piece in response.stream(_PIECE_BYTES):
            pieces.append(piece)
            size += len(piece)
            if size > MAX_BODY_BYTES:
                response.close()
                return None
    except DecodeError:
        response.close()
        return None
    return b"".join(pieces)


def _root(error: BaseException) -> BaseException:
    """Unwrap what urllib3 wrapped: it keeps the cause among the arguments, or as the cause."""
    inner = [part for part in (*error.args, error.__cause__) if isinstance(part, BaseException)]
    return _root(inner[0]) if inner else error


def _tls_message(host: str, cause: BaseException) -> str:
    if not isinstance(cause, ssl.SSLCertVerificationError):
        return f"No TLS connection to {host} could be made: check the host and the client's key."
    return (
        f"The certificate of {host} was refused ({cause.verify_message}). For a private "
        "certificate authority, pass Configuration(ssl_ca_cert=...)."
    )


def _ssl_context(configuration: Configuration) -> ssl.SSLContext:
    """Make what all connections share: reading the authorities for each of them would be slow."""
    try:
        context = ssl.create_default_context(
            cafile=configuration.ssl_ca_cert, cadata=configuration.ca_cert_data
        )
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if configuration.cert_file is not None:
            # An empty password: else an encrypted key would ask for one on the terminal.
            context.load_cert_chain(configuration.cert_file, configuration.key_file, password="")
    except (OSError, ValueError):
        raise ApiValueError(
            "ssl_ca_cert, ca_cert_data, cert_file or key_file can't be read: PEM files are "
            "expected, the key without a password"
        ) from None
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _proxy_of(configuration: Configuration) -> Optional[tuple[str, dict[str, str]]]:
    """Find the proxy's URL, without its user and password, and the headers that it gets."""
    url = configuration.proxy or _environment_proxy(configuration.host)
    if url is None:
        return None
    parts = urlsplit(url)
    headers = dict(configuration.proxy_headers or {})
    if parts.username is not None:
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers.update(urllib3.make_headers(proxy_basic_auth=user))
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}", headers


def _environment_proxy(url: str) -> Optional[str]:
    parts = urlsplit(url)
    variable = f"{parts.scheme}_proxy"
    if not any(name.lower() == variable for name in os.environ):
        return None
    if parts.scheme == "http" and is_loopback(parts.hostname or ""):
        return None  # the token would leave this machine in clear text
    from urllib.request import getproxies_environment, proxy_bypass

    proxy = getproxies_environment().get(parts.scheme)
    if not proxy or proxy_bypass(parts.netloc):
        return None
    return check_proxy(variable.upper(), proxy if "://" in proxy else f"http://{proxy}")


def _start_all_afresh() -> None:
    for client in list(_clients):
        client.start_afresh()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_all_afresh)
