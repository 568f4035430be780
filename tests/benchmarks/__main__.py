"""Measure what a call costs, print it in Markdown, and write all values as JSON."""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from statistics import median
from typing import NamedTuple

import urllib3

from ..support.paths import ROOT
from .candidates import (
    BY_HAND,
    BY_HAND_WITH_MODELS,
    CANDIDATES,
    LEAD,
    LONG,
    LONGEST,
    SDK,
    Call,
    Candidate,
    by_hand,
    cutmeshort,
    wire,
)
from .layers import function_calls, layers
from .measure import costs, rates, ratio
from .pinning import pin
from .report import Report
from .server import FastServer

THREADS = 8


class Effort(NamedTuple):
    """
    The number of measurements.

    Attributes:
        rounds: Rounds of calls in one thread.
        calls: Calls in each round.
        turns: Rounds of threads, and of new processes.
        long_run: Calls during which the growth of memory is measured.
    """

    rounds: int
    calls: int
    turns: int
    long_run: int


THOROUGH = Effort(rounds=60, calls=100, turns=15, long_run=100_000)
QUICK = Effort(rounds=2, calls=2, turns=1, long_run=10)


def installed() -> list[Candidate]:
    """Return the candidates that are installed, and print which are not."""
    present = []
    for candidate in CANDIDATES:
        if importlib.util.find_spec(candidate.needs):
            present.append(candidate)
        else:
            print(f"{candidate.name} is left out: {candidate.needs} is not installed.\n")
    return present


