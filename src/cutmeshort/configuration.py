"""The settings of a client: plain data, checked when made, safe to print."""

import ipaddress
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Callable, ClassVar, Optional, TypeVar, Union
from urllib.parse import SplitResult, urlsplit

from typing_extensions import Literal

from .exceptions import ApiValueError

DEFAULT_HOST = "https://api.cme.sh"
DEFAULT_TIMEOUT = 10.0
DEFAULT_REQUEST_TIMEOUT = (3.0, 5.0)
DEFAULT_RETRIES = 3
MAX_TIMEOUT = 86_400.0
STANDARD_PORTS = {"http": 80, "https": 443}

AttemptTimeout = Union[float, tuple[float, float]]
SocketOption = tuple[int, int, Union[int, bytes]]

_N = TypeVar("_N", int, float)
_HOST_NAME = re.compile(r"(?=.{1,253}$)[0-9A-Za-z_-]{1,63}(\.[0-9A-Za-z_-]{1,63})*\.?")
_AUTHORITY = re.compile(r"([^@]*@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^:@\[\]]+)(:[0-9]{1,5})?")
_HEADER_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_HEADER_VALUE = r"[\t\x20-\x7e\x80-\xff]*"


def check_seconds(name: str, value: Any) -> float:
    """Return `value` if it is a usable time in seconds: above 0, at most a day."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    usable = number and 0 < value <= MAX_TIMEOUT
    _require(usable, name, "a number of seconds above 0, at most 86400")
    return float(value)


def check_attempt_timeout(name: str, value: Any) -> tuple[float, float]:
    """Return the (connect, read) pair that `value` is or stands for."""
    pair = value if isinstance(value, tuple) else (value, value)
    _require(len(pair) == 2, name, "seconds or a (connect, read) pair of them")
    return check_seconds(name, pair[0]), check_seconds(name, pair[1])


def check_count(name: str, value: Any) -> int:
    """Return `value` if it is a whole number, 0 or more."""
    _require(_is_whole(value) and value >= 0, name, "a whole number, 0 or more")
    return int(value)


def check_token(name: str, value: Any) -> str:
    """Return `value` if it can stand in an Authorization header."""
    usable = isinstance(value, str) and _is_visible_ascii(value)
    expected = "the bearer token alone: visible ASCII characters, no white space"
    _require(usable, name, expected)
    return str(value)


def check_headers(name: str, value: Any) -> Mapping[str, str]:
    """Return `value` if its names and values can stand in a request."""
    _require(isinstance(value, Mapping), name, "a mapping of header names to values")
    for key, text in value.items():
        usable = isinstance(key, str) and re.fullmatch(_HEADER_NAME, key) is not None
        _require(usable, name, "a mapping of HTTP header names to values")
        if key.lower() in ("content-length", "transfer-encoding"):
            raise ApiValueError(f"{name} must leave {key} to the SDK", name)
        usable = isinstance(text, str) and re.fullmatch(_HEADER_VALUE, text) is not None
        _require(usable, name, f"a mapping with a text of one line, in Latin-1, for {key}")
    return dict(value)


def check_proxy(name: str, value: Any) -> str:
    """Return `value` if it is a proxy's URL, with or without user-info."""
    example = "http://proxy.example:3128 or http://user:password@proxy.example:3128"
    _require(_split(value) is not None, name, f"a URL like {example}")
    return str(value)


def is_loopback(hostname: str) -> bool:
    """Tell whether the name or address can't leave this machine."""
    try:
        return hostname == "localhost" or ipaddress.ip_address(hostname).is_loopback
    except ValueError:
        return False


def _split(url: Any) -> Optional[SplitResult]:
    """Take an http(s) URL apart; None where it can't be used as it is."""
    if not isinstance(url, str) or not _is_visible_ascii(url) or "\\" in url:
        return None
    try:
        parts = urlsplit(url)
        authority = _AUTHORITY.fullmatch(parts.netloc)
        if authority is None or parts.port == 0 or parts.scheme not in ("http", "https"):
            return None
    except ValueError:
        return None
    host = authority["host"]
    return parts if host[0] == "[" or _HOST_NAME.fullmatch(host) else None


