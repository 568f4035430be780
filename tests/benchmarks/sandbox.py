"""
Measure the sandbox, alone and compared with another version, and print the figures in Markdown.

`python -m tests.benchmarks.sandbox [--baseline PATH]`; PATH is a checkout of the other version. The
versions alternate, and each ratio is the median of the ratios of the rounds, so that other load on
the machine affects both alike. The baseline has no page open, whatever this version has.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from ..support.paths import ROOT

NOW = "this version"
BASELINE = "baseline"
CLIENTS = 2


class Effort(NamedTuple):
    """
    The number of measurements.

    Attributes:
        processes: New processes that start sandboxes.
        starts: Sandboxes that each of them starts.
        rounds: Rounds of requests.
        seconds: Duration of the requests in each round.
    """

    processes: int
    starts: int
    rounds: int
    seconds: int


THOROUGH = Effort(processes=15, starts=100, rounds=9, seconds=3)
QUICK = Effort(processes=1, starts=2, rounds=1, seconds=1)

Round = dict[str, float]


class Child:
    """A process of `sandbox_child` with a version of the SDK, which ends with its input."""

    def __init__(self, path: Path, name: str, *arguments: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.sandbox_child", name, *map(str, arguments)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(path / "src")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def read(self) -> Any:
        """Return the next value that it prints."""
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def tell(self) -> None:
        """Send it a line."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.communicate()
        assert self._process.returncode == 0 or exception[0] is not None


@contextmanager
def open_pages(path: Path, pages: str, port: int, number: int) -> Iterator[None]:
    """Keep pages open, and check that each of them shows events."""
    if not number:
        yield
        return
    with Child(path, pages, port, number) as child:
        child.read()
        yield
        child.tell()
        assert child.read() > 0


def throughput(path: Path, pages: str, number: int, seconds: int) -> Round:
    """Return the requests per second, and the server's CPU time for each, with pages open."""
    with Child(path, "serve") as server, ExitStack() as cleanup:
        port = server.read()
        with open_pages(path, pages, port, number):
            clients = [
                cleanup.enter_context(Child(path, "send", port, client, seconds))
                for client in range(CLIENTS)
            ]
            for client in clients:
                client.read()
            server.tell()
            before = server.read()
            for client in clients:
                client.tell()
            rate = sum(client.read() for client in clients)
            server.tell()
            cpu = server.read() - before
    return {"requests per second": rate, "CPU": cpu / (rate * seconds)}


def ratio(rounds: Sequence[Round], base: Sequence[Round], name: str) -> str:
    """Return the median of the ratios of the rounds."""
    pairs = zip(rounds, base)
    return f"{median(now[name] / before[name] for now, before in pairs):.2f}"


def middle(rounds: Sequence[Round], name: str, scale: float, digits: int) -> str:
    """Return the median of the rounds."""
    return f"{median(each[name] for each in rounds) * scale:,.{digits}f}"


def starts(versions: Mapping[str, Path], effort: Effort) -> None:
    """Print how long it takes to import, create, start and stop a sandbox."""
    rounds: dict[str, list[Round]] = {name: [] for name in versions}
    for number in range(effort.processes + 1):
        for name, path in versions.items():
            with Child(path, "start", effort.starts) as child:
                seconds = child.read()
            if number:  # the first one may compile the modules
                rounds[name].append(seconds)
    print_head("median, ms", *versions, *["ratio"] * (len(versions) - 1))
    for what in rounds[NOW][0]:
        cells = [middle(each, what, 1e3, 2) for each in rounds.values()]
        if BASELINE in rounds:
            cells.append(ratio(rounds[NOW], rounds[BASELINE], what))
        print_row(what, *cells)
    print()


def requests(versions: Mapping[str, Path], pages: str, numbers: list[int], effort: Effort) -> None:
    """Print how many requests a sandbox accepts while pages are open."""
    cases = {f"{NOW}, open pages: {number}": (versions[NOW], number) for number in numbers}
    if BASELINE in versions:
        cases = {BASELINE: (versions[BASELINE], 0), **cases}
    rounds: dict[str, list[Round]] = {name: [] for name in cases}
    for _ in range(effort.rounds):
        for name, (path, number) in cases.items():
            rounds[name].append(throughput(path, pages, number, effort.seconds))
    base = next(iter(rounds.values()))
    print_head(f"{CLIENTS} clients", "requests/s", "ratio", "CPU of the server, µs", "ratio")
    for name, measured in rounds.items():
        cells = [name]
        for what, scale in (("requests per second", 1.0), ("CPU", 1e6)):
            cells += [middle(measured, what, scale, 0), ratio(measured, base, what)]
        print_row(*cells)


def print_head(*cells: str) -> None:
    """Print the head of a table."""
    print_row(*cells)
    print_row("---", *["---:"] * (len(cells) - 1))


def print_row(*cells: str) -> None:
    """Print a row of a table."""
    print(f"| {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.sandbox", description=__doc__)
    parser.add_argument("--baseline", type=Path, help="a checkout of another version")
    parser.add_argument("--pages", type=int, nargs="*", default=[0, 1, 3], help="numbers of pages")
    parser.add_argument("--browser", action="store_true", help="open the pages in Chromium")
    parser.add_argument("--quick", action="store_true", help="check only that it works")
    options = parser.parse_args()
    versions = {NOW: ROOT}
    if options.baseline is not None:
        if not (options.baseline / "src" / "cutmeshort").is_dir():
            parser.error(f"{options.baseline} is not a checkout")
        versions = {BASELINE: options.baseline.resolve(), NOW: ROOT}
    effort = QUICK if options.quick else THOROUGH
    starts(versions, effort)
    requests(versions, "browse" if options.browser else "follow", options.pages, effort)


if __name__ == "__main__":
    main()
