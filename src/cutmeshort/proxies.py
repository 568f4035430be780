"""Selects the proxy, from the configuration or the environment, without any I/O."""

import ipaddress
import os
import re
from base64 import b64encode
from contextlib import suppress
from typing import NamedTuple, Optional
from urllib.parse import unquote, urlsplit

from .checks import check_proxy, is_loopback, parse_address
from .configuration import STANDARD_PORTS, Configuration


class Proxy(NamedTuple):
    """
    The proxy to use.

    Attributes:
        url: Its URL, without user and password.
        headers: The headers for the proxy only, including its user and password.
    """

    url: str
    headers: dict[str, str]


def find_proxy(configuration: Configuration) -> Optional[Proxy]:
    """
    Return the proxy for the configuration's host; None for a direct connection.

    Raises:
        ApiValueError: The proxy's environment variable is not a valid URL.
    """
    url = configuration.proxy or environment_proxy(configuration.host)
    if url is None:
        return None
    parts = urlsplit(url)
    headers = dict(configuration.proxy_headers or {})
    if parts.username is not None:
        headers = {k: v for k, v in headers.items() if k.lower() != "proxy-authorization"}
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Proxy-Authorization"] = f"Basic {b64encode(user.encode()).decode()}"
    return Proxy(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}", headers)


def environment_proxy(url: str) -> Optional[str]:
    """
    Return the proxy that the environment defines for a URL.

    `HTTPS_PROXY` or `HTTP_PROXY`, by the URL's scheme, takes precedence over `ALL_PROXY`, and a
    name in lower case over the same name in upper case. `NO_PROXY` excludes hosts. Plain http to
    loopback never uses a proxy, which would send the token over the network in clear text.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "http" and is_loopback(host):
        return None
    names = [f"{parts.scheme}_proxy", f"{parts.scheme}_proxy".upper(), "all_proxy", "ALL_PROXY"]
    if "REQUEST_METHOD" in os.environ and parts.scheme == "http":
        names.remove("HTTP_PROXY")  # in CGI, the client sets it with a `Proxy` header
    name = next((name for name in names if os.environ.get(name)), None)
    no_proxy = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    port = parts.port or STANDARD_PORTS[parts.scheme]
    if name is None or is_excluded(no_proxy, host, port):
        return None
    proxy = os.environ[name]
    return check_proxy(name, proxy if "://" in proxy else f"http://{proxy}")


def is_excluded(no_proxy: str, host: str, port: int) -> bool:
    """
    Return whether a value of `NO_PROXY` excludes a host.

    Args:
        no_proxy: Names, addresses and CIDR blocks, separated by commas or white space. Each may
            have a port. A name also excludes its subdomains; `*` excludes all hosts.
        host: A name, or an address without brackets.
        port: The port of the connection.
    """
    host = host.lower().rstrip(".")
    return any(_matches(entry, host, port) for entry in re.split(r"[\s,]+", no_proxy.lower()))


def _matches(entry: str, host: str, port: int) -> bool:
    with_port = re.fullmatch(r"(\[.+\]|[^:]+):([0-9]+)", entry)
    if with_port is not None:
        entry = with_port[1]
        if int(with_port[2]) != port:
            return False
    if entry == "*":
        return True
    address = parse_address(host)
    if address is None:
        name = re.sub(r"^\*?\.", "", entry).rstrip(".")
        return name != "" and (host == name or host.endswith(f".{name}"))
    with suppress(ValueError):
        return address in ipaddress.ip_network(re.sub(r"[\[\]]", "", entry), strict=False)
    return False
