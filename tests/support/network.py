"""No network but loopback: a test that looks up or connects to anything else fails."""

import ipaddress
import socket
import sys
from typing import Any

_LOOPBACK = ("localhost", "127.0.0.1", "::1", b"localhost", b"127.0.0.1", b"::1")


def allow_loopback_only() -> None:
    """Refuse other connections and name look-ups, from now on."""
    sys.addaudithook(_refuse)


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        address = arguments[1][0]
        if not ipaddress.ip_address(address).is_loopback:
            raise OSError(f"a test connects to {address}")
    if event == "socket.getaddrinfo" and arguments[0] not in _LOOPBACK:
        raise socket.gaierror(socket.EAI_NONAME, "a test looks up a name")
