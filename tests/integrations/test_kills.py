"""Committed orders are recorded, and no others, while processes die and the outbox is lost."""

import os
import random
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


class Shop:
    """
    A shop, a relay and a worker, each in a process of its own.

    Args:
        url: The database.
        outbox: The path of the outbox.
        sandbox: The service.
    """

    def __init__(self, url: str, outbox: Path, sandbox: Sandbox) -> None:
        module = ("-m", "tests.integrations.kill_roles")
        self._commands = {
            "shop": (*module, "shop", url),
            "relay": (*module, "relay", url, str(outbox)),
            "worker": ("-m", "cutmeshort", "deliver", str(outbox), "--per-minute", "0"),
        }
        token, host = sandbox.token, sandbox.url
        self._environment = {**os.environ, "CMS_BEARER_TOKEN": token, "CMS_HOST": host}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, role: str) -> None:
        """Start a process."""
        self._processes[role] = subprocess.Popen(
            [sys.executable, *self._commands[role]],
            cwd=ROOT,
            env=self._environment,
            stderr=subprocess.DEVNULL,
        )

    def kill(self, role: str) -> None:
        """Kill a process, without a chance to clean up."""
        process = self._processes.pop(role)
        assert process.poll() is None, f"the {role} ended by itself"
        process.kill()
        process.wait()

    @contextmanager
    def running(self) -> Iterator["Shop"]:
        """Run all processes until the end of the block."""
        for role in self._commands:
            self.start(role)
        try:
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
    count = select(func.count()).select_from(orders)

    def read(statement: Any) -> list[Any]:
        with engine.connect() as connection:
            return list(connection.execute(statement).scalars())

    with Sandbox(duplicate_status=409) as sandbox, Shop(url, outbox, sandbox).running() as shop:
        wait_until(lambda: bool(sandbox.sales), "all processes have started")
        former = [0]  # the number of orders at the last kill; each shop takes some
        for number in range(kills):
            role = ("shop", "relay", "worker")[number % 3]
            if role == "shop":
                wait_until(lambda before=former: read(count) != before, "the shop took orders")
            time.sleep(random.uniform(*lifetime))
            shop.kill(role)
            former = read(count)
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
            if number % 10 == 0:  # more in a row would make the worker pause
                sandbox.fail_next(status=503, recorded=random.random() < 0.5)
            if number % 30 == 29:
                server.restart()

        recorded = run_kills(server.url, tmp_path, 105, 21, lifetime=(0.1, 0.7), disturb=disturb)
    print(f"{recorded} orders, all recorded once, in {time.monotonic() - started:.0f} s")
    assert recorded > 100
