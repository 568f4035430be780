"""Committed orders are recorded, and no others, while processes die and the outbox is lost."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable

import pytest
from sqlalchemy import create_engine, func, select

from cutmeshort.sandbox import Sandbox

from ..support.paths import ROOT
from ..support.platforms import not_on_windows
from ..support.postgres import postgres
from .kill_roles import events, metadata, orders

PATIENCE = 120.0  # seconds for what takes some seconds
ROLES = ("shop", "relay", "worker")


class Shop:
    """
    A shop, a relay and a worker, each in a process of its own.

    Args:
        url: The database.
        outbox: The path of the outbox.
        sandbox: The service.
    """

    def __init__(self, url: str, outbox: Path, sandbox: Sandbox) -> None:
        token, host = sandbox.token, sandbox.url
        self._parent = subprocess.Popen(
            [sys.executable, "-m", "tests.integrations.kill_roles", url, str(outbox)],
            cwd=ROOT,
            env={**os.environ, "CMS_BEARER_TOKEN": token, "CMS_HOST": host},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._processes: dict[str, int] = {}

    def start(self, role: str) -> None:
        """Start a process."""
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.write(f"{role}\n")
        self._parent.stdin.flush()
        self._processes[role] = int(self._parent.stdout.readline())

    def kill(self, role: str) -> None:
        """Kill a process, without a chance to clean up."""
        process = self._processes.pop(role)
        try:
            while True:
                os.kill(process, signal.SIGKILL)
                time.sleep(0.001)
        except ProcessLookupError:
            pass

    def is_running(self, role: str) -> bool:
        """Return whether a process has not ended by itself."""
        try:
            os.kill(self._processes[role], 0)
        except ProcessLookupError:
            return False
        return True

    @contextmanager
    def running(self) -> Iterator["Shop"]:
        """Run all processes until the end of the block."""
        with self._parent:
            try:
                for role in ROLES:
                    self.start(role)
                yield self
            finally:
                for role in list(self._processes):
                    self.kill(role)


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"not within {PATIENCE} s: {what}"
        time.sleep(0.05)


def run_kills(
    url: str,
    folder: Path,
    kills: int,
    losses: int,
    *,
    lifetime: tuple[float, float],
    disturb: Callable[[Sandbox, int], object] = lambda _sandbox, _number: None,
) -> int:
    """
    Kill the processes in turn, and compare orders and events. Return how many there are.

    Args:
        url: The database.
        folder: An empty directory.
        kills: The number of kills.
        losses: How many times the outbox is deleted.
        lifetime: The least and the most seconds between two kills.
        disturb: Is called after each kill, with the sandbox and the number of the kill.
    """
    engine = create_engine(url, pool_pre_ping=True)
    metadata.drop_all(engine)
    metadata.create_all(engine)
    outbox = folder / "outbox.db"
    latest = func.coalesce(func.max(events.c.handed_over_at), 0.0)

    def read(statement: Any) -> list[Any]:
        with engine.connect() as connection:
            return list(connection.execute(statement).scalars())

    with Sandbox(duplicate_status=409) as sandbox, Shop(url, outbox, sandbox).running() as shop:
        # What shows that a process has worked.
        work: dict[str, Callable[[], Any]] = {
            "shop": lambda: read(select(func.count()).select_from(orders)),
            "relay": lambda: read(select(latest)),
            "worker": lambda: len(sandbox.sales),
        }
        former = {role: work[role]() for role in ROLES}
        for number in range(kills):
            role = ROLES[number % len(ROLES)]
            wait_until(lambda r=role: work[r]() > former[r], f"the {role} has worked")
            time.sleep(random.uniform(*lifetime))
            assert shop.is_running(role), f"the {role} ended by itself"
            shop.kill(role)
            former[role] = work[role]()
            if number % (kills // losses) == 0:
                outbox.unlink(missing_ok=True)
            disturb(sandbox, number)
            shop.start(role)
        shop.kill("shop")
        waiting = select(func.count()).select_from(events)
        wait_until(lambda: read(waiting) == [0], "all events were delivered")
    recorded = [sale.invoice_id for sale in sandbox.sales]
    assert sorted(recorded) == sorted(read(select(orders.c.id)))
    engine.dispose()
    return len(recorded)


@not_on_windows("an open file can't be deleted there")
def test_a_few_kills_with_sqlite_lose_no_event(tmp_path: Path) -> None:
    """Each process is killed once, and the outbox is deleted once."""
    assert run_kills(f"sqlite:///{tmp_path / 'shop.db'}", tmp_path, 3, 1, lifetime=(0.1, 0.3)) > 0


@pytest.mark.services
def test_many_kills_with_postgresql_lose_no_event(tmp_path: Path) -> None:
    """Orders committed and events recorded are the same, after 105 kills and 21 lost outboxes."""
    started = time.monotonic()
    with postgres() as server:

        def disturb(sandbox: Sandbox, number: int) -> None:
            if number % 10 == 0:  # each failure in a row doubles the pause of the worker
                sandbox.fail_next(status=503, recorded=random.random() < 0.5)
            if number % 30 == 29:
                server.restart()

        recorded = run_kills(server.url, tmp_path, 105, 21, lifetime=(0.0, 0.4), disturb=disturb)
    print(f"{recorded} orders, all recorded once, in {time.monotonic() - started:.0f} s")
    assert recorded > 100
