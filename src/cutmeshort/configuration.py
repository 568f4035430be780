"""The settings of a client: plain data, checked when assigned, safe to print and to pickle."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import Any, Callable, ClassVar, Optional, Union
from urllib.parse import urlsplit, urlunsplit

from typing_extensions import Literal

from . import checks
from .checks import DEFAULT_HOST, AttemptTimeout, FilePath, SocketOption
from .environment import read_flag, read_number, read_text
from .exceptions import ApiAttributeError, ApiTypeError, ApiValueError

STANDARD_PORTS = {"http": 80, "https": 443}

_SECRETS = ("access_token", "proxy", "proxy_headers")
# What messages call a setting that has several names.
_LABELS = {
    "host": "host (or CMS_HOST)",
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
    """Define a setting with the check of its values, and its default or a default factory."""
    metadata = {"check": check, "factory": factory or (lambda: default)}
    return field(default=default, repr=repr, metadata=metadata)


@dataclass
class Configuration:
    """
    The settings of an ApiClient.

    A setting that is omitted or None has its default. Creating a client makes the settings of its
    configuration read-only; for a changed copy, use
    `dataclasses.replace(configuration, timeout=5)`. A pickle contains no token, no password and no
    `proxy_headers`; the process that loads it takes the token from its environment.

    Args:
        host: Base URL of the service, with or without a path. Defaults to `CMS_HOST`, then to
            `https://api.cme.sh`.
        access_token: Bearer token: visible ASCII, no white space. Defaults to `CMS_BEARER_TOKEN`.
        timeout: Seconds for one call, including retries and waits; above 0, at most 86400. Defaults
            to `CMS_TIMEOUT`, then to 10.
        request_timeout: Seconds for the steps of one attempt: a (connect, read) pair, or a number
            for both; defaults to (3, 5). "connect" limits each connection and each TLS handshake,
            "read" the request and the whole response. No step extends past the call's deadline,
            which is also the limit of a name look-up.
        retries: Maximum number of retries, 0 or more. Defaults to `CMS_MAX_RETRIES`, then to 3.
        verify_ssl: False accepts any certificate, so that anyone on the network can intercept the
            token. For experiments only.
        ssl_ca_cert: Path of a PEM file with the certificate authorities to trust, instead of
            the system's.
        ca_cert_data: Certificate authorities to trust, as a PEM string or DER bytes. With
            `ssl_ca_cert`, both are trusted.
        cert_file: Path of a PEM file with the client's certificate.
        key_file: Path of a PEM file with the private key, if `cert_file` does not contain it.
        assert_hostname: The name that the service's certificate must have, instead of the host's;
            False accepts any name.
        tls_server_name: The name to send in the TLS handshake (SNI), instead of the host's.
        proxy: `http://` or `https://` URL of a proxy, with or without user and password. Defaults
            to `HTTPS_PROXY`, `HTTP_PROXY` or `ALL_PROXY`, unless `NO_PROXY` excludes the host;
            these variables are not used for plain http to loopback.
        proxy_headers: Headers for the proxy only.
        connection_pool_maxsize: Maximum number of idle connections, 1 or more; defaults to 32. It
            does not limit concurrent calls: connections above it are closed after use.
        socket_options: (level, option, value) triples for each connection's socket, in addition
            to urllib3's own (TCP_NODELAY).
        allow_insecure_http: True allows plain `http://` to hosts other than loopback, which sends
            the token in clear text.
        enabled: If False, clients validate, send nothing and need no token: for development
            machines and staging. Defaults to `CMS_ENABLED` (1 or 0, true or false, yes or no, on
            or off), then to True.

    Raises:
        ApiValueError: A value, or its environment variable, is not valid.
        ApiAttributeError: An assigned setting does not exist, or is read-only.
    """

    host: str = _setting(checks.check_host, factory=lambda: read_text("CMS_HOST") or DEFAULT_HOST)
    access_token: Optional[str] = _setting(
        checks.check_token, factory=lambda: read_text("CMS_BEARER_TOKEN"), repr=False
    )
    timeout: float = _setting(
        checks.check_seconds,
        factory=lambda: read_number("CMS_TIMEOUT", float, checks.check_seconds, 10.0),
    )
    request_timeout: AttemptTimeout = _setting(checks.check_attempt_timeout, (3.0, 5.0))
    retries: int = _setting(
        checks.check_count,
        factory=lambda: read_number("CMS_MAX_RETRIES", int, checks.check_count, 3),
    )
    verify_ssl: bool = _setting(checks.check_flag, True)
    ssl_ca_cert: Optional[FilePath] = _setting(checks.check_path)
    ca_cert_data: Union[str, bytes, None] = _setting(checks.check_certificates, repr=False)
    cert_file: Optional[FilePath] = _setting(checks.check_path)
    key_file: Optional[FilePath] = _setting(checks.check_path)
    assert_hostname: Union[str, Literal[False], None] = _setting(checks.check_assert_hostname)
    tls_server_name: Optional[str] = _setting(checks.check_host_name)
    proxy: Optional[str] = _setting(checks.check_proxy, repr=False)
    proxy_headers: Optional[Mapping[str, str]] = _setting(checks.check_headers, repr=False)
    connection_pool_maxsize: int = _setting(partial(checks.check_count, minimum=1), 32)
    socket_options: Sequence[SocketOption] = _setting(checks.check_socket_options, ())
    allow_insecure_http: bool = _setting(checks.check_flag, False)
    enabled: bool = _setting(checks.check_flag, factory=lambda: read_flag("CMS_ENABLED"))

    _default: ClassVar[Optional["Configuration"]] = None
    _frozen: ClassVar[bool] = False

    def __post_init__(self) -> None:
        self.check()

    def __setattr__(self, name: str, value: Any) -> None:
        setting = Configuration.__dataclass_fields__.get(name)
        if setting is None or not setting.metadata:
            raise ApiAttributeError(f"Configuration has no setting named {name}")
        if self._frozen:
            raise ApiAttributeError(
                f"{name} can't be assigned: a client uses this configuration. Create a changed "
                f"copy: dataclasses.replace(configuration, {name}=...)"
            )
        try:
            if value is None:
                value = setting.metadata["factory"]()
            if value is not None:
                value = setting.metadata["check"](_LABELS.get(name, name), value)
        except ApiValueError as error:
            error.argument = name  # not the label
            raise
        settings = {**self.__dict__, name: value}
        # When a configuration is created, `host` is assigned before `allow_insecure_http`.
        if name in ("host", "allow_insecure_http") and "allow_insecure_http" in settings:
            checks.check_scheme(_LABELS["host"], settings["host"], settings["allow_insecure_http"])
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        raise ApiAttributeError(f"{name} can't be deleted: assign None to restore its default")

    def __copy__(self) -> "Configuration":
        return replace(self)

    def __deepcopy__(self, memo: object) -> "Configuration":
        return replace(self)  # no setting has a mutable value

    def __reduce__(self) -> tuple[Any, ...]:
        settings = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in _SECRETS}
        if self.proxy is not None:
            parts = urlsplit(self.proxy)
            settings["proxy"] = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        return partial(type(self), **settings), ()

    def check(self) -> None:
        """
        Check settings that depend on each other, and may be assigned in any order.

        Raises:
            ApiValueError: There is a `key_file` without a `cert_file`.
        """
        if self.key_file is not None and self.cert_file is None:
            raise ApiValueError("key_file requires cert_file", "key_file")

    def freeze(self) -> None:
        """Make the settings read-only, because a client uses them."""
        object.__setattr__(self, "_frozen", True)

    @classmethod
    def from_default(cls, **changes: Any) -> "Configuration":
        """Return a changed copy of the default configuration; if none was set, of a new one."""
        return cls(**changes) if cls._default is None else replace(cls._default, **changes)

    @classmethod
    def get_default(cls) -> "Configuration":
        """
        Return the default configuration, which the first call creates.

        Its settings can be assigned. A client without a configuration of its own uses a copy.
        """
        if cls._default is None:
            cls._default = cls()
        return cls._default

    @classmethod
    def set_default(cls, default: Optional["Configuration"]) -> None:
        """
        Set the default configuration. None removes it.

        Raises:
            ApiTypeError: `default` is neither a Configuration nor None.
        """
        if default is not None and not isinstance(default, Configuration):
            raise ApiTypeError("default must be a Configuration")
        cls._default = default
