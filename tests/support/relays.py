"""Relays and proxies, which pass bytes on to a server and may corrupt them."""

import select
import socket
from contextlib import suppress
from typing import Any, Callable

from .server import Connection, Server, Step

SendBack = Callable[[Any, bytes], bool]


def forward(client: Any, data: bytes) -> bool:
    """Send bytes of the server to the client, unchanged."""
    client.sendall(data)
    return True


def relay(connection: Connection, port: int, send_back: SendBack = forward) -> bool:
    """Pass bytes on to a port, and its bytes to `send_back`, until either side closes."""
    client = connection.socket
    with socket.create_connection(("127.0.0.1", port)) as upstream:
        while not connection.stopping.is_set():
            for source in select.select([client, upstream], [], [], 0.05)[0]:
                data = b""
                with suppress(OSError):
                    data = source.recv(65536)
                if not data:
                    return False
                if source is client:
                    upstream.sendall(data)
                elif not send_back(client, data):
                    return False
    return False


class CorruptingRelay:
    """
    Passes bytes on to a server, corrupts its response to a request, and closes the connection.

    Args:
        target: The server.
        corrupt: Returns the bytes to send instead of those of the response.
    """

    def __init__(self, target: Server, corrupt: Callable[[bytes], bytes]) -> None:
        self._target = target
        self._corrupt = corrupt

    def __call__(self, connection: Connection) -> bool:
        """Relay a new connection."""
        before = len(self._target.requests)

        def send_back(client: Any, data: bytes) -> bool:
            corrupted = len(self._target.requests) > before
            client.sendall(self._corrupt(data) if corrupted else data)
            return not corrupted

        return relay(connection, self._target.port, send_back)


def flip_last_byte(data: bytes) -> bytes:
    """Change the last byte, which is a part of a TLS record's authentication."""
    return data[:-1] + bytes([data[-1] ^ 1])


def tunnel_to(target: Server, send_back: SendBack = forward, *, delay: float = 0) -> Step:
    """Respond to CONNECT, after a delay in seconds, then relay between client and server."""

    def step(connection: Connection) -> bool:
        if delay:
            connection.stopping.wait(delay)
        connection.socket.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        return relay(connection, target.port, send_back)

    return step


def tunnel_of_records_to(target: Server) -> Step:
    """Tunnel, and send each TLS record of the target in a TLS record of the proxy's own."""

    def send_back(client: Any, data: bytes) -> bool:
        records = []
        while data:
            size = 5 + int.from_bytes(data[3:5], "big")
            records.append(data[:size])
            data = data[size:]
        send_in_one_segment(client, *records)
        return True

    return tunnel_to(target, send_back)


def send_in_one_segment(sock: Any, *records: bytes) -> None:
    """Send each piece as a TLS record of its own, all in one TCP segment."""
    cork = socket.TCP_CORK  # type: ignore[attr-defined, unused-ignore]
    sock.setsockopt(socket.IPPROTO_TCP, cork, 1)
    for record in records:
        sock.sendall(record)
    sock.setsockopt(socket.IPPROTO_TCP, cork, 0)
