"""
A private PostgreSQL server in a temporary directory.

`TEST_POSTGRES_URL` names a database of a running server instead, in which tests create and drop
tables.
"""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_UNPRIVILEGED = ("postgres", "nobody")  # users for a server that root starts
_TIMEOUT = 60


def _binaries() -> Path:
    """Return the directory of the programs, or skip the test."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    directories = Path("/usr/lib/postgresql").glob("*/bin")
    versions = {int(path.parent.name): path for path in directories if (path / "initdb").exists()}
    if not versions:
        pytest.skip("needs PostgreSQL: initdb is neither on PATH nor in /usr/lib/postgresql")
    return versions[max(versions)]


def _user() -> dict[str, Any]:
    """Return the arguments of `subprocess` for a user who may run the server."""
    if os.getuid() != 0:
        return {}
    import pwd  # not on Windows

    for name in _UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    pytest.skip("PostgreSQL does not run as root, and there is no user postgres or nobody")


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


class Postgres:
    """
    A server.

    Attributes:
        url: The URL of its database for SQLAlchemy, with the driver psycopg.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def restart(self) -> None:
        """Do nothing: a server that others may use is not restarted."""


class PrivatePostgres(Postgres):
    """
    A server with its own data directory.

    Args:
        directory: An empty directory, which the server's user can write to.
        user: The arguments of `subprocess` for that user.
    """

    def __init__(self, directory: Path, user: dict[str, Any]) -> None:
        self._binaries = _binaries()
        self._data = directory / "data"
        self._directory = directory
        self._user = user
        self._port = _free_port()
        super().__init__(f"postgresql+psycopg://shop@127.0.0.1:{self._port}/postgres")
        self._run("initdb", "--username=shop", "--auth=trust", "--encoding=UTF8", "--locale=C")

    def start(self) -> None:
        """Start the server, and wait until it accepts connections."""
        # fsync is on by default: what was committed survives a crash.
        options = f"-p {self._port} -c listen_addresses=127.0.0.1 -k {self._directory}"
        log = f"--log={self._directory / 'log'}"
        self._run("pg_ctl", "start", "-w", log, f"--options={options}")

    def stop(self) -> None:
        """Stop the server at once, as a crash does."""
        self._run("pg_ctl", "stop", "-w", "--mode=immediate")

    def restart(self) -> None:
        """Stop the server as a crash does, and start it again."""
        self.stop()
        self.start()

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._binaries / program, f"--pgdata={self._data}", *arguments],
            check=True,
            cwd=self._directory,
            stdout=subprocess.DEVNULL,
            timeout=_TIMEOUT,
            **self._user,
        )


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Run a server until the end of the block, or use the one of `TEST_POSTGRES_URL`."""
    given = os.environ.get("TEST_POSTGRES_URL")
    if given:
        yield Postgres(given.replace("postgresql://", "postgresql+psycopg://"))
        return
    user = _user()
    with tempfile.TemporaryDirectory() as name:  # below /tmp: the server's user can enter it
        directory = Path(name)
        if user:
            os.chown(directory, user["user"], user["group"])
        server = PrivatePostgres(directory, user)
        server.start()
        try:
            yield server
        finally:
            server.stop()
