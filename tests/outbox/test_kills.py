"""Writers and workers are killed at random points, and no event is lost or recorded twice."""

import os
import random
import re
import signal
import sqlite3
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any, Callable

import pytest

from cutmeshort.outbox.lock import is_locked
from cutmeshort.sandbox import Sandbox

from ..support.platforms import not_on_windows
from ..support.timing import LONG, wait_until
from .processes import CUSTOMERS, Processes

TIMEOUT = 0.4  # seconds, of the workers' calls
FAULTS: list[dict[str, Any]] = [
    {"status": 500},
    {"status": 500, "recorded": True},
    {"status": 503},
    {"status": 429, "retry_after": 0},
    {"drop": True},
    {"drop": True, "recorded": True},
    {"latency": 2 * TIMEOUT},  # recorded, and the client has given up
    {"drop": True, "latency": 2 * TIMEOUT},
]


class Kills:
    """
    Kill rounds on one file.

    Args:
        folder: Where the file and the logs are.
        sandbox: The service.
        seconds: How long the processes of a round are killed and started again; longer if the
            writers have handed over too few events.
    """

    def __init__(self, folder: Path, sandbox: Sandbox, seconds: float) -> None:
        self._sandbox = sandbox
        self._seconds = seconds
        self._path = str(folder / "cms.db")
        self._log = folder / "log"
        self._chance = random.Random(7)
        self.kills: Counter[str] = Counter()
        self._processes = Processes(
            self._path,
            str(self._log),
            CMS_BEARER_TOKEN=sandbox.token,
            CMS_HOST=sandbox.url,
            CMS_TIMEOUT=str(TIMEOUT),
        )

    def run(self, rounds: int) -> None:
        """Run the rounds, and check the file after each."""
        self._log.touch()
        with self._processes:
            for number in range(rounds):
                self._round(number)

    def _round(self, number: int) -> None:
        names = [f"round{number}a", f"round{number}b"]
        commands: dict[str, Callable[[], tuple[object, ...]]] = {
            "worker 1": lambda: ("worker",),
            "worker 2": lambda: ("worker",),
            **{f"writer {name}": lambda name=name: self._writer(name) for name in names},
        }
        running = {each: self._processes.start(*command()) for each, command in commands.items()}
        end = time.monotonic() + self._seconds
        while time.monotonic() < end or len(self.accepted()) < (number + 1) * CUSTOMERS:
            time.sleep(self._chance.uniform(0, 0.15))
            if self._chance.random() < 0.3:
                self._sandbox.fail_next(**self._chance.choice(FAULTS))
            victim = self._chance.choice(list(running))
            self._kill(victim, running[victim])
            running[victim] = self._processes.start(*commands[victim]())
        for each, process in running.items():
            self._kill(each, process)
        self._deliver_the_rest()

    def _writer(self, name: str) -> tuple[object, ...]:
        """Return the command of a writer, which begins with the first event without a result."""
        return ("writer", name, sum(each.startswith(f"{name} ") for each in self.accepted()))

    def _kill(self, name: str, process: int) -> None:
        os.kill(process, signal.SIGKILL)
        self.kills[name.partition(" ")[0]] += 1

    def accepted(self) -> list[str]:
        """Return the events whose hand-over was successful: the writer's name and a number."""
        return self._log.read_text(encoding="utf-8").splitlines()

    def _deliver_the_rest(self) -> None:
        self._sandbox.clear_faults()
        worker = self._processes.start("worker")
        with closing(sqlite3.connect(self._path, timeout=LONG)) as connection:
            wait_until(lambda: self._count(connection, "SELECT count(*) FROM events") == 0)
            os.kill(worker, signal.SIGTERM)
            wait_until(lambda: not is_locked(self._path))
            assert self._count(connection, "PRAGMA integrity_check") == "ok"

    def _count(self, connection: sqlite3.Connection, statement: str) -> Any:
        (value,) = connection.execute(statement).fetchone()
        return value

    def worker_log(self) -> str:
        """Return what the workers logged."""
        return Path(f"{self._log}.worker").read_text(encoding="utf-8")


def check(folder: Path, rounds: int, seconds: float) -> str:
    """Run the rounds, check that each accepted event is recorded once, and return figures."""
    with Sandbox(duplicate_status=409) as sandbox:
        kills = Kills(folder, sandbox, seconds)
        kills.run(rounds)
        recorded_events = [each.event for each in sandbox._state.service.recorded()]
        recorded = Counter(
            f"{event.customer_external_id.partition('-')[0]} {_number(event)}"
            for event in recorded_events
        )
        accepted = kills.accepted()
        lost = [name for name in accepted if not recorded[name]]
        twice = [name for name, count in recorded.items() if count > 1]
        by_customer: dict[str, list[int]] = {}
        for event in recorded_events:
            by_customer.setdefault(event.customer_external_id, []).append(_number(event))
    figures = (
        f"{rounds} rounds, {kills.kills['writer']} writers and {kills.kills['worker']} workers "
        f"killed, {len(accepted)} accepted, {len(recorded)} recorded, {len(lost)} lost, "
        f"{len(twice)} twice"
    )
    assert (lost, twice) == ([], []), figures
    assert len(recorded) >= len(accepted) >= rounds * CUSTOMERS
    assert all(numbers == sorted(numbers) for numbers in by_customer.values())
    assert "Traceback" not in kills.worker_log()
    assert not re.search("ERROR|WARNING", kills.worker_log()), kills.worker_log()
    return figures


def _number(event: Any) -> int:
    """Return the number of an event of `processes.track`."""
    invoice = getattr(event, "invoice_id", None)
    return int((invoice or event.event_name).rpartition(" ")[2])


@not_on_windows("it has no fork")
def test_no_event_is_lost_when_processes_are_killed(path: Path) -> None:
    """In ten kill rounds, each accepted event is recorded once, in the order of hand-over."""
    check(path.parent, 10, 0.3)


@pytest.mark.soak
@not_on_windows("it has no fork")
def test_no_event_is_lost_in_a_thousand_kills(tmp_path: Path) -> None:
    """In 200 kill rounds, each accepted event is recorded once, in the order of hand-over."""
    figures = check(tmp_path, 200, 1.0)
    print(figures)