class Fresh:
    """Runs candidates in new processes with compiled modules, as in an installation."""

    def __init__(self, url: str, compiled: str) -> None:
        self._url = url
        self._environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled}
        self._environment.pop("PYTHONDONTWRITEBYTECODE", None)

    def run(self, candidate: Candidate, *calls: int) -> float:
        """Import the library and send a lead, or more, and return the printed number."""
        command = [sys.executable, "-m", "tests.benchmarks.fresh", candidate.make.__name__]
        done = subprocess.run(
            [*command, self._url, *map(str, calls)],
            cwd=ROOT,
            env=self._environment,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        return float(done.stdout)


def compare(server: FastServer, effort: Effort, fresh: Fresh, report: Report) -> None:
    """Compare the candidates."""
    candidates = installed()
    accepted = server.accepted()
    calls = {each.name: each.make(server.url) for each in candidates}
    cost = costs(calls, effort.rounds, effort.calls)
    assert server.accepted() - accepted == len(candidates) * (effort.rounds + 1) * effort.calls

    accepted = server.accepted()
    threads = {
        each.name: [calls[each.name]] * THREADS
        if each.shareable
        else [each.make(server.url) for _ in range(THREADS)]
        for each in candidates
    }
    rate = rates(threads, effort.turns, effort.calls)
    assert (
        server.accepted() - accepted
        == len(candidates) * (effort.turns + 1) * effort.calls * THREADS
    )

    start: dict[str, list[float]] = {each.name: [] for each in candidates}
    for number in range(effort.turns + 1):
        for each in candidates:
            seconds = fresh.run(each)
            if number:  # the first one compiles
                start[each.name].append(seconds)

    rows = []
    for name in calls:
        measured = [
            (cost[name].cpu, cost[BY_HAND].cpu, 1e6),
            (cost[name].wall, cost[BY_HAND].wall, 1e6),
            (rate[name], rate[BY_HAND], 1.0),
            (start[name], start[BY_HAND_WITH_MODELS], 1e3),
        ]
        cells = [name]
        for values, base, scale in measured:
            cells += [f"{median(values) * scale:,.0f}", f"{ratio(values, base):.2f}"]
        rows.append(cells)
        report.keep(f"{name}: CPU", cost[name].cpu)
        report.keep(f"{name}: wall", cost[name].wall)
        report.keep(f"{name}: calls per second, {THREADS} threads", rate[name], "integer")
        report.keep(f"{name}: import and first call", start[name])
    columns = ["CPU, µs", "wall, µs", f"{THREADS} threads, calls/s", "import and first call, ms"]
    report.table(["one lead", *(cell for column in columns for cell in (column, "ratio"))], rows)


def profile(server: FastServer, effort: Effort, report: Report) -> None:
    """Print what each layer of a call costs."""
    with layers(server.url) as calls:
        cost = costs(calls, effort.rounds, effort.calls)
    whole = median(list(cost.values())[-1].cpu)
    rows = []
    below = 0.0
    for name, (cpu, _) in cost.items():
        own = median(cpu) - below
        below = median(cpu)
        rows.append([name, f"{own * 1e6:.0f}", f"{own / whole:.0%}"])
        report.keep(f"down from {name}: CPU", cpu)
    report.table(["layer", "CPU, µs", "share"], [*rows, ["total", f"{whole * 1e6:.0f}", "100%"]])
    above, below_urllib3 = function_calls(cutmeshort(server.url))
    report.keep("Python functions above urllib3", [above], "integer")
    print(
        f"Python functions that one call runs above urllib3: {above}; "
        f"of the SDK's, run by urllib3: {below_urllib3}.\n"
    )


def reporting(server: FastServer, effort: Effort, report: Report) -> None:
    """Print what a hook adds to the cost of a call."""
    calls = {
        "no hook": cutmeshort(server.url),
        "`on_outcome`": cutmeshort(server.url, on_outcome=lambda _: None),
    }
    cost = costs(calls, effort.rounds, effort.calls)
    for name, (cpu, _) in cost.items():
        report.keep(f"{SDK}: {name}", cpu)
    rows = [[name, f"{median(cpu) * 1e6:.1f}"] for name, (cpu, _) in cost.items()]
    report.table(["one lead", "CPU, µs"], rows)


def growth(server: FastServer, effort: Effort, report: Report) -> None:
    """Print how the cost of a call grows with sizes, retries and threads."""
    pairs: dict[str, tuple[Call, Call]] = {}
    for lead in (LEAD, LONG, LONGEST):
        name = f"request of {len(json.dumps(wire(lead))):,} bytes"
        pairs[name] = cutmeshort(server.url, lead), by_hand(server.url, lead)
    for size in (100, 1_000, 10_000, 100_000, 1_000_000):
        url = f"{server.url}/data/{size}"
        pairs[f"response of {size:,} bytes"] = cutmeshort(url), by_hand(url)
    for number in (4, 8, 16, 32):
        url = f"{server.url}/headers/{number}"
        pairs[f"response of {number} headers"] = cutmeshort(url), by_hand(url)
    retries = urllib3.Retry(status=3, status_forcelist=[503], allowed_methods=None)
    for times in (0, 1, 2, 3):
        url = f"{server.url}/fail/{times}"
        pairs[f"{times} retries"] = cutmeshort(url), by_hand(url, retries=retries)

    rows = []
    rounds = max(effort.rounds // 5, 1)
    for name, (sdk, hand) in pairs.items():
        cost = costs({SDK: sdk, BY_HAND: hand}, rounds, effort.calls)
        rows.append(_growth_row(name, cost[SDK].cpu, cost[BY_HAND].cpu, report))
    for threads in (1, 2, 4, 8, 16):
        both = {SDK: cutmeshort(server.url), BY_HAND: by_hand(server.url)}
        turns = max(effort.turns // 5, 1)
        rate = rates({n: [call] * threads for n, call in both.items()}, turns, effort.calls)
        each = {n: [1 / value for value in values] for n, values in rate.items()}
        rows.append(_growth_row(f"{threads} threads (wall)", each[SDK], each[BY_HAND], report))
    report.table(["CPU of one call, µs", SDK, BY_HAND, "ratio"], rows)


def _growth_row(name: str, sdk: list[float], hand: list[float], report: Report) -> list[str]:
    report.keep(f"{SDK}: {name}", sdk)
    report.keep(f"{BY_HAND}: {name}", hand)
    return [
        name,
        f"{median(sdk) * 1e6:,.0f}",
        f"{median(hand) * 1e6:,.0f}",
        f"{ratio(sdk, hand):.2f}",
    ]


def memory(effort: Effort, fresh: Fresh) -> None:
    """Print by how much the memory of the process grows during many calls."""
    for candidate in CANDIDATES[:2]:
        grown = fresh.run(candidate, effort.long_run)
        print(f"{candidate.name} grows by {grown / 1024:.0f} KiB in {effort.long_run:,} calls.\n")


def main() -> None:
    """Run all measurements."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="check only that it works")
    parser.add_argument("--json", default="benchmarks.json", help="the file for all values")
    arguments = parser.parse_args()
    effort = QUICK if arguments.quick else THOROUGH
    if arguments.quick:
        print("Too few calls for meaningful numbers: this only checks that the benchmarks run.\n")
    report = Report()
    with FastServer() as server, tempfile.TemporaryDirectory() as compiled:
        pin(0)
        fresh = Fresh(server.url, compiled)
        compare(server, effort, fresh, report)
        profile(server, effort, report)
        reporting(server, effort, report)
        growth(server, effort, report)
        memory(effort, fresh)
    report.write(arguments.json)


if __name__ == "__main__":
    main()
