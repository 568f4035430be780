"""
Which Host and Origin headers the sandbox accepts.

A website can point its own host name to a loopback address, and then use whatever listens there
from the browser of a visitor (DNS rebinding). So the sandbox responds only under the names that it
is known to have.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from typing import Optional

from ...checks import check_host_name, is_loopback, parse_address
from ...exceptions import ApiValueError
from ..state.refusal import Refusal

_HOST = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[0-9A-Za-z._-]+))(?::[0-9]*)?")
_NAMES = "host names or IP addresses, each without a scheme and a port"
_BROWSER_HEADERS = frozenset({b"origin", b"sec-fetch-site"})
_DEFAULT_PORTS = {b"http": b":80", b"https": b":443"}  # https: a tunnel may add TLS


def check_allowed_hosts(value: Iterable[str]) -> frozenset[str]:
    """
    Return the host names and addresses as `is_allowed` compares them.

    Raises:
        ApiValueError: One is not valid, or the value is a single string.
    """
    if isinstance(value, str):
        raise ApiValueError(f"allowed_hosts must be a list of {_NAMES}", "allowed_hosts")
    return frozenset(map(_normalise, value))


def _normalise(host: str) -> str:
    address = parse_address(host.strip("[]")) if isinstance(host, str) else None
    if address is not None:
        return str(address)
    return check_host_name("allowed_hosts", host, f"a list of {_NAMES}").lower()


def parse_host(header: str) -> Optional[str]:
    """Return the name or address in a Host header, without the port; None if it is malformed."""
    match = _HOST.fullmatch(header)
    if match is None:
        return None
    if match["name"]:
        return match["name"].lower()
    address = parse_address(match["v6"])
    return None if address is None or address.version == 4 else str(address)


def is_allowed(host: str, names: Collection[str], any_address: bool) -> bool:
    """
    Return whether the sandbox responds under a host name or address.

    Args:
        host: The name or address, from `parse_host`.
        names: The names and addresses that are allowed beside those of loopback.
        any_address: Whether any IP address is allowed: DNS rebinding needs a name.
    """
    if host in names or host == "localhost" or host.endswith(".localhost"):
        return True
    address = parse_address(host)
    return address is not None and (any_address or address.is_loopback)


class Access:
    """
    Decides which requests the sandbox accepts, by their headers.

    Args:
        bound: The address on which the sandbox listens.
        allowed_hosts: Other host names and addresses to allow.

    Raises:
        ApiValueError: An allowed host is not valid.
    """

    def __init__(self, bound: str, allowed_hosts: Iterable[str]) -> None:
        address = parse_address(bound)
        own = bound.lower() if address is None else str(address)
        self._names = check_allowed_hosts(allowed_hosts) | {own}
        self._any_address = not is_loopback(bound)
        self._refusal_of = lru_cache(maxsize=64)(self._parse_and_check)

    def host_refusal(self, headers: Iterable[tuple[bytes, bytes]]) -> Optional[Refusal]:
        """Return why a request is rejected because of its Host header; None if it is not."""
        hosts = [value for name, value in headers if name == b"host"]
        return self._refusal_of(*hosts)

    def _parse_and_check(self, *hosts: bytes) -> Optional[Refusal]:
        host = parse_host(hosts[0].decode("latin-1")) if len(hosts) == 1 else None
        if host is None:
            return Refusal(400, "The request must have one valid Host header.")
        if is_allowed(host, self._names, self._any_address):
            return None
        return Refusal(
            403,
            f"The sandbox does not respond under the host name {host}. Use localhost, or allow the "
            f'name with Sandbox(allowed_hosts=["{host}"]) or --allow-host {host}.',
        )


def cross_site_refusal(headers: Sequence[tuple[bytes, bytes]]) -> Optional[Refusal]:
    """
    Return why a request that the page of another website sends is rejected; None if it is not one.

    The browser says so in headers that the page can't set. Other programs send none of them.

    Args:
        headers: The headers of the request, with names in lower case.
    """
    found = [(name, value) for name, value in headers if name in _BROWSER_HEADERS]
    if not found:
        return None
    host = next((value for name, value in headers if name == b"host"), b"").lower()
    for name, value in found:
        is_own = _is_own(value, host) if name == b"origin" else value != b"cross-site"
        if not is_own:
            return Refusal(403, "Another website must not use the sandbox: send no Origin header.")
    return None


def _is_own(origin: bytes, host: bytes) -> bool:
    """Compare an Origin header with a Host header; either may have the scheme's default port."""
    scheme, _, authority = origin.lower().partition(b"://")
    port = _DEFAULT_PORTS.get(scheme)
    return port is not None and authority.removesuffix(port) == host.removesuffix(port)


def write_refusal(headers: Sequence[tuple[bytes, bytes]]) -> Optional[Refusal]:
    """
    Return why a request that changes something is rejected; None if it is not.

    A page of another website can send such a request without asking, except with the content type
    of JSON, and its browser says where the page is from.
    """
    refusal = cross_site_refusal(headers)
    if refusal is not None:
        return refusal
    content_type = next((value for name, value in headers if name == b"content-type"), b"")
    if content_type.partition(b";")[0].strip().lower() != b"application/json":
        return Refusal(415, "Content-Type must be application/json, even without a body.")
    return None
