"""The client under gevent, which replaces Python's sockets and TLS."""

import contextlib
import socket
import ssl
import subprocess
import sys
from typing import NamedTuple

import pytest

from ..support.events import TOKEN
from ..support.server import Connection, Server, Step, accept, never_respond, raw, respond
from ..support.timing import SLACK

pytest.importorskip("gevent")

DELAY = 0.4  # seconds, of a response or until a deadline

PROGRAM = """
import sys
import time

mode, authority, token, *cases = sys.argv[1:]
from gevent import monkey

if mode == "early":
    monkey.patch_all()
from cutmeshort import CMSClient, Configuration

if mode == "late":
    monkey.patch_all()
import gevent


def track(client, number):
    started = time.monotonic()
    result = client.track_lead("Sign up", f"user_{number}", "click_1")
    return result.get("type", "success"), time.monotonic() - started


for url, timeout in zip(cases[::2], cases[1::2]):
    configuration = Configuration(
        url, token, timeout=float(timeout), request_timeout=60, ssl_ca_cert=authority
    )
    started = time.monotonic()
    with CMSClient(configuration=configuration) as client:
        greenlets = [gevent.spawn(track, client, number) for number in range(20)]
        gevent.joinall(greenlets, raise_error=True)
    seconds = time.monotonic() - started
    types, durations = zip(*(greenlet.value for greenlet in greenlets))
    print(",".join(sorted(set(types))), max(durations), seconds)
"""


def respond_slowly(connection: Connection) -> bool:
    """Respond after a delay."""
    connection.stopping.wait(DELAY)
    return respond()(connection)


def trickle_handshake(connection: Connection) -> bool:
    """Send a TLS handshake record that never ends, one byte at a time."""
    record = b"\x16\x03\x03\x40\x00" + b"\x02\x00\x3f\xfc" + bytes(16000)
    return raw([record[at : at + 1] for at in range(200)], every=0.1)(connection)


def trickle_record(connection: Connection) -> bool:
    """Send a TLS record with a response that never ends, one byte at a time."""
    record = b"\x17\x03\x03\x40\x00" + bytes(16000)
    for at in range(200):
        socket.socket.send(connection.socket, record[at : at + 1])  # below TLS
        if connection.stopping.wait(0.1):
            break
    return False


class Case(NamedTuple):
    """
    The behaviour of a server, and the type of the results.

    Attributes:
        step: What the server does with each request.
        on_connect: What the server does with each connection before TLS.
        type: The results' `type`; `success` for a success.
    """

    step: Step
    on_connect: Step
    type: str

    @property
    def timeout(self) -> float:
        """The deadline of the calls, in seconds."""
        return 60 if self.type == "success" else DELAY


CASES = {
    "responds": Case(respond_slowly, accept, "success"),
    "never responds": Case(never_respond, accept, "timeout"),
    "trickles the head": Case(
        raw([b"HTTP/1.1 200 OK\r\n"] + [b"X: y\r\n"] * 90, every=0.1), accept, "timeout"
    ),
    "trickles a record": Case(trickle_record, accept, "timeout"),
    "never starts TLS": Case(never_respond, never_respond, "timeout"),
    "trickles the handshake": Case(never_respond, trickle_handshake, "timeout"),
}


def _run(mode: str, tls: ssl.SSLContext, authority_file: str) -> dict[str, list[str]]:
    """Run the program with a server for each case, and return what it prints about each."""
    with contextlib.ExitStack() as servers:
        arguments = []
        for case in CASES.values():
            server = Server(case.step, tls=tls, on_connect=[case.on_connect])
            arguments += [servers.enter_context(server).url, str(case.timeout)]
        command = [sys.executable, "-W", "ignore", "-c", PROGRAM, mode, authority_file, TOKEN]
        done = subprocess.run(
            [*command, *arguments], capture_output=True, text=True, timeout=180, check=False
        )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return dict(zip(CASES, map(str.split, done.stdout.splitlines())))


@pytest.mark.parametrize("mode", ["early", "late"])
def test_calls_over_tls_end_in_time(mode: str, tls: ssl.SSLContext, authority_file: str) -> None:
    """Calls in concurrent greenlets end at their own deadlines, whenever gevent patches Python."""
    results = _run(mode, tls, authority_file)
    assert {name: types for name, (types, _, _) in results.items()} == {
        name: case.type for name, case in CASES.items()
    }
    for name, (_, longest, together) in results.items():
        # In sequence, the calls would take 8 seconds.
        assert float(longest) <= float(together) < DELAY + SLACK, name
        assert CASES[name].type == "success" or float(longest) > DELAY - 0.05, name
