"""Checks of settings and options. Each returns the value, or raises ApiValueError."""

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
_HOST = "host (or CMS_HOST)"


def check_seconds(name: str, value: Any) -> float:
    """Return `value` if it is a time in seconds, above 0 and at most a day."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    usable = number and 0 < value <= MAX_TIMEOUT
    _require(usable, name, "a number of seconds above 0, at most 86400")
    return float(value)


def check_attempt_timeout(name: str, value: Any) -> tuple[float, float]:
    """Return `value` as a (connect, read) pair of seconds."""
    pair = value if isinstance(value, (tuple, list)) else (value, value)
    _require(len(pair) == 2, name, "seconds or a (connect, read) pair of them")
    return check_seconds(name, pair[0]), check_seconds(name, pair[1])


def check_count(name: str, value: Any) -> int:
    """Return `value` if it is a whole number, 0 or more."""
    _require(_is_whole(value) and value >= 0, name, "a whole number, 0 or more")
    return int(value)


def check_token(name: str, value: Any) -> str:
    """Return `value` if it is valid in an Authorization header."""
    usable = isinstance(value, str) and _is_visible_ascii(value)
    expected = "the bearer token alone: visible ASCII characters, no white space"
    _require(usable, name, expected)
    return str(value)


def check_flag(name: str, value: Any) -> bool:
    """Return `value` if it is True or False."""
    _require(isinstance(value, bool), name, "True or False")
    return bool(value)


def check_headers(name: str, value: Any) -> Mapping[str, str]:
    """Return `value` if its names and values are valid HTTP headers."""
    _require(isinstance(value, Mapping), name, "a mapping of header names to values")
    for key, text in value.items():
        usable = isinstance(key, str) and re.fullmatch(_HEADER_NAME, key) is not None
        _require(usable, name, "a mapping of HTTP header names to values")
        if key.lower() in ("content-length", "transfer-encoding"):
            raise ApiValueError(f"{name} must leave {key} to the SDK", name)
        usable = isinstance(text, str) and re.fullmatch(_HEADER_VALUE, text) is not None
        _require(usable, name, f"a mapping with a text of one line, in Latin-1, for {key}")
    return dict(value)


def check_proxy_headers(name: str, value: Any) -> Mapping[str, str]:
    """Return a read-only copy of `value` if its names and values are valid HTTP headers."""
    return MappingProxyType(check_headers(name, value))


def check_proxy(name: str, value: Any) -> str:
    """Return `value` if it is the URL of a proxy, with or without user and password."""
    example = "http://proxy.example:3128 or http://user:password@proxy.example:3128"
    _require(_split(value) is not None, name, f"a URL like {example}")
    return str(value)


def check_host(name: str, value: Any) -> str:
    """Return `value`, normalised, if it can be the service's base URL."""
    parts = _split(value)
    if parts is None:
        expected = f"an https:// URL of visible ASCII characters, like {DEFAULT_HOST}"
        raise ApiValueError(f"{_HOST} must be {expected}", name)
    if "@" in parts.netloc or "?" in value or "#" in value:
        expected = f"a URL without user name, query and fragment, like {DEFAULT_HOST}"
        raise ApiValueError(f"{_HOST} must be {expected}", name)
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path}".rstrip("/")


def check_scheme(host: str, allow_insecure_http: bool) -> None:
    """Refuse plain http:// to hosts other than loopback, unless it is allowed."""
    parts = urlsplit(host)
    if parts.scheme == "http" and not (allow_insecure_http or is_loopback(parts.hostname or "")):
        raise ApiValueError(
            f"{_HOST} must begin with https://: plain http:// sends the token over the network in "
            "clear text. Configuration(allow_insecure_http=True) allows it",
            "host",
        )


def check_host_name(name: str, value: Any) -> str:
    """Return `value` if it is the name of a host."""
    usable = isinstance(value, str) and _HOST_NAME.fullmatch(value) is not None
    _require(usable, name, "a host name")
    return str(value)


def check_assert_hostname(name: str, value: Any) -> Any:
    """Return `value` if it is False, or the name of a host."""
    return value if value is False else check_host_name(name, value)


def check_path(name: str, value: Any) -> str:
    """Return `value` as text if it can be the path of a file."""
    path = os.fspath(value) if isinstance(value, os.PathLike) else value
    _require(isinstance(path, str) and path != "", name, "the path of a PEM file")
    return str(path)


def check_certificates(name: str, value: Any) -> Union[str, bytes]:
    """Return `value` if it can be PEM text or DER bytes."""
    usable = isinstance(value, (str, bytes)) and len(value) > 0
    _require(usable, name, "PEM text or DER bytes")
    return value  # type: ignore[no-any-return]


def check_pool_size(name: str, value: Any) -> int:
    """Return `value` if it is a whole number, 1 or more."""
    _require(_is_whole(value) and value > 0, name, "1 or more")
    return int(value)


def check_socket_options(name: str, value: Any) -> tuple[SocketOption, ...]:
    """Return `value` if it is a list of arguments for `setsockopt`."""
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


def is_loopback(hostname: str) -> bool:
    """Tell whether a name or address is this machine's loopback."""
    try:
        return hostname == "localhost" or ipaddress.ip_address(hostname).is_loopback
    except ValueError:
        return False


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
