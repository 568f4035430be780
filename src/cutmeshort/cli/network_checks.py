"""The checks of `cutmeshort doctor` that connect to the service, as a call of the SDK does."""

import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Optional, Union
from urllib.parse import SplitResult, urlsplit

from ..api_client import ApiClient
from ..api_response import ApiResponse
from ..checks import parse_address
from ..configuration import STANDARD_PORTS
from ..exceptions import ApiException
from ..models import LeadPayload, TrackResponse
from ..operations import TRACK_LEAD
from ..proxies import Proxy
from ..resolver import resolve
from .report import Check
from .response_checks import check_clock, check_token

_SECONDS_PER_DAY = 86_400
_FEW_DAYS = 7

_CHECKS = ("dns", "tcp", "tunnel", "tls", "clock", "token_accepted")
_ADVICE = {  # unless the SDK's message has advice
    "proxy": "Check the proxy's port, and that no firewall blocks the connection.",
    "tcp": "Check CMS_HOST, and that no firewall blocks the connection. If the network requires a "
    "proxy, set HTTPS_PROXY.",
    "tunnel": "Check that the proxy permits tunnels to this host and port.",
    "tls": "Check that this port uses TLS, and that no firewall blocks it.",
}
_PRIVATE_AUTHORITY = (
    "For a private certificate authority, set SSL_CERT_FILE to the path of its PEM file, or pass "
    "Configuration(ssl_ca_cert=...) in the application."
)


def skip_network(reason: str, after: str = "") -> list[Check]:
    """Return the checks that follow the named one, or all, as skipped."""
    names = _CHECKS[_CHECKS.index(after) + 1 :] if after else _CHECKS
    return [Check(name, "skipped", reason) for name in names]


def check_network(
    client: ApiClient, token: Optional[str], proxy: Optional[Proxy], timeout: float
) -> list[Check]:
    """
    Look up the name, and send an empty event, which the service rejects.

    The client's own transport sends the event, and its connection is observed. There are no
    retries, and all checks together end after `timeout` seconds.

    Args:
        client: The client.
        token: The client's token; None if that is a substitute.
        proxy: The client's proxy.
        timeout: Seconds for all checks.
    """
    deadline = time.monotonic() + timeout
    host = client.configuration.host
    dns = _check_name(urlsplit(host if proxy is None else proxy.url), proxy is not None, timeout)
    if dns.status == "failed":
        return [dns, *skip_network("The name look-up failed.", after="dns")]
    seen = _observe(client)
    outcome: Union[ApiResponse[TrackResponse], ApiException]
    try:
        empty = LeadPayload.model_construct()  # without its checks
        remaining = max(deadline - time.monotonic(), 0.001)
        outcome = client.call_api(TRACK_LEAD, empty, _deadline=remaining, _max_retries=0)
    except ApiException as error:
        outcome = error
    connection = _check_connection(seen, str(outcome), host, proxy)
    last = connection[-1]
    if last.status == "failed":
        return [dns, *connection, *skip_network("There is no connection.", after=last.name)]
    return [dns, *connection, check_clock(outcome), check_token(outcome, token)]


def _check_name(url: SplitResult, is_proxy: bool, timeout: float) -> Check:
    name = url.hostname or ""
    owner = "the proxy" if is_proxy else "the service"
    if parse_address(name) is not None:
        return Check("dns", "ok", f"{name} ({owner}) is an address, so no look-up is needed.")
    try:
        found = resolve(name, url.port or STANDARD_PORTS[url.scheme], timeout)
    except OSError as error:
        variable = "the proxy's variable" if is_proxy else "CMS_HOST"
        advice = f"Check the name in {variable}, and this machine's DNS settings."
        slow = isinstance(error, socket.timeout)
        problem = f"within {timeout:g} s" if slow else f"({error.strerror})"
        message = f"The address of {name} ({owner}) was not found {problem}."
        return Check("dns", "failed", message, advice)
    addresses = ", ".join(dict.fromkeys(str(address[0]) for *_, address in found))
    return Check("dns", "ok", f"{name} ({owner}) has the address {addresses}.")


@dataclass
class _Seen:
    """
    What was observed of the connection.

    Attributes:
        peer: The address and the port that the client connected to.
        failure: Why it could not connect, if the operating system says so.
        tunnel: Whether the proxy has opened a tunnel.
        tls: The version of TLS, and the service's certificate.
    """

    peer: Optional[Sequence[Any]] = None
    failure: Optional[str] = None
    tunnel: bool = False
    tls: Optional[tuple[str, dict[str, Any]]] = None


def _observe(client: ApiClient) -> _Seen:
    """Observe the connections that a client opens from now on."""
    seen = _Seen()
    rest: Any = client._rest  # noqa: SLF001 - an observer in each call would slow calls down
    pool = rest._pool  # noqa: SLF001

    class Connection(pool.ConnectionCls):  # type: ignore[misc, name-defined]
        def _new_conn(self) -> Any:
            try:
                sock = super()._new_conn()
            except Exception as error:
                seen.failure = getattr(error.__cause__, "strerror", None)
                raise
            seen.peer = sock.getpeername()
            return sock

        def _tunnel(self) -> None:
            super()._tunnel()
            seen.tunnel = True

        def connect(self) -> None:
            super().connect()
            if pool.scheme == "https":
                seen.tls = self.sock.version(), self.sock.getpeercert()

    pool.ConnectionCls = Connection
    return seen


def _check_connection(seen: _Seen, failure: str, host: str, proxy: Optional[Proxy]) -> list[Check]:
    """Return the checks up to the first that failed, with the failure of the call as its reason."""
    if seen.peer is None:
        failed = _failed("tcp", failure, _ADVICE["tcp" if proxy is None else "proxy"])
        message = f"{failed.message} {seen.failure}." if seen.failure else failed.message
        return [failed._replace(message=message)]
    peer = "the proxy" if proxy else "the service"
    address, port = seen.peer[:2]
    checks = [Check("tcp", "ok", f"Connected to {peer} at {address}, port {port}.")]
    if proxy is None:
        checks.append(Check("tunnel", "skipped", "There is no proxy."))
    elif seen.tunnel:
        checks.append(Check("tunnel", "ok", f"The proxy opened a tunnel to {host}."))
    else:
        return [*checks, _failed("tunnel", failure, _ADVICE["tunnel"])]
    if seen.tls is not None:
        checks.append(_check_certificate(*seen.tls))
    elif host.startswith("http:"):
        checks.append(Check("tls", "skipped", "The host is an http:// URL of this machine."))
    else:
        checks.append(_failed("tls", failure, _ADVICE["tls"]))
    return checks


def _check_certificate(version: str, certificate: dict[str, Any]) -> Check:
    seconds = ssl.cert_time_to_seconds(certificate["notAfter"]) - time.time()
    days = int(seconds // _SECONDS_PER_DAY)
    message = f"{version}, days until the certificate expires: {days}."
    if days < _FEW_DAYS:
        advice = "If it is not renewed, calls will fail: tell the operator of the host."
        return Check("tls", "warning", message, advice)
    return Check("tls", "ok", message)


def _failed(name: str, text: str, default_advice: str) -> Check:
    """Return a failed check with the SDK's message: the reason, and advice in further sentences."""
    reason, _, advice = text.partition(". ")
    advice = _PRIVATE_AUTHORITY if "ssl_ca_cert" in advice else advice or default_advice
    return Check(name, "failed", f"{reason.rstrip('.')}.", advice)
