"""TLS: reused connections, handshakes, and connections that are corrupted or closed early."""

import itertools
import os
import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from cutmeshort import (
    ApiClient,
    ApiException,
    CMSClient,
    Configuration,
    TrackingApi,
)

from ..support.events import PAYLOAD, TOKEN, lead, track_once
from ..support.forking import forks
from ..support.relays import (
    CorruptingRelay,
    flip_last_byte,
    send_in_one_segment,
    tunnel_of_records_to,
    tunnel_to,
)
from ..support.server import OK, Connection, Server, never_respond, raw, respond
from ..support.timing import LONG, SLACK, Clock, timed


def test_bytes_after_a_response_are_not_the_next_response(
    tls: ssl.SSLContext, authority_file: str
) -> None:
    """The client does not reuse a connection on which TLS has read more than one response."""
    body = b'{"message": "%s"}' % (b"x" * 8000)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
    first = head % len(body) + body
    first = first.replace(b"200 OK", b"200 " + b"O" * (8194 - len(first)))
    assert len(first) == 8192  # what is read at a time
    second = head % 20 + b'{"message": "wrong"}'
    steps = [raw(first + second, close=False), respond(422)]
    configuration = Configuration(ssl_ca_cert=authority_file)
    with (
        Server(*steps, tls=tls) as server,
        CMSClient(TOKEN, server.url, configuration=configuration, max_retries=0) as client,
    ):
        assert lead(client)["success"] is True
        assert lead(client)["type"] == "unprocessable_entity"
        assert server.connections == 2


