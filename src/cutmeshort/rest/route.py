"""The way to the host: connections, TLS, proxies."""

import os
import ssl
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Optional
from urllib.parse import SplitResult, unquote, urlsplit

import urllib3
from urllib3.connection import HTTPConnection

from ..configuration import Configuration, check_proxy, is_loopback
from ..exceptions import ApiValueError
from .connections import HTTPPool, HTTPSPool, TLSSocket


class Route:
    """
    Makes pools of connections to the configuration's host.

    Args:
        configuration: Where to, and how.

    Attributes:
        host: Name and port of the host, for messages.
        headers: What a request has to have on this way, if not of other values.
        base: What stands before a path in a request: the host's URL where a proxy gets it whole.

    Raises:
        ApiValueError: A certificate, key or proxy can't be used.
    """

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._parts = urlsplit(configuration.host)
        self._proxy = _proxy_of(configuration)
        urls = configuration.host, self._proxy[0] if self._proxy else ""
        tls = any(url.startswith("https:") for url in urls)
        self._ssl_context = _ssl_context(configuration) if tls else None
        self.host = self._parts.netloc
        self.headers = {"Host": _host_header(self._parts), "Accept-Encoding": "identity"}
        forwarded = self._proxy is not None and self._parts.scheme == "http"
        self.base = f"http://{self.host}" if forwarded else ""

    def headers_on_the_way(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        """Prepare headers for urllib3, which puts a forwarding proxy's in place of their like."""
        return urllib3.HTTPHeaderDict(headers) if self.base else headers

    def new_pool(self) -> urllib3.HTTPConnectionPool:
        """Make a pool; its connections are made when they are needed."""
        defaults: Any = HTTPConnection.default_socket_options
        options: dict[str, Any] = {
            "maxsize": self._configuration.connection_pool_maxsize,
            "socket_options": [*defaults, *self._configuration.socket_options],
        }
        if self._parts.scheme == "https":
            options["ssl_context"] = self._ssl_context
            options["assert_hostname"] = self._configuration.assert_hostname
            options["server_hostname"] = self._configuration.tls_server_name
        pools: dict[str, type[urllib3.HTTPConnectionPool]] = {"http": HTTPPool, "https": HTTPSPool}
        if self._proxy is None:
            host = self._parts.hostname or ""
            return pools[self._parts.scheme](host, self._parts.port, **options)
        url, headers = self._proxy
        manager = urllib3.ProxyManager(
            url, proxy_headers=headers, proxy_ssl_context=self._ssl_context, **options
        )
        manager.pool_classes_by_scheme = pools
        pool: urllib3.HTTPConnectionPool = manager.connection_from_url(self._configuration.host)
        return pool


def _host_header(parts: SplitResult) -> str:
    name = (parts.hostname or "").rstrip(".")
    name = f"[{name}]" if ":" in name else name
    standard_port = {"http": 80, "https": 443}[parts.scheme]
    return name if parts.port in (None, standard_port) else f"{name}:{parts.port}"


def _ssl_context(configuration: Configuration) -> ssl.SSLContext:
    """Make what all connections share: reading the authorities for each of them would be slow."""
    try:
        context = ssl.create_default_context(
            cafile=configuration.ssl_ca_cert, cadata=configuration.ca_cert_data
        )
    except (OSError, TypeError, ValueError):
        raise ApiValueError("ssl_ca_cert or ca_cert_data is no readable PEM or DER") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = TLSSocket
    try:
        if configuration.cert_file is not None:
            # An empty password: else an encrypted key would ask for one on the terminal.
            context.load_cert_chain(configuration.cert_file, configuration.key_file, password="")
    except OSError:
        raise ApiValueError(
            "cert_file or key_file is no readable PEM file, or the key has a password"
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
    headers = urllib3.HTTPHeaderDict(configuration.proxy_headers or {})
    if parts.username is not None:
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Proxy-Authorization"] = f"Basic {b64encode(user.encode()).decode()}"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}", dict(headers)


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
