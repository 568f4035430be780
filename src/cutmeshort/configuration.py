"""The settings of a client: plain data, checked when assigned, safe to print and to pickle."""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import Any, Callable, ClassVar, Optional, Union
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
from .environment import read_flag, read_number, read_text
from .exceptions import ApiAttributeError, ApiTypeError, ApiValueError

DEFAULT_TIMEOUT = 10.0
DEFAULT_REQUEST_TIMEOUT = (3.0, 5.0)
DEFAULT_RETRIES = 3
STANDARD_PORTS = {"http": 80, "https": 443}

_SECRETS = ("access_token", "proxy", "proxy_headers")
# The names of a setting in messages, where it has several.
_LABELS = {
    "access_token": "token (or CMS_BEARER_TOKEN)",
    "retries": "retries (or max_retries)",
}


def _setting(
    check: Callable[[str, Any], Any],
    default: Any = None,
    *,
    factory: Optional[Callable[[], Any]] = None,
    repr: bool = True,  # noqa: A002 - as in dataclasses.field
) -> Any:
    """Define a setting with the check of its values, and its default or what makes the default."""
    metadata = {"check": check}
    if factory is None:
        return field(default=default, repr=repr, metadata=metadata)
    return field(default_factory=factory, repr=repr, metadata=metadata)


