"""The command `python -m cutmeshort.sandbox`."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
import urllib3

from cutmeshort import CMSClient
from cutmeshort.sandbox import Sandbox

from ..support.events import lead
from ..support.platforms import not_on_windows
from ..support.timing import LONG
from .helpers import port_of

needs_signals = not_on_windows("os.kill ends a process on Windows instead of sending a signal")


@contextlib.contextmanager
def command(*arguments: str) -> "Iterator[subprocess.Popen[str]]":
    """Run the command, and kill it at the end of the block if it still runs."""
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "cutmeshort.sandbox", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def listening_url(process: "subprocess.Popen[str]", token: str) -> str:
    """Wait until the command listens, and return the URL that it prints."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("CutMeShort sandbox listening on http://127.0.0.1:")
    assert line.endswith(f" (token: {token})\n")
    return line.split()[4]


@needs_signals
@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_runs_until_it_is_interrupted(signal_number: int) -> None:
    """The command prints URL and token, logs requests to operations, and ends on a signal."""
    with command("--port", "0", "--token", "mine", "--rate-limit", "1") as process:
        url = listening_url(process, "mine")
        assert process.stdout is not None
        assert "in a browser" in process.stdout.readline()
        assert "Requests per minute: 1 " in process.stdout.readline()
        with CMSClient("mine", url) as client:
            assert lead(client)["success"] is True
            assert lead(client)["type"] == "rate_limit_exceeded"
        with urllib3.PoolManager() as pool:
            assert pool.request("GET", f"{url}/_sandbox/health").status == 200
        os.kill(process.pid, signal_number)
        _, errors = process.communicate(timeout=LONG)
        assert process.returncode == 0
        assert [line.split(" - ")[1] for line in errors.splitlines()] == [
            '"POST /track/lead HTTP/1.1" 200',
            '"POST /track/lead HTTP/1.1" 429',
        ]


@needs_signals
def test_the_options_are_settings_of_the_sandbox() -> None:
    """The command passes its options on to the sandbox."""
    options = "--rate-limit 0 --duplicate-status 409 --response flat --error-response code"
    hosts = "--allow-host sandbox --allow-host shop.example"
    with command("--port", "0", *options.split(), *hosts.split()) as process:
        url = listening_url(process, "sandbox-token")
        assert process.stdout is not None
        assert "in a browser" in process.stdout.readline()
        assert "Requests per minute: unlimited " in process.stdout.readline()
        with CMSClient("sandbox-token", url) as client:
            first, second = lead(client), lead(client)
        assert first["data"] == {"clickId": "click_1", "requestId": first["request_id"]}
        assert (second["status_code"], second["type"]) == (409, "conflict")
        assert second["request_id"]
        with urllib3.PoolManager() as pool:
            for host, status in (("sandbox:1", 200), ("shop.example", 200), ("evil.example", 403)):
                headers = {"Host": host}
                response = pool.request("GET", f"{url}/_sandbox/health", headers=headers)
                assert response.status == status
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(timeout=LONG) == 0


@pytest.mark.parametrize(("port", "code"), [("in use", 1), ("99999", 2)])
def test_an_unusable_port_ends_the_command(port: str, code: int, sandbox: Sandbox) -> None:
    """A port that is in use, or wrong usage, ends the command with a message of one line."""
    port = port.replace("in use", str(port_of(sandbox)))
    with command("--port", port) as process:
        _, errors = process.communicate(timeout=LONG)
    assert process.returncode == code
    assert errors.startswith("cutmeshort.sandbox: ")
    assert errors.count("\n") == 1
