"""Every block of code in the README and on the pages of docs/ runs."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cutmeshort import CMSClient
from cutmeshort.sandbox import Sandbox

from ..support.paths import ROOT
from .pages import ALL, README, Page

# The Python of these pages is run by test_recipes, or by the test of the page.
ELSEWHERE = {
    "docs/how-to/celery.md",
    "docs/how-to/many-machines.md",
    "docs/how-to/observability.md",
    "docs/how-to/task-queues.md",
    "docs/how-to/upgrading.md",
}
# The commands of these pages are run by test_shell, or by the test of the page, except the sandbox.
SHELL = {
    "docs/how-to/backfill.md",
    "docs/how-to/many-machines.md",
    "docs/how-to/service-down.md",
    "docs/how-to/shell.md",
    "docs/reference/command-line.md",
}
LANGUAGES = {"python", "toml", "sh", "text", "json", "{toctree}", "{eval-rst}"}


@pytest.fixture
def queue() -> list[Any]:
    """What the code of a page passes to its job queue."""
    return []


def run_page(page: Page, folder: Path, queue: list[Any]) -> None:
    """
    Run the Python of a page, one block after the other.

    A block whose first line is `# name.py`, or `# pyproject.toml`, is that file; if one of them is
    `test_*.py`, pytest runs it.
    """
    namespace: dict[str, Any] = {"__name__": "shop"}
    namespace["enqueue"] = lambda *call, **options: queue.append((call, options))
    tests = 0
    for block in [*page.blocks("toml"), *page.blocks("python")]:
        file = re.match(r"# (\w+\.(?:py|toml))\n", block.text)
        if file is not None:
            (folder / file[1]).write_text(block.text, encoding="utf-8")
            tests += len(re.findall(r"^ *def test_", block.text, re.MULTILINE))
        else:
            source = "\n" * block.line + block.text
            exec(compile(source, str(page.path), "exec"), namespace)
    for value in namespace.values():
        if isinstance(value, CMSClient):
            value.close()
    if tests:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        environment = {**os.environ, "PYTEST_PLUGINS": "pytest_cutmeshort"}  # if not installed
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=folder, env=environment, check=False
        )
        assert f"{tests} passed" in done.stdout, done.stdout


@pytest.mark.parametrize(
    "page", [page for page in ALL if page.blocks("python") and str(page) not in ELSEWHERE], ids=str
)
def test_every_python_block_runs(
    page: Page,
    sandbox: Sandbox,
    queue: list[Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The blocks of a page run in order, and no event goes to the job queue."""
    monkeypatch.chdir(tmp_path)
    run_page(page, tmp_path, queue)
    assert not queue
    if page is README:
        assert [sale.invoice_id for sale in sandbox.sales] == ["inv_1001"]
        assert len(sandbox.leads) == 4


@pytest.mark.parametrize("page", ALL, ids=str)
def test_every_block_is_one_that_the_tests_read(page: Page) -> None:
    """A block in an unknown language, or indented, would not be tested."""
    assert {block.language for block in page.blocks()} <= LANGUAGES
    fences = re.findall(r"^\s*(?:```|~~~).*", page.text, re.MULTILINE)
    assert len(fences) == 2 * len(page.blocks())


def _run(*arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def _run_sandbox(directory: Path, *arguments: str) -> None:
    """Start and stop the sandbox in a directory, in which it may create its data file."""
    command = [sys.executable, *arguments, "--port", "0"]  # a port that is free
    with subprocess.Popen(command, cwd=directory, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "listening on http://" in process.stdout.readline()
        os.kill(process.pid, signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == 0


def test_every_shell_block_runs(tmp_path: Path) -> None:
    """Commands that need no package index are run here; continuous integration runs the others."""
    commands = {
        command
        for page in ALL
        for block in page.blocks("sh")
        if str(page) not in SHELL or block.text.startswith("cutmeshort sandbox")
        for line in block.text.splitlines()
        for command in line.partition("#")[0].strip().split(" && ")
    }
    unknown = []
    for command in sorted(commands - {""}):
        words = command.split()
        if words[:2] == ["cutmeshort", "sandbox"]:
            _run_sandbox(tmp_path, "-m", *words)
        elif words[0] == "python" and words[1] != "-m":
            _run(*words[1:])
        elif words[:3] == ["python", "-m", "tests.benchmarks"]:
            continue  # test_benchmarks runs it
        elif words[:2] in (["cutmeshort", "deliver"], ["cutmeshort", "outbox"]):
            continue  # test_readme runs them
        elif words[0] == "celery":
            continue  # test_celery_services runs it
        elif words[:2] != ["pip", "install"] and words[0] not in ("pytest", "export"):
            unknown.append(command)
    assert not unknown