def _check_host(value: Any, allow_insecure_http: bool) -> str:
    name = "host (or CMS_HOST)"
    parts = _split(value)
    if parts is None:
        expected = f"an https:// URL of visible ASCII characters, like {DEFAULT_HOST}"
        raise ApiValueError(f"{name} must be {expected}", "host")
    if "@" in parts.netloc or "?" in value or "#" in value:
        expected = f"a URL without user name, query and fragment, like {DEFAULT_HOST}"
        raise ApiValueError(f"{name} must be {expected}", "host")
    if parts.scheme == "http" and not (allow_insecure_http or is_loopback(parts.hostname or "")):
        raise ApiValueError(
            f"{name} must begin with https://: plain http:// would show the token to everybody on "
            "the way. Configuration(allow_insecure_http=True) permits it all the same",
            "host",
        )
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path}".rstrip("/")


def _check_socket_options(value: Any) -> tuple[SocketOption, ...]:
    name = "socket_options"
    expected = "(level, option, value) triples: int, int, and int or bytes"
    options: tuple[Any, ...] = tuple(value) if isinstance(value, (list, tuple)) else (None,)
    for option in options:
        triple = isinstance(option, tuple) and len(option) == 3
        usable = triple and all(_is_whole(part) and abs(part) < 2**31 for part in option[:2])
        _require(usable, name, expected)
        setting = option[2]
        number = _is_whole(setting) and abs(setting) < 2**31
        _require(number or isinstance(setting, bytes), name, expected)
    return options


def _is_visible_ascii(value: str) -> bool:
    return value.isascii() and value.isprintable() and " " not in value and value != ""


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _require(condition: bool, name: str, expected: str) -> None:
    if not condition:
        raise ApiValueError(f"{name} must be {expected}", name)


def _environment(name: str) -> Optional[str]:
    """Read a variable; one that is set to nothing counts as not set."""
    return os.environ.get(name) or None


def _from_environment(
    name: str, read: Callable[[str], _N], check: Callable[[str, Any], _N], default: _N
) -> _N:
    text = _environment(name)
    if text is None:
        return default
    try:
        value: Any = read(text)
    except ValueError:
        value = None  # which no check takes
    return check(name, value)


