"""Block the network except loopback: a test that connects to, or looks up, another host fails."""

import ipaddress
import socket
import sys
from typing import Any

_LOOPBACK = ("localhost", "127.0.0.1", "::1", b"localhost", b"127.0.0.1", b"::1")


def allow_loopback_only() -> None:
    """Block connections to other hosts, and look-ups of their names, from now on."""
    sys.addaudithook(_block)


def _block(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        address = arguments[1][0]
        if not ipaddress.ip_address(address).is_loopback:
            raise OSError(f"a test tried to connect to {address}")
    if event == "socket.getaddrinfo" and arguments[0] not in _LOOPBACK:
        raise socket.gaierror(socket.EAI_NONAME, "a test tried to look up a name")
