"""The benchmarks run, and the documentation shows what they measure."""

import re
import subprocess
import sys
from pathlib import Path

import pyperf
import pytest

from ..support.paths import ROOT
from .candidates import CANDIDATES, LEAD, by_hand, cutmeshort
from .layers import function_calls, layers
from .server import FastServer

pytestmark = pytest.mark.benchmark


def test_the_command_prints_all_tables_and_writes_all_values(tmp_path: Path) -> None:
    """Each candidate is measured or reported as not installed; the JSON is pyperf's."""
    path = tmp_path / "values.json"
    command = [sys.executable, "-m", "tests.benchmarks", "--quick", "--json", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    names = {benchmark.get_name() for benchmark in pyperf.BenchmarkSuite.load(str(path))}
    for candidate in CANDIDATES:
        left_out = f"{candidate.name} is left out: {candidate.needs} is not installed."
        if left_out not in lines:
            assert sum(line.startswith(f"| {candidate.name} |") for line in lines) == 1
            assert f"{candidate.name}: CPU" in names
    for row in (
        "no hook",
        "`on_outcome`",
        "response of 1,000,000 bytes",
        "3 retries",
        "16 threads (wall)",
        "total",
    ):
        assert sum(line.startswith(f"| {row} |") for line in lines) == 1
    assert "cutmeshort: 3 retries" in names
    assert "cutmeshort grows by" in done.stdout


def test_the_sandbox_is_compared_with_another_version() -> None:
    """The command prints the times and the rates of both versions, and their ratios."""
    command = [sys.executable, "-m", "tests.benchmarks.sandbox", "--quick", "--baseline", str(ROOT)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    rows = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if line]
    names = [name for name, *_ in rows]
    times = ["import", "create", "start", "stop", "create, start and stop"]
    assert names[2:7] == times
    assert names[9:] == ["baseline", *(f"this version, open pages: {n}" for n in (0, 1, 3))]
    figures = [float(cell.replace(",", "")) for row in rows[2:7] + rows[9:] for cell in row[1:]]
    assert len(figures) == 3 * 5 + 4 * 4
    assert min(figures) >= 0


def test_the_documentation_shows_all_rows() -> None:
    """The documentation's tables have each candidate and each layer, in the command's order."""
    page = (ROOT / "docs" / "explanation" / "performance.md").read_text(encoding="utf-8")
    names = re.findall(r"^\| (.*?) \|", page, re.MULTILINE)
    with FastServer() as server, layers(server.url) as calls:
        rows = [*(candidate.name for candidate in CANDIDATES), *calls, "total"]
    assert [name for name in names if name not in ("one lead", "layer", "---")] == rows


def test_one_call_runs_fewer_than_40_functions_above_urllib3() -> None:
    """One call runs fewer than 40 Python functions above urllib3, all libraries included."""
    with FastServer() as server:
        above, _ = function_calls(cutmeshort(server.url))
    assert above < 40


def test_each_layer_makes_a_call() -> None:
    """Each layer sends a request that the server accepts, so that whole calls are measured."""
    with FastServer() as server, layers(server.url) as calls:
        for number, call in enumerate(calls.values(), start=1):
            call()
            assert server.accepted() == number


@pytest.mark.parametrize("changes", [{"customer_external_id": "other"}, {}])
def test_the_server_accepts_only_the_expected_customer(changes: dict[str, str]) -> None:
    """The server rejects, and does not count, a request without the expected customer."""
    with FastServer() as server:
        call = by_hand(server.url, {**LEAD, **changes})
        if changes:
            with pytest.raises(KeyError):
                call()
        else:
            call()
        assert server.accepted() == (not changes)
