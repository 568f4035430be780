"""The client under gevent, which puts sockets and TLS of its own in place of Python's."""

import socket
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trustme

from ..support.events import TOKEN
from ..support.server import Connection, Server, at_once, raw, reply, silence

pytest.importorskip("gevent")

PROGRAM = """
import sys
import time

mode, url, authority, token, timeout = sys.argv[1:]
from gevent import monkey

if mode == "early":
    monkey.patch_all()
from cutmeshort import CMSClient, Configuration

if mode == "late":
    monkey.patch_all()
import gevent

configuration = Configuration(url, token, timeout=float(timeout), ssl_ca_cert=authority)
client = CMSClient(configuration=configuration)


def track(number):
    begin = time.monotonic()
    result = client.track_lead("Sign up", f"user_{number}", "click_1")
    return result.get("type", "success"), time.monotonic() - begin


begin = time.monotonic()
greenlets = [gevent.spawn(track, number) for number in range(20)]
gevent.joinall(greenlets, raise_error=True)
outcomes = [greenlet.value for greenlet in greenlets]
print(sorted({kind for kind, _ in outcomes}))
print(max(seconds for _, seconds in outcomes))
print(time.monotonic() - begin)
client.close()
"""


def run(mode: str, server: Server, authority: Path, timeout: float) -> tuple[str, float, float]:
    """Call from 20 greenlets at a time; return the outcomes, the longest call, and the time."""
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM]
    arguments = [mode, server.url, str(authority), TOKEN, str(timeout)]
    done = subprocess.run(
        [*command, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    outcomes, longest, together = done.stdout.splitlines()
    return outcomes, float(longest), float(together)


def slowly(connection: Connection) -> bool:
    """Respond after a while."""
    connection.stopping.wait(0.3)
    return reply()(connection)


def drip_in_a_handshake(connection: Connection) -> bool:
    """Send the parts of a TLS record, slowly, as a handshake that does not end."""
    record = b"\x16\x03\x03\x40\x00" + b"\x02\x00\x3f\xfc" + bytes(16000)
    return raw([record[at : at + 1] for at in range(200)], every=0.1)(connection)


def drip_in_a_record(connection: Connection) -> bool:
    """Send the parts of a TLS record, slowly, as a response that does not end."""
    record = b"\x17\x03\x03\x40\x00" + bytes(16000)
    for at in range(200):
        socket.socket.send(connection.socket, record[at : at + 1])  # below TLS
        if connection.stopping.wait(0.1):
            break
    return False


@pytest.mark.parametrize("mode", ["early", "late"])
@pytest.mark.parametrize(
    ("step", "greeting", "outcome"),
    [
        (slowly, at_once, "success"),
        (silence, at_once, "timeout"),
        (raw([b"HTTP/1.1 200 OK\r\n"] + [b"X: y\r\n"] * 90, every=0.1), at_once, "timeout"),
        (drip_in_a_record, at_once, "timeout"),
        (silence, silence, "timeout"),
        (silence, drip_in_a_handshake, "timeout"),
    ],
    ids=["works", "silence", "drips in the head", "drips in a record", "no TLS", "drips in TLS"],
)
def test_calls_over_tls_work_and_end_in_time(
    mode: str, step: Any, greeting: Any, outcome: str, tmp_path: Path
) -> None:
    """Greenlets track at the same time, each by its own deadline, patched early or late."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with Server(step, tls=context, greetings=[greeting]) as server:
        timeout = 10 if outcome == "success" else 0.5
        outcomes, longest, together = run(mode, server, tmp_path / "ca.pem", timeout)
    assert outcomes == str([outcome])
    # One after the other, they would take 20 times as long.
    assert longest <= together < 4
    assert outcome == "success" or longest > 0.4
