"""
Measure the hand-over to an outbox file, and print the figures in Markdown.

`python -m tests.benchmarks.outbox [DIRECTORY]`; the directory is on a disk, by default the current
one. Counts the syncs with strace if it is installed.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Callable

from cutmeshort.outbox import Outbox, QueuedEvent
from cutmeshort.outbox.schema import DEFERRED
from cutmeshort.outbox.storage import Storage

from ..outbox.events import queued
from ..support.paths import ROOT

MEMORY = Path("/dev/shm")
CALLS = 2000
PROCESSES = 8
PER_SECOND = 25
SECONDS = 8.0
WAITING = 300_000
TRACED = 20
TIMEOUT = 30.0

Row = tuple[str, str, str]


def quantile(values: Sequence[float], part: float) -> float:
    """Return the value at a fraction of the sorted values."""
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


def milliseconds(values: Sequence[float]) -> str:
    """Return the 50th and the 99th percentile."""
    parts = (f"p{part * 100:.0f} {1000 * quantile(values, part):.2f} ms" for part in (0.5, 0.99))
    return ", ".join(parts)


@contextmanager
def new_file(directory: Path) -> Iterator[Path]:
    """The path of a file in a directory of its own."""
    with tempfile.TemporaryDirectory(dir=directory) as folder:
        yield Path(folder) / "cms.db"


def hand_over(path: Path, first: int, calls: int, per_second: float) -> list[float]:
    """Hand events over, at a rate or as fast as possible, and return the seconds of each call."""
    seconds = []
    payloads = [queued(number).payload() for number in range(first, first + calls)]
    with Outbox(path, timeout=TIMEOUT) as outbox:
        started = time.perf_counter()
        for number, payload in enumerate(payloads):
            if per_second:
                time.sleep(max(0.0, started + number / per_second - time.perf_counter()))
            before = time.perf_counter()
            result = outbox.track(payload)
            seconds.append(time.perf_counter() - before)
            assert result["success"], result
    return seconds


def in_processes(path: Path, calls: int, per_second: float) -> tuple[list[float], float]:
    """Hand events over in several processes; return the seconds of each call, and of all."""
    Outbox(path).close()
    children = []
    for number in range(PROCESSES):
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            seconds = hand_over(path, number * calls, calls, per_second)
            with os.fdopen(write, "w") as pipe:
                pipe.write("\n".join(map(str, seconds)))
            os._exit(0)
        os.close(write)
        children.append((child, read))
    started = time.perf_counter()
    found: list[float] = []
    for child, read in children:
        with os.fdopen(read) as pipe:
            found += map(float, pipe.read().split())
        assert os.waitpid(child, 0)[1] == 0
    return found, time.perf_counter() - started


def raw_syncs(directory: Path, calls: int) -> list[float]:
    """Append to a file, with one fdatasync each, and return the seconds of each."""
    seconds = []
    with new_file(directory) as path, path.open("wb", buffering=0) as file:
        for _ in range(calls):
            before = time.perf_counter()
            file.write(b"x" * 4096)
            os.fdatasync(file.fileno())
            seconds.append(time.perf_counter() - before)
    return seconds


def count_syncs(directory: Path) -> str:
    """Return the number of syncs of one hand-over, as strace counts them."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    counts = []
    with new_file(directory) as path:
        for calls in (TRACED, 2 * TRACED):
            report = path.with_name("report")
            command = ["strace", "-f", "-e", "trace=fsync,fdatasync", "-o", str(report)]
            program = [sys.executable, "-m", "tests.benchmarks.outbox", "--hand-over"]
            subprocess.run([*command, *program, str(path), str(calls)], cwd=ROOT, check=True)
            counts.append(len(re.findall(r"(?:fsync|fdatasync)\(", report.read_text())))
            path.unlink()
    return f"{(counts[1] - counts[0]) / TRACED:g}"


def next_event(customers: int, deferred: int) -> str:
    """Return how long it takes to find the next of very many events."""
    template = queued(1)
    with new_file(MEMORY) as path:
        storage = Storage(str(path), max_bytes=2**31)
        for first in range(0, WAITING, 10_000):
            events = [
                QueuedEvent(
                    template.operation,
                    template.body,
                    template.created_at,
                    f"{number:032x}",
                    f"{number % customers:032x}",
                )
                for number in range(first, first + 10_000)
            ]
            storage.put(events, TIMEOUT)
        change = f"UPDATE events SET state = {DEFERRED} WHERE id <= {deferred}"
        storage._database.write(lambda connection: connection.execute(change).close(), TIMEOUT)
        seconds = []
        for _ in range(200):
            before = time.perf_counter()
            stored = storage.next(TIMEOUT)
            seconds.append(time.perf_counter() - before)
            assert stored is not None
            storage.delivered(stored, TIMEOUT)
        storage.close()
    return milliseconds(seconds)


def measure(directory: Path) -> Iterator[Row]:
    """Measure everything."""
    with new_file(MEMORY) as path:
        seconds = hand_over(path, 0, CALLS, 0)
        yield "hand-over in memory, 1 process", "p50 0.5 ms, p99 3 ms", milliseconds(seconds)
    with new_file(MEMORY) as path:
        seconds, _ = in_processes(path, int(SECONDS * PER_SECOND), PER_SECOND)
        name = f"hand-over in memory, {PROCESSES} processes, {PER_SECOND} per second each"
        yield name, "p99 10 ms", milliseconds(seconds)
    yield "syncs of one hand-over", "5", count_syncs(directory)
    raw = raw_syncs(directory, 300)
    with new_file(directory) as path:
        seconds = hand_over(path, 0, 300, 0)
    raw += raw_syncs(directory, 300)
    ratio = quantile(seconds, 0.5) / quantile(raw, 0.5)
    yield "one write and fdatasync on the disk", "", milliseconds(raw)
    yield "hand-over on the disk, 1 process", "", milliseconds(seconds)
    yield "hand-over on the disk / fdatasync, p50", "12", f"{ratio:.1f}"
    with new_file(directory) as path:
        seconds, total = in_processes(path, 100, 0)
    name = f"hand-overs per second on the disk, {PROCESSES} processes"
    yield name, "100", f"{len(seconds) / total:.0f}"
    cases: list[tuple[str, Callable[[], str]]] = [
        ("distinct customers", lambda: next_event(WAITING, 0)),
        ("one customer", lambda: next_event(1, 0)),
        ("half of them deferred", lambda: next_event(WAITING, WAITING // 2)),
    ]
    for name, case in cases:
        yield f"next of {WAITING:,} waiting events, {name}", "1 ms", case()


def main() -> None:
    """Print the table."""
    if sys.argv[1:2] == ["--hand-over"]:
        hand_over(Path(sys.argv[2]), 0, int(sys.argv[3]), 0)
        return
    directory = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    print("| what | target | measured |\n|---|---|---|")
    for row in measure(directory):
        print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