@dataclass
class Configuration:
    """
    The settings of an ApiClient.

    A setting that is not given, or is None, comes from its environment variable, else from the
    default. Settings can be assigned until a client is made from the configuration; after that,
    `dataclasses.replace(configuration, timeout=5)` makes a changed copy. A pickle has no token, no
    password and no `proxy_headers`; the process that loads it takes the token from its environment.

    Args:
        host: Base URL of the service, or from `CMS_HOST`; default `https://api.cme.sh`. A path is
            kept.
        access_token: Bearer token, or from `CMS_BEARER_TOKEN`: visible ASCII, no white space.
        timeout: Seconds for one call, retries and waits included, or from `CMS_TIMEOUT`; default
            10. Above 0, at most 86400.
        request_timeout: Seconds for one attempt, to connect and for the whole response: a
            number for both, or a (connect, read) pair; default (3, 5). An attempt never passes the
            deadline of the call.
        retries: How often a failed attempt is retried, or from `CMS_MAX_RETRIES`; default 3. 0 or
            more.
        verify_ssl: False accepts any certificate. For experiments only: the token is at risk.
        ssl_ca_cert: Path of a PEM file with the certificate authorities to trust, instead of
            the system's.
        ca_cert_data: The same as PEM text, or as DER bytes.
        cert_file: Path of a PEM file with the client's certificate.
        key_file: Path of a PEM file with its private key, if `cert_file` does not contain it.
        assert_hostname: The name to expect in the service's certificate; False for any name.
        tls_server_name: The name to ask for in the TLS handshake (SNI).
        proxy: URL of a proxy. By default, `HTTPS_PROXY` or `HTTP_PROXY`, unless `NO_PROXY` excludes
            the host. Those are not used for plain http to loopback.
        proxy_headers: Headers for the proxy only.
        connection_pool_maxsize: How many idle connections are kept for reuse; default 32. More
            calls can run at a time; their connections are closed afterwards.
        socket_options: (level, option, value) triples for each connection's socket, in addition
            to urllib3's own (TCP_NODELAY).
        allow_insecure_http: True allows plain `http://` to hosts other than loopback. The token
            then crosses the network in clear text.
        enabled: False makes clients that validate, send nothing and need no token: for development
            machines and staging. Or from `CMS_ENABLED`: 1 or 0, true or false, yes or no, on or
            off; default True.

    Raises:
        ApiValueError: A value, or its environment variable, is not valid.
        ApiAttributeError: The assigned setting does not exist, or a client was made from this
            configuration.
    """

    host: str = _setting(check_host, factory=lambda: read_text("CMS_HOST") or DEFAULT_HOST)
    access_token: Optional[str] = _setting(
        check_token, factory=lambda: read_text("CMS_BEARER_TOKEN"), repr=False
    )
    timeout: float = _setting(
        check_seconds,
        factory=lambda: read_number("CMS_TIMEOUT", float, check_seconds, DEFAULT_TIMEOUT),
    )
    request_timeout: AttemptTimeout = _setting(check_attempt_timeout, DEFAULT_REQUEST_TIMEOUT)
    retries: int = _setting(
        check_count,
        factory=lambda: read_number("CMS_MAX_RETRIES", int, check_count, DEFAULT_RETRIES),
    )
    verify_ssl: bool = _setting(check_flag, True)
    ssl_ca_cert: Optional[FilePath] = _setting(check_path)
    ca_cert_data: Union[str, bytes, None] = _setting(check_certificates, repr=False)
    cert_file: Optional[FilePath] = _setting(check_path)
    key_file: Optional[FilePath] = _setting(check_path)
    assert_hostname: Union[str, Literal[False], None] = _setting(check_assert_hostname)
    tls_server_name: Optional[str] = _setting(check_host_name)
    proxy: Optional[str] = _setting(check_proxy, repr=False)
    proxy_headers: Optional[Mapping[str, str]] = _setting(check_proxy_headers, repr=False)
    connection_pool_maxsize: int = _setting(check_pool_size, 32)
    socket_options: Sequence[SocketOption] = _setting(check_socket_options, ())
    allow_insecure_http: bool = _setting(check_flag, False)
    enabled: bool = _setting(check_flag, factory=lambda: read_flag("CMS_ENABLED", "enabled"))

    _default: ClassVar[Optional["Configuration"]] = None
    _frozen: ClassVar[bool] = False

    def __post_init__(self) -> None:
        self.check()

    def __setattr__(self, name: str, value: Any) -> None:
        setting = Configuration.__dataclass_fields__.get(name)
        if setting is None or not setting.metadata:
            raise ApiAttributeError(f"Configuration has no setting {name}")
        if self._frozen:
            raise ApiAttributeError(
                f"{name} can't be assigned: a client was made from this configuration. Make "
                f"a changed copy: dataclasses.replace(configuration, {name}=...)"
            )
        if value is None:
            factory: Any = setting.default_factory
            value = setting.default if factory is MISSING else factory()
        if value is not None:
            value = setting.metadata["check"](_LABELS.get(name, name), value)
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
        return replace(self)  # no setting has a mutable value

    def __reduce__(self) -> tuple[Any, ...]:
        settings = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in _SECRETS}
        if self.proxy is not None:
            parts = urlsplit(self.proxy)
            settings["proxy"] = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        return _restore, (type(self), settings)

    def check(self) -> None:
        """
        Check the settings together; `key_file` may be assigned before `cert_file`.

        Raises:
            ApiValueError: There is a `key_file` without its `cert_file`.
        """
        if self.key_file is not None and self.cert_file is None:
            raise ApiValueError("key_file must be given with cert_file, or not at all", "key_file")

    def freeze(self) -> None:
        """Allow no more assignments, because a client was made from this configuration."""
        object.__setattr__(self, "_frozen", True)

    @classmethod
    def from_default(cls, **changes: Any) -> "Configuration":
        """
        Return a copy of the default, if one was set, else a new configuration.

        Args:
            changes: Settings that replace the default's.
        """
        return cls(**changes) if cls._default is None else replace(cls._default, **changes)

    @classmethod
    def get_default(cls) -> "Configuration":
        """
        Return the default, whose settings can be assigned; the first call makes it.

        A client without a configuration of its own copies the default when the client is made.
        """
        if cls._default is None:
            cls._default = cls()
        return cls._default

    @classmethod
    def set_default(cls, default: Optional["Configuration"]) -> None:
        """
        Set the default. None removes it.

        Raises:
            ApiTypeError: It is not a Configuration.
        """
        if not isinstance(default, (Configuration, type(None))):
            raise ApiTypeError("default must be a Configuration")
        cls._default = default


def _restore(cls: type[Configuration], settings: dict[str, Any]) -> Configuration:
    """Make the configuration that a pickle describes."""
    return cls(**settings)
