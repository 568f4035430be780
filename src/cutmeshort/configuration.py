"""The settings of a client: plain data, checked when assigned, safe to print and to pickle."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import Any, Callable, ClassVar, Optional, TypeVar, Union
from urllib.parse import urlsplit, urlunsplit

from typing_extensions import Literal

from .checks import (
    DEFAULT_HOST,
    AttemptTimeout,
    FilePath,
    SocketOption,
    check_assert_hostname,
    check_attempt_timeout,
    check_certificates,
    check_count,
    check_flag,
    check_host,
    check_host_name,
    check_path,
    check_pool_size,
    check_proxy,
    check_proxy_headers,
    check_scheme,
    check_seconds,
    check_socket_options,
    check_token,
)
from .exceptions import ApiAttributeError, ApiTypeError, ApiValueError

DEFAULT_TIMEOUT = 10.0
DEFAULT_REQUEST_TIMEOUT = (3.0, 5.0)
DEFAULT_RETRIES = 3
STANDARD_PORTS = {"http": 80, "https": 443}

_N = TypeVar("_N", int, float)
_FLAGS = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}
_LABELS = {
    "access_token": "token (or CMS_BEARER_TOKEN)",
    "retries": "retries (or max_retries)",
}
_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "host": check_host,
    "access_token": check_token,
    "timeout": check_seconds,
    "request_timeout": check_attempt_timeout,
    "retries": check_count,
    "verify_ssl": check_flag,
    "ssl_ca_cert": check_path,
    "ca_cert_data": check_certificates,
    "cert_file": check_path,
    "key_file": check_path,
    "assert_hostname": check_assert_hostname,
    "tls_server_name": check_host_name,
    "proxy": check_proxy,
    "proxy_headers": check_proxy_headers,
    "connection_pool_maxsize": check_pool_size,
    "socket_options": check_socket_options,
    "allow_insecure_http": check_flag,
    "enabled": check_flag,
}


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


def _enabled() -> bool:
    text = _environment("CMS_ENABLED")
    flag = True if text is None else _FLAGS.get(text.strip().lower())
    if flag is None:
        raise ApiValueError(f"CMS_ENABLED must be one of {', '.join(_FLAGS)}", "enabled")
    return flag


@dataclass
class Configuration:
    """
    The settings of an ApiClient.

    A setting that isn't given, or is None, comes from its environment variable, then from the
    default. Settings can be assigned until a client is made from the configuration; after that,
    `dataclasses.replace(configuration, timeout=5)` makes a changed one. A pickle has no token, no
    password and no `proxy_headers`: where it is loaded, the token comes from the environment.

    Args:
        host: Base URL of the service, `https://api.cme.sh` by default, or from `CMS_HOST`. A
            path is kept.
        access_token: Bearer token, or from `CMS_BEARER_TOKEN`: visible ASCII, no white space.
        timeout: Seconds for one call, retries and waits included: 10, or from `CMS_TIMEOUT`. Above
            0, at most 86400.
        request_timeout: Seconds for one attempt, to connect and for the whole response: a
            number for both or a (connect, read) pair. (3, 5); never beyond `timeout`.
        retries: How often a failed attempt is retried: 3, or from `CMS_MAX_RETRIES`. 0 or more.
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
        allow_insecure_http: Permits plain `http://` to hosts other than loopback. The token
            then crosses the network in clear text.
        enabled: False makes clients that validate, send nothing and need no token: for development
            machines and staging. True, or from `CMS_ENABLED`: 1 or 0, true or false, yes or no, on
            or off.

    Raises:
        ApiValueError: A value, or its environment variable, can't be used.
        ApiAttributeError: A setting that doesn't exist is assigned, or one of a configuration that
            a client was made from.
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
    ssl_ca_cert: Optional[FilePath] = None
    ca_cert_data: Union[str, bytes, None] = field(default=None, repr=False)
    cert_file: Optional[FilePath] = None
    key_file: Optional[FilePath] = None
    assert_hostname: Union[str, Literal[False], None] = None
    tls_server_name: Optional[str] = None
    proxy: Optional[str] = field(default=None, repr=False)
    proxy_headers: Optional[Mapping[str, str]] = field(default=None, repr=False)
    connection_pool_maxsize: int = 32
    socket_options: Sequence[SocketOption] = ()
    allow_insecure_http: bool = False
    enabled: bool = field(default_factory=_enabled)

    _default: ClassVar[Optional["Configuration"]] = None
    _frozen: ClassVar[bool] = False

    def __post_init__(self) -> None:
        self.check()

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in _CHECKS:
            raise ApiAttributeError(f"Configuration has no setting {name}")
        if self._frozen:
            raise ApiAttributeError(
                f"{name} can't be assigned: a client was made from this configuration. Make "
                f"another one: dataclasses.replace(configuration, {name}=...)"
            )
        if value is None:
            value = _default_of(name)
        if value is not None:
            value = _CHECKS[name](_LABELS.get(name, name), value)
        if name in ("host", "allow_insecure_http"):
            settings = {**self.__dict__, name: value}
            if "allow_insecure_http" in settings:  # the host is assigned first
                check_scheme(settings["host"], settings["allow_insecure_http"])
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        raise ApiAttributeError(f"{name} can't be deleted: assign another value")

    def __copy__(self) -> "Configuration":
        return replace(self)

    def __deepcopy__(self, memo: object) -> "Configuration":
        return replace(self)  # no setting has a value that can be changed

    def __reduce__(self) -> tuple[Any, ...]:
        secret = ("access_token", "proxy", "proxy_headers")
        settings = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in secret}
        if self.proxy is not None:
            parts = urlsplit(self.proxy)
            settings["proxy"] = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        return _restore, (type(self), settings)

    def check(self) -> None:
        """
        Check what can't be checked on assignment: `key_file` may be assigned before `cert_file`.

        Raises:
            ApiValueError: There is a `key_file` without its `cert_file`.
        """
        if self.key_file is not None and self.cert_file is None:
            raise ApiValueError("key_file must be given with cert_file, or not at all", "key_file")

    def freeze(self) -> None:
        """Fix the settings, as a client was made from them: they can't be assigned any more."""
        object.__setattr__(self, "_frozen", True)

    @classmethod
    def from_default(cls, **changes: Any) -> "Configuration":
        """
        Return a copy of the default, if one was set, else a new one from the environment.

        Args:
            changes: Settings to use instead of the default's.
        """
        return cls(**changes) if cls._default is None else replace(cls._default, **changes)

    @classmethod
    def get_default(cls) -> "Configuration":
        """
        Return the default, whose settings can be assigned; it is made when first asked for.

        Clients without a configuration of their own use a copy of it, as it is when they are made.
        """
        if cls._default is None:
            cls._default = cls()
        return cls._default

    @classmethod
    def set_default(cls, default: Optional["Configuration"]) -> None:
        """
        Set the default; None undoes it.

        Raises:
            ApiTypeError: It is not a Configuration.
        """
        if not isinstance(default, (Configuration, type(None))):
            raise ApiTypeError("default must be a Configuration")
        cls._default = default


def _default_of(name: str) -> Any:
    field_ = Configuration.__dataclass_fields__[name]
    return field_.default if field_.default_factory is MISSING else field_.default_factory()


def _restore(cls: type[Configuration], settings: dict[str, Any]) -> Configuration:
    """Make the configuration that a pickle describes."""
    return cls(**settings)
