"""A private RabbitMQ: its own ports, node, files and cookie."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Optional
from urllib.parse import urlsplit

import pytest

from .timing import LONG

# The scripts of Debian's package. Those on its PATH run only as root or as the user `rabbitmq`.
_FOLDERS = ("/usr/lib/rabbitmq/bin", "/usr/local/lib/rabbitmq/bin", "/opt/rabbitmq/sbin")


def rabbitmq_url() -> Optional[str]:
    """Return the URL of a RabbitMQ that runs already; None if tests start a private one."""
    return os.environ.get("TEST_RABBITMQ_URL")


def _find(name: str) -> str:
    found = shutil.which(name, path=os.pathsep.join([*_FOLDERS, os.environ.get("PATH", "")]))
    if found is None:
        pytest.skip("RabbitMQ is not installed, and TEST_RABBITMQ_URL is not set")
    return found


def free_port() -> int:
    """Return a port of loopback that is not in use."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


class RabbitMQ:
    """
    A RabbitMQ server.

    Args:
        folder: Where its files are.

    Attributes:
        url: The URL for Celery.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._command = _find("rabbitmq-server")
        self._control = _find("rabbitmqctl")
        port, epmd, distribution = free_port(), free_port(), free_port()
        self.url = f"amqp://guest:guest@127.0.0.1:{port}//"
        config = folder / "rabbitmq.conf"
        config.write_text(f"listeners.tcp.1 = 127.0.0.1:{port}\n", encoding="utf-8")
        (folder / "plugins").write_text("[].\n", encoding="utf-8")
        self._environment = {
            **os.environ,
            "HOME": str(folder),
            "ERL_EPMD_PORT": str(epmd),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_CONFIG_FILE": str(config.with_suffix("")),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_NODENAME": f"cms{port}@localhost",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }
        self._process: Any = None

    def start(self) -> None:
        """Start the server, and wait until it accepts connections."""
        log = (self._folder / "output").open("ab")
        with log:
            self._process = subprocess.Popen(
                [self._command],
                cwd=self._folder,
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        parts = urlsplit(self.url)
        deadline = time.monotonic() + 2 * LONG
        while time.monotonic() < deadline:
            assert self._process.poll() is None, (self._folder / "output").read_text()
            try:
                with socket.create_connection((str(parts.hostname), parts.port or 0), 1) as sock:
                    sock.settimeout(5)
                    sock.sendall(b"AMQP\x00\x00\x09\x01")
                    if sock.recv(1):
                        return
            except OSError:
                time.sleep(0.1)
        raise TimeoutError("RabbitMQ did not start")

    def control(self, *arguments: str) -> None:
        """Run rabbitmqctl."""
        command = [self._control, "-n", self._environment["RABBITMQ_NODENAME"], *arguments]
        subprocess.run(
            command,
            env=self._environment,
            cwd=self._folder,
            check=True,
            capture_output=True,
            timeout=2 * LONG,
        )

    def kill(self) -> None:
        """Kill the server, as a crash would."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """Stop the server, and the port mapper of Erlang that it started."""
        self.kill()
        epmd = shutil.which("epmd")
        deadline = time.monotonic() + LONG
        while epmd and time.monotonic() < deadline:
            # It does not stop until it has noticed that the server is gone.
            command = [epmd, "-port", self._environment["ERL_EPMD_PORT"], "-kill"]
            done = subprocess.run(
                command, env=self._environment, capture_output=True, text=True, check=False
            )
            if "Killed" in done.stdout:
                return
            time.sleep(0.1)


@contextmanager
def private_rabbitmq(folder: Path) -> Iterator[RabbitMQ]:
    """Run a RabbitMQ for a `with` block; skip the test if it is not installed."""
    server = RabbitMQ(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
