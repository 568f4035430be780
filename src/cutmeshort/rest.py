"""
The only room that knows urllib3: connections, TLS, proxies, the retry loop, the deadline, the size
cap, and what each of urllib3's errors means.
"""

import http.client
import io
import os
import random
import socket
import ssl
import threading
import time
import weakref
import zlib
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.errors import FirstHeaderLineIsContinuationDefect, MissingHeaderBodySeparatorDefect
from traceback import clear_frames
from typing import Any, Optional, Union
from urllib.parse import unquote, urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ClosedPoolError,
    ConnectTimeoutError,
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
# Head, framing and body as they come: what no body that may be read needs.
_MAX_RAW_BYTES = 2 * MAX_BODY_BYTES
_PIECE_BYTES = 2**16
_BROKEN_HEAD = (FirstHeaderLineIsContinuationDefect, MissingHeaderBodySeparatorDefect)
_BROKEN_HANDSHAKE = (ssl.SSLEOFError, ssl.SSLZeroReturnError)


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
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    deadline: float
    attempt_timeout: tuple[float, float]
    max_retries: int
    preload_content: bool = True


@dataclass(frozen=True)
class RESTResponse:
    """
    An answer, of whatever status.

    Attributes:
        raw: urllib3's response.
        data: The body; None when it was not to be read, is too large or can't be decompressed.
        repeated: Whether an earlier attempt of the same call may have reached the service.
    """

    raw: urllib3.BaseHTTPResponse
    data: Optional[bytes] = field(repr=False)
    repeated: bool

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.raw.status

    def retry_after(self) -> Optional[float]:
        """Seconds that the service asks to wait, if it does."""
        return parse_retry_after(self.raw.headers.get("Retry-After"), time.time())


class _Attempt(threading.local):
    """
    The attempt that this thread makes: its connection is urllib3's choice, and unknown before.

    Attributes:
        end: When it ends, on the monotonic clock.
        sent: Whether the service may have got something of the request.
    """

    end = 0.0
    sent = False

    def remaining(self) -> float:
        """Seconds until the end, above 0: sockets take 0 for something else."""
        return max(self.end - time.monotonic(), 0.001)


_attempt = _Attempt()


class _BoundedReader(io.RawIOBase):
    """
    Read from a socket until a fixed moment, and so many bytes.

    A socket's own time-out starts anew with every byte, so that a server which sends one now and
    then would hold a call for as long as it likes.
    """

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw = raw
        self._socket = sock
        self._end = min(time.monotonic() + (sock.gettimeout() or 0), _attempt.end)
        self._room = _MAX_RAW_BYTES
        self.ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> Optional[int]:
        remaining = self._end - time.monotonic()
        if remaining <= 0:
            raise socket.timeout("timed out")
        self._socket.settimeout(remaining)
        size = self._raw.readinto(buffer) or 0
        self.ended = size == 0
        self._room -= size
        if self._room < 0:
            raise http.client.HTTPException("the answer is too large")
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
        broken = any(isinstance(defect, _BROKEN_HEAD) for defect in self.msg.defects)
        if self._reader.ended or broken:
            raise http.client.RemoteDisconnected("the answer's head is broken")


class _HTTPConnection(HTTPConnection):
    """A connection whose every step ends with the attempt."""

    response_class = _Response
    _timeout = 0.0

    @property
    def timeout(self) -> float:
        """Seconds for the next step."""
        return min(self._timeout, _attempt.remaining())

    @timeout.setter
    def timeout(  # pyright: ignore[reportIncompatibleVariableOverride]
        self, value: float
    ) -> None:
        self._timeout = value

    def request(self, *args: Any, **kwargs: Any) -> None:
        _attempt.sent = True
        super().request(*args, **kwargs)


class _HTTPSConnection(  # pyright: ignore[reportIncompatibleVariableOverride]
    _HTTPConnection, HTTPSConnection
):
    """The same with TLS."""


class _HTTPPool(urllib3.HTTPConnectionPool):
    ConnectionCls: Any = _HTTPConnection