def test_an_idle_tls_connection_that_was_closed_is_replaced_at_once(
    tls: ssl.SSLContext, authority_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Replacing an idle TLS connection that the server closed costs no retry and no wait."""
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("waited"))
    once = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    configuration = Configuration(ssl_ca_cert=authority_file)
    with (
        Server(once, tls=tls) as server,
        CMSClient(TOKEN, server.url, configuration=configuration, max_retries=0) as client,
    ):
        for number in (1, 2, 3):
            assert lead(client)["success"] is True
            assert server.wait_until_all_closed()
            assert (len(server.requests), server.connections) == (number, number)


@forks
def test_a_tls_connection_survives_the_fork_of_its_process(
    tls: ssl.SSLContext, authority_file: str
) -> None:
    """A forked child does not shut down its parent's TLS connection."""
    configuration = Configuration(ssl_ca_cert=authority_file)
    with (
        Server(OK, tls=tls) as server,
        CMSClient(TOKEN, server.url, configuration=configuration, max_retries=0) as client,
    ):
        assert lead(client)["success"] is True
        child = os.fork()
        if child == 0:
            os._exit(0 if lead(client)["success"] else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert lead(client)["success"] is True
        assert [request.connection for request in server.requests] == [1, 2, 1]


def test_a_hung_handshake_does_not_block_a_call_beyond_its_deadline(tls: ssl.SSLContext) -> None:
    """A handshake ends at the deadline, even after a tunnel that was slow to open."""
    with (
        Server(tls=tls, on_connect=[never_respond]) as target,
        Server(tunnel_to(target, delay=0.1)) as proxy,
    ):
        for settings in ({}, {"proxy": proxy.url}):
            result, seconds = timed(
                lambda settings=settings: track_once(
                    target, timeout=0.3, request_timeout=60, **settings
                )
            )
            assert result["type"] == "timeout"
            assert seconds < 0.3 + SLACK


@pytest.mark.usefixtures("no_wait")
@pytest.mark.parametrize(
    "corrupt", [flip_last_byte, lambda data: data[:-1], lambda _: b"\x15\x03\x03\0\1x"]
)
def test_tls_that_fails_after_the_request_is_a_network_error(
    corrupt: Any, tls: ssl.SSLContext, authority_file: str
) -> None:
    """After the request, a TLS failure is a network error, which the client retries."""
    with (
        Server(OK, tls=tls) as target,
        Server(on_connect=[CorruptingRelay(target, corrupt)]) as relay,
    ):
        host = f"https://127.0.0.1:{relay.port}"
        result = track_once(relay, host, ssl_ca_cert=authority_file, timeout=60)
        assert (result["type"], result["retryable"]) == ("network_error", True)
        assert relay.connections == 4


def close_without_tls_close(connection: Connection) -> bool:
    """Respond without a length, and close the connection but not TLS."""
    connection.socket.sendall(b'HTTP/1.1 200 OK\r\n\r\n{"success": true}')
    socket.socket.shutdown(connection.socket, socket.SHUT_RDWR)
    return False


def close_tls(connection: Connection) -> bool:
    """Respond without a length, and close TLS before the connection."""
    connection.socket.sendall(b'HTTP/1.1 200 OK\r\n\r\n{"success": true}')
    with suppress(OSError):
        connection.socket.unwrap()  # type: ignore[attr-defined]
    return False


@pytest.mark.usefixtures("no_wait")
@pytest.mark.parametrize("tunnelled", [False, True])
@pytest.mark.parametrize(
    ("step", "type_"), [(close_without_tls_close, "network_error"), (close_tls, None)]
)
def test_a_body_without_a_length_must_end_with_a_tls_close(
    step: Any, type_: Any, tunnelled: bool, tls: ssl.SSLContext, authority_file: str
) -> None:
    """A body without a length is complete only if the server closes TLS after it."""
    with Server(step, tls=tls) as target, Server(tunnel_to(target), tls=tls) as proxy:
        settings = {"proxy": f"https://127.0.0.1:{proxy.port}"} if tunnelled else {}
        result = track_once(target, ssl_ca_cert=authority_file, **settings)
        assert result.get("type") == type_
        assert len(target.requests) == (4 if type_ else 1)


def test_a_response_in_too_many_pieces_is_rejected(
    tls: ssl.SSLContext, authority_file: str
) -> None:
    """The client rejects a response of 20,000 TLS records of one byte each."""
    body = [b" "] * 20_100
    step = raw([b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body), *body])
    with Server(step, tls=tls) as server:
        limits = {"timeout": 60, "request_timeout": 60, "retries": 0}
        result = track_once(server, ssl_ca_cert=authority_file, **limits)
    assert result["type"] == "network_error"
    assert "pieces" in result["error"]


def flood_with_hello_requests(connection: Connection) -> bool:
    """Send endless messages that TLS ignores; this needs no certificate."""
    connection.socket.recv(1)
    return raw(lambda: itertools.repeat(b"\x16\x03\x03\x00\x04\0\0\0\0" * 9999))(connection)


def test_an_endless_handshake_does_not_block_a_call(tls: ssl.SSLContext) -> None:
    """A handshake of endless messages, which OpenSSL would read, is a network error."""
    with Server(tls=tls, on_connect=[flood_with_hello_requests]) as server:
        result, seconds = timed(
            lambda: track_once(server, timeout=60, request_timeout=60, retries=0)
        )
        assert seconds < SLACK
    assert (result["type"], result["retryable"]) == ("network_error", True)


def test_the_connect_timeout_limits_a_handshake_and_a_tunnel(tls: ssl.SSLContext) -> None:
    """The connect timeout limits each step of opening a connection."""
    with Server(tls=tls, on_connect=[never_respond]) as target, Server(never_respond) as proxy:
        for settings in ({}, {"proxy": proxy.url}):
            result, seconds = timed(
                lambda settings=settings: track_once(
                    target, request_timeout=(0.2, 60), timeout=60, retries=0, **settings
                )
            )
            assert result["type"] == "timeout"
            assert seconds < 0.2 + SLACK


def test_a_tunnel_and_a_handshake_each_have_the_connect_timeout(
    tls: ssl.SSLContext, authority_file: str, clock: Clock
) -> None:
    """A tunnel and a handshake together may take longer than the connect timeout."""

    def accept_late(connection: Connection) -> bool:
        connection.socket.recv(1, socket.MSG_PEEK)  # until the handshake has begun
        clock.advance(2)
        return True

    def tunnel_late(connection: Connection) -> bool:
        clock.advance(2)
        return tunnel_to(target)(connection)

    with Server(OK, tls=tls, on_connect=[accept_late]) as target, Server(tunnel_late) as proxy:
        settings = {"proxy": proxy.url, "ssl_ca_cert": authority_file}
        assert track_once(target, retries=0, **settings)["success"] is True


def test_a_server_without_tls_is_a_tls_error() -> None:
    """A server without TLS at an https:// URL is a `tls_error`, and the client does not retry."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def respond_plainly() -> None:
            client, _address = listener.accept()
            client.recv(65536)
            client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            client.close()

        thread = threading.Thread(target=respond_plainly)
        thread.start()
        with CMSClient(TOKEN, f"https://127.0.0.1:{listener.getsockname()[1]}") as client:
            result = lead(client)
        thread.join()
    assert result["type"] == "tls_error"
    assert "TLS handshake" in result["error"]


def test_a_handshake_that_is_closed_early_is_a_network_error() -> None:
    """The client retries if the server closes the connection during the handshake."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(LONG)

        def accept() -> None:
            for _ in range(2):
                client, _address = listener.accept()
                client.recv(1)
                client.recv(65536)
                client.close()

        thread = threading.Thread(target=accept)
        thread.start()
        host = f"https://127.0.0.1:{listener.getsockname()[1]}"
        with CMSClient(TOKEN, host, max_retries=1) as client:
            assert lead(client)["type"] == "network_error"
        thread.join()


def test_an_unread_response_can_be_read_in_another_thread(
    tls: ssl.SSLContext, authority_file: str
) -> None:
    """An unread response over TLS in TLS can be read after the deadline of another call."""
    body = b'{"message": "%s"}' % (b"x" * 100_000)
    with Server(respond(body=body), tls=tls) as target, Server(tunnel_to(target), tls=tls) as proxy:
        configuration = Configuration(
            target.url, TOKEN, proxy=f"https://127.0.0.1:{proxy.port}", ssl_ca_cert=authority_file
        )
        with ApiClient(configuration) as api_client, ThreadPoolExecutor(1) as other:
            api = TrackingApi(api_client)
            response = api.track_lead_without_preload_content(PAYLOAD)
            assert other.submit(lambda: response.data).result() == body
            response = api.track_lead_without_preload_content(PAYLOAD)
            with suppress(ApiException):
                api.track_lead(PAYLOAD, _deadline=0.2)
            assert not threading.Event().wait(0.2)
            assert response.data == body


def send_two_responses(connection: Connection) -> bool:
    """Send two responses to one request."""
    first = b'HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{"message": "first"}'
    send_in_one_segment(connection.socket, first, first.replace(b"first", b"wrong"))
    return True


@pytest.mark.skipif(not hasattr(socket, "TCP_CORK"), reason="needs Linux's TCP_CORK")
@pytest.mark.parametrize("tunnel", [None, tunnel_to, tunnel_of_records_to])
def test_data_that_tls_has_buffered_is_not_the_next_response(
    tunnel: Any, tls: ssl.SSLContext, authority_file: str
) -> None:
    """A connection is not reused if TLS has received a second response but not decrypted it."""
    with (
        Server(send_two_responses, respond(422), tls=tls) as target,
        Server((tunnel or tunnel_to)(target), tls=tls) as proxy,
    ):
        configuration = Configuration(
            target.url,
            TOKEN,
            ssl_ca_cert=authority_file,
            proxy=proxy.url if tunnel else None,
        )
        with CMSClient(configuration=configuration, max_retries=0) as client:
            assert lead(client)["success"] is True
            assert lead(client)["type"] == "unprocessable_entity"
        assert target.connections == 2
