"""Checks for settings and options. A check raises ApiValueError if the value is not valid."""

import inspect
import ipaddress
import os
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Optional, Union
from urllib.parse import SplitResult, urlsplit

from .exceptions import ApiValueError

DEFAULT_HOST = "https://api.cme.sh"
MAX_TIMEOUT = 86_400.0

AttemptTimeout = Union[float, tuple[float, float]]
FilePath = Union[str, "os.PathLike[str]"]
SocketOption = tuple[int, int, Union[int, bytes]]

_HOST_NAME = re.compile(r"(?=.{1,253}$)[0-9A-Za-z_-]{1,63}(\.[0-9A-Za-z_-]{1,63})*\.?")
_AUTHORITY = re.compile(r"([^@]*@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^:@\[\]]+)(:[0-9]{1,5})?")
_HEADER_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_HEADER_VALUE = r"[\t\x20-\x7e\x80-\xff]*"


def check_seconds(name: str, value: Any) -> float:
    """Return `value` as a float if it is a number of seconds, above 0 and at most 86400."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    usable = number and 0 < value <= MAX_TIMEOUT
    _require(usable, name, "a number of seconds above 0 and at most 86400")
    return float(value)


def check_attempt_timeout(name: str, value: Any) -> tuple[float, float]:
    """Return `value` as a (connect, read) pair of seconds."""
    pair = value if isinstance(value, (tuple, list)) else (value, value)
    _require(len(pair) == 2, name, "a number of seconds, or a (connect, read) pair of numbers")
    return check_seconds(name, pair[0]), check_seconds(name, pair[1])


def check_count(name: str, value: Any, minimum: int = 0) -> int:
    """Return `value` if it is a whole number, `minimum` or more."""
    _require(_is_whole(value) and value >= minimum, name, f"a whole number, {minimum} or more")
    return int(value)


def check_token(name: str, value: Any) -> str:
    """Return `value` if it is valid in an Authorization header."""
    usable = isinstance(value, str) and _is_visible_ascii(value)
    expected = 'the bearer token without "Bearer": visible ASCII characters, no white space'
    _require(usable, name, expected)
    return str(value)


def check_flag(name: str, value: Any) -> bool:
    """Return `value` if it is True or False."""
    _require(isinstance(value, bool), name, "True or False")
    return bool(value)


def check_headers(name: str, value: Any) -> Mapping[str, str]:
    """Return a read-only copy of `value` if it maps valid HTTP header names to valid values."""
    _require(isinstance(value, Mapping), name, "a mapping of header names to values")
    for key, text in value.items():
        usable = isinstance(key, str) and re.fullmatch(_HEADER_NAME, key) is not None
        _require(usable, name, "a mapping of HTTP header names to values")
        if key.lower() in ("content-length", "transfer-encoding"):
            raise ApiValueError(f"{name} must not contain {key}: the SDK sets it", name)
        usable = isinstance(text, str) and re.fullmatch(_HEADER_VALUE, text) is not None
        _require(usable, name, f"a mapping in which {key} is a string of one line, in Latin-1")
    return MappingProxyType(dict(value))


def check_proxy(name: str, value: Any) -> str:
    """Return `value` if it is the URL of a proxy, with or without user and password."""
    example = "http://proxy.example:3128 or http://user:password@proxy.example:3128"
    _require(_split(value) is not None, name, f"a URL like {example}")
    return str(value)


def check_host(name: str, value: Any) -> str:
    """Return `value`, with a host in lower case and no final slash, if it is a base URL."""
    parts = _split(value)
    if parts is None or "@" in parts.netloc or "?" in value or "#" in value:
        extras = "a user name, query or fragment"
        expected = f"an https:// URL (to loopback also http://) of visible ASCII without {extras}"
        raise ApiValueError(f"{name} must be {expected}, like {DEFAULT_HOST}", name)
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path}".rstrip("/")


def check_scheme(name: str, host: str, allow_insecure_http: bool) -> None:
    """Reject plain http:// to hosts other than loopback, unless it is allowed."""
    parts = urlsplit(host)
    if parts.scheme == "http" and not (allow_insecure_http or is_loopback(parts.hostname or "")):
        raise ApiValueError(
            f"{name} must begin with https://: plain http:// sends the token over the "
            "network in clear text. To allow that, pass Configuration(allow_insecure_http=True)",
            "host",
        )


def check_host_name(name: str, value: Any, expected: str = "a host name") -> str:
    """Return `value` if it is the name of a host."""
    usable = isinstance(value, str) and _HOST_NAME.fullmatch(value) is not None
    _require(usable, name, expected)
    return str(value)


def check_assert_hostname(name: str, value: Any) -> Any:
    """Return `value` if it is False, or the name of a host."""
    return value if value is False else check_host_name(name, value, "a host name, or False")


def check_path(name: str, value: Any, expected: str = "the path of a PEM file") -> str:
    """Return `value` as a string if it is a path; the file need not exist."""
    path = os.fspath(value) if isinstance(value, os.PathLike) else value
    _require(isinstance(path, str) and path != "" and "\0" not in path, name, expected)
    return str(path)


def check_certificates(name: str, value: Any) -> Union[str, bytes]:
    """Return `value` if it is a string (PEM) or bytes (DER) that is not empty."""
    usable = isinstance(value, (str, bytes)) and len(value) > 0
    _require(usable, name, "a PEM string or DER bytes")
    return value  # type: ignore[no-any-return]


def check_socket_options(name: str, value: Any) -> tuple[SocketOption, ...]:
    """Return `value` as a tuple if it is a list of arguments for `setsockopt`."""
    expected = "a list of (level, option, value) triples: int, int, and int or bytes"
    _require(isinstance(value, (list, tuple)), name, expected)
    for option in value:
        _require(isinstance(option, tuple) and len(option) == 3, name, expected)
        numbers = option[:2] if isinstance(option[2], bytes) else option
        usable = all(_is_whole(number) and abs(number) < 2**31 for number in numbers)
        _require(usable, name, expected)
    return tuple(value)


def parse_address(text: str) -> Union[ipaddress.IPv4Address, ipaddress.IPv6Address, None]:
    """Return an IP address; None if the string is not one."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def is_loopback(hostname: str) -> bool:
    """Return whether a host is `localhost` or a loopback address."""
    address = parse_address(hostname)
    return hostname == "localhost" or (address is not None and address.is_loopback)


def is_sync_callable(hook: object) -> bool:
    """Return whether a hook of the application can be called, and is not async."""
    return callable(hook) and not any(
        inspect.iscoroutinefunction(function) for function in (hook, type(hook).__call__)
    )


def _split(url: Any) -> Optional[SplitResult]:
    """Split an http(s) URL; return None if it is not valid."""
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


def _is_visible_ascii(value: str) -> bool:
    return value.isascii() and value.isprintable() and " " not in value and value != ""


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _require(condition: bool, name: str, expected: str) -> None:
    if not condition:
        raise ApiValueError(f"{name} must be {expected}", name)