class _HTTPSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls: Any = _HTTPSConnection


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
        urls = configuration.host, self._proxy[0] if self._proxy else ""
        tls = any(url.startswith("https:") for url in urls)
        self._ssl_context = _ssl_context(configuration) if tls else None
        self._pool = self._new_pool()
        self._abandoned: list[object] = []
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
            try:
                response = self._attempt(request, end, repeated)
            except ApiException as error:
                wait = _wait(policy, attempt, end, None)
                if wait is None or not error.retryable or self._closed:
                    raise
                landed = _attempt.sent
            else:
                if response.status not in RETRYABLE_STATUSES:
                    return response
                wait = _wait(policy, attempt, end, response.retry_after())
                if wait is None:
                    return response
                response.raw.close()
                landed = response.status != 429  # the rate limit refuses before it records
            repeated = repeated or landed
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

        The parent's are kept, and neither used nor closed: a thread that doesn't exist here may
        have locked their pool.
        """
        self._abandoned.append(self._pool)
        self._pool = self._new_pool()

    def _attempt(self, request: RESTRequest, end: float, repeated: bool) -> RESTResponse:
        if self._closed:
            raise _client_closed()
        connect, read = request.attempt_timeout
        _attempt.end = end
        _attempt.sent = False
        try:
            raw = self._pool.urlopen(
                request.method,
                self._base + request.path,
                body=request.body,
                headers=request.headers,
                retries=False,
                redirect=False,
                timeout=urllib3.Timeout(connect=connect, read=read),
                preload_content=False,
            )
            data = _read(raw) if request.preload_content else None
        except (HTTPError, http.client.HTTPException, OSError) as error:
            failure = self._failure(error)
            _release(error)
            raise failure from error
        return RESTResponse(raw, data, repeated)

    def _new_pool(self) -> Union[urllib3.HTTPConnectionPool, urllib3.PoolManager]:
        configuration = self._configuration
        parts = urlsplit(configuration.host)
        defaults: Any = HTTPConnection.default_socket_options
        options: dict[str, Any] = {
            "maxsize": configuration.connection_pool_maxsize,
            "socket_options": [*defaults, *configuration.socket_options],
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

    def _failure(self, error: Exception) -> ApiException:
        """Name what urllib3 raised."""
        host = urlsplit(self._configuration.host).netloc
        cause = _root(error)
        if isinstance(error, (ConnectTimeoutError, ProxyError)):
            _attempt.sent = False
        if isinstance(error, ClosedPoolError):
            return _client_closed()
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, _BROKEN_HANDSHAKE):
            return ApiException(0, "tls_error", _tls_message(host, cause))
        if isinstance(error, SSLError) and not isinstance(cause, OSError):
            message = f"The certificate of {host} is for another name: {cause}."
            return ApiException(0, "tls_error", message)
        kind = "network_error"
        if isinstance(error, ProxyError):
            message = f"The proxy gave no way to {host}: check its address, user and password."
        elif isinstance(error, NameResolutionError):
            message = f"The name {host} could not be resolved."
        elif isinstance(error, NewConnectionError):
            message = f"{host} could not be connected to."
        elif isinstance(error, Urllib3TimeoutError) or isinstance(cause, socket.timeout):
            kind = "timeout"
            message = f"{host} did not answer in time."
        else:
            message = f"The connection to {host} broke before the whole answer came."
        return ApiException(0, kind, message, retryable=True)


def _wait(
    policy: RetryPolicy, attempt: int, end: float, retry_after: Optional[float]
) -> Optional[float]:
    return policy.wait(
        attempt,
        remaining=end - time.monotonic(),
        jitter=random.random(),
        retry_after=retry_after,
    )


def _client_closed() -> ApiException:
    message = "The client is closed: make a new one."
    return ApiException(0, "client_closed", message, retryable=True)


def _read(response: urllib3.BaseHTTPResponse) -> Optional[bytes]:
    """Read the body; None where it can't be decompressed or exceeds MAX_BODY_BYTES."""
    if response.status in (204, 304) and "Transfer-Encoding" in response.headers:
        response.close()  # urllib3 would wait for chunks, which may not come (RFC 9112, 6.3)
        return b""
    pieces = []
    size = 0
    try:
        for piece in response.stream(_PIECE_BYTES, decode_content=False):
            pieces.append(piece)
            size += len(piece)
            if size > MAX_BODY_BYTES:
                response.close()
                return None
    except ValueError as error:  # of some framing errors
        response.close()
        raise http.client.HTTPException("the answer's framing is broken") from error
    data = b"".join(pieces)
    coding = response.headers.get("Content-Encoding", "identity").strip().lower()
    return data if coding == "identity" or not data else _decompress(data, coding)


def _decompress(data: bytes, coding: str) -> Optional[bytes]:
    """
    Decompress a whole body.

    Not left to urllib3, which takes a body that breaks off for a whole one and expands without
    limit.
    """
    formats = {"gzip": (31,), "x-gzip": (31,), "deflate": (15, -15)}  # see zlib.decompress
    for window in formats.get(coding, ()):
        decoder = zlib.decompressobj(window)
        try:
            body = decoder.decompress(data, MAX_BODY_BYTES)
        except zlib.error:
            continue
        return body if decoder.eof and not decoder.unused_data else None
    return None


def _root(error: BaseException) -> BaseException:
    """Unwrap what urllib3 wrapped: it keeps the cause among the arguments, or as the cause."""
    inner = [part for part in (*error.args, error.__cause__) if isinstance(part, BaseException)]
    return _root(inner[0]) if inner else error


def _release(error: Optional[BaseException]) -> None:
    """Take sockets, token and customers' data out of an error's frames, which outlive it."""
    while error is not None:
        clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


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
    except (OSError, TypeError, ValueError):
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
        headers["Proxy-Authorization"] = f"Basic {b64encode(user.encode()).decode()}"
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
