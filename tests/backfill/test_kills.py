"""A backfill whose process is killed at random points delivers each event once."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cutmeshort.sandbox import Sandbox

from ..cli.conftest import TOKEN
from ..support.platforms import not_on_windows
from ..support.timing import LONG
from .files import write_sales

pytestmark = not_on_windows("sends SIGKILL")


def start(path: Path, sandbox: Sandbox) -> "subprocess.Popen[str]":
    """Start the command, without a limit of the rate."""
    return subprocess.Popen(
        [*(sys.executable, "-m", "cutmeshort"), "backfill", str(path), "--per-minute", "0"],
        env={**os.environ, "CMS_BEARER_TOKEN": TOKEN, "CMS_HOST": sandbox.url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def inject_faults(sandbox: Sandbox) -> None:
    """Make some of the next requests fail; some of those are recorded all the same."""
    for _ in range(random.randrange(3)):
        sandbox.fail_next(latency=0.001)
    fault = random.randrange(4)
    if fault == 0:
        sandbox.fail_next(drop=True, recorded=True)
    elif fault == 1:
        sandbox.fail_next(status=500, recorded=True)
    elif fault == 2:
        sandbox.fail_next(status=503, retry_after=1)


def kill_and_resume(path: Path, sandbox: Sandbox, rows: int, kills: int) -> int:
    """Start the command several times, kill it each time, let the last one finish; count kills."""
    killed = 0
    for number in range(kills):
        if number < kills - 1:  # the last run does not wait for events that failed
            inject_faults(sandbox)
        done = len(sandbox.sales)
        with start(path, sandbox) as process:
            if number % 4 == 0:  # anywhere, also during the import
                time.sleep(random.uniform(0, 0.3))
            else:
                target = done + random.randrange(1, max(2, (rows - done) // (kills - number + 1)))
                deadline = time.monotonic() + LONG
                while len(sandbox.sales) < target and time.monotonic() < deadline:
                    time.sleep(0.002)
            process.send_signal(signal.SIGKILL)
        killed += process.returncode == -signal.SIGKILL
    with start(path, sandbox) as process:
        out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    assert out.startswith(f"{rows:,} events delivered")
    return killed


def check(path: Path, sandbox: Sandbox, rows: int) -> None:
    """Check that each event was recorded once, in order, and that no state is left."""
    invoices = [sale.invoice_id for sale in sandbox.sales]
    assert sorted(invoices) == sorted(f"inv_{number}" for number in range(rows))
    assert list(path.parent.iterdir()) == [path]


def test_no_event_is_lost_over_kills(tmp_path: Path) -> None:
    """After some kills, the same command has delivered all events, each once."""
    path = write_sales(tmp_path, range(100))
    with Sandbox(token=TOKEN) as sandbox:
        kill_and_resume(path, sandbox, 100, 2)
        check(path, sandbox, 100)


@pytest.mark.soak
def test_no_event_is_lost_over_many_kills(tmp_path: Path) -> None:
    """After 20 kills, the same command has delivered 3,000 events, each once."""
    path = write_sales(tmp_path, range(3_000))
    with Sandbox(token=TOKEN, duplicate_status=409) as sandbox:
        assert kill_and_resume(path, sandbox, 3_000, 20) == 20
        check(path, sandbox, 3_000)