@dataclass(frozen=True)
class Configuration:
    """
    The settings of an ApiClient.

    Unchangeable once made: `dataclasses.replace(configuration, timeout=5)` makes a changed
    one. A setting that isn't given comes from its environment variable, then from the default.

    Args:
        host: Base URL of the service, `https://api.cme.sh` by default, or from `CMS_HOST`. A
            path is kept.
        access_token: Bearer token, or from `CMS_BEARER_TOKEN`: visible ASCII, no white space.
        timeout: Seconds for one call, its repeats and waits included: 10, or from `CMS_TIMEOUT`.
        request_timeout: Seconds for one attempt, to connect and for the whole answer: a
            number for both or a (connect, read) pair. (3, 5); never beyond `timeout`.
        retries: How often a failed attempt is repeated: 3, or from `CMS_MAX_RETRIES`.
        verify_ssl: False accepts any certificate. For experiments only: the token is at risk.
        ssl_ca_cert: Path of a PEM file with the certificate authorities to trust, instead of
            the system's.
        ca_cert_data: The same as PEM text, or as DER bytes.
        cert_file: Path of a PEM file with the client's certificate.
        key_file: Path of a PEM file with its private key, where `cert_file` lacks it.
        assert_hostname: The name to expect in the service's certificate; False for any name.
        tls_server_name: The name to ask for in the TLS handshake (SNI).
        proxy: URL of the proxy to use. Without it, `HTTPS_PROXY` or `HTTP_PROXY` unless
            `NO_PROXY` excludes the host; plain http to loopback never goes through those.
        proxy_headers: Headers for the proxy alone.
        connection_pool_maxsize: Connections that are kept open for reuse: 32. More calls at
            a time work, on connections that are closed afterwards.
        socket_options: (level, option, value) triples for each connection's socket, added
            to urllib3's own (TCP_NODELAY).
        allow_insecure_http: Permits plain http:// to hosts other than loopback. The token
            then crosses the network in clear text.

    Raises:
        ApiValueError: A value, or its environment variable, can't be used.
    """

    host: str = field(default_factory=lambda: _environment("CMS_HOST") or DEFAULT_HOST)
    access_token: Optional[str] = field(
        default_factory=lambda: _environment("CMS_BEARER_TOKEN"), repr=False
    )
    timeout: float = field(
        default_factory=lambda: _from_environment(
            "CMS_TIMEOUT", float, check_seconds, DEFAULT_TIMEOUT
        )
    )
    request_timeout: AttemptTimeout = DEFAULT_REQUEST_TIMEOUT
    retries: int = field(
        default_factory=lambda: _from_environment(
            "CMS_MAX_RETRIES", int, check_count, DEFAULT_RETRIES
        )
    )
    verify_ssl: bool = True
    ssl_ca_cert: Optional[str] = None
    ca_cert_data: Union[str, bytes, None] = field(default=None, repr=False)
    cert_file: Optional[str] = None
    key_file: Optional[str] = None
    assert_hostname: Union[str, Literal[False], None] = None
    tls_server_name: Optional[str] = None
    proxy: Optional[str] = field(default=None, repr=False)
    proxy_headers: Optional[Mapping[str, str]] = field(default=None, repr=False, hash=False)
    connection_pool_maxsize: int = 32
    socket_options: Sequence[SocketOption] = ()
    allow_insecure_http: bool = False

    _default: ClassVar[Optional["Configuration"]] = None

    def __post_init__(self) -> None:
        if self.access_token is not None:
            check_token("token (or CMS_BEARER_TOKEN)", self.access_token)
        self._set("host", _check_host(self.host, self.allow_insecure_http))
        self._set("timeout", check_seconds("timeout", self.timeout))
        self._set("request_timeout", check_attempt_timeout("request_timeout", self.request_timeout))
        self._set("retries", check_count("retries (or max_retries)", self.retries))
        self._check_tls()
        if self.proxy is not None:
            check_proxy("proxy", self.proxy)
        if self.proxy_headers is not None:
            headers = check_headers("proxy_headers", self.proxy_headers)
            self._set("proxy_headers", MappingProxyType(headers))
        maxsize = self.connection_pool_maxsize
        _require(_is_whole(maxsize) and maxsize > 0, "connection_pool_maxsize", "1 or more")
        self._set("socket_options", _check_socket_options(self.socket_options))
        _require(isinstance(self.allow_insecure_http, bool), "allow_insecure_http", "True or False")

    def _check_tls(self) -> None:
        _require(isinstance(self.verify_ssl, bool), "verify_ssl", "True or False")
        for name in ("ssl_ca_cert", "cert_file", "key_file"):
            value = getattr(self, name)
            usable = value is None or (isinstance(value, str) and value != "")
            _require(usable, name, "the path of a PEM file, as text")
        paired = self.key_file is None or self.cert_file is not None
        _require(paired, "key_file", "given with cert_file, or not at all")
        data = self.ca_cert_data
        usable = data is None or (isinstance(data, (str, bytes)) and len(data) > 0)
        _require(usable, "ca_cert_data", "PEM text or DER bytes")
        for name in ("assert_hostname", "tls_server_name"):
            value = getattr(self, name)
            if value is not None and not (value is False and name == "assert_hostname"):
                usable = isinstance(value, str) and _HOST_NAME.fullmatch(value) is not None
                _require(usable, name, "a host name")

    def __deepcopy__(self, memo: object) -> "Configuration":
        return self  # it can't be changed

    def _set(self, name: str, value: object) -> None:
        """Normalise a field of this frozen object, while it is being made."""
        object.__setattr__(self, name, value)

    @classmethod
    def get_default(cls, **changes: Any) -> "Configuration":
        """
        Return what `set_default` was given, else a new one from the environment.

        Args:
            changes: Settings to use instead of the default's.
        """
        return cls(**changes) if cls._default is None else replace(cls._default, **changes)

    @classmethod
    def set_default(cls, default: Optional["Configuration"]) -> None:
        """Set what clients without a configuration of their own use; None undoes it."""
        cls._default = default
