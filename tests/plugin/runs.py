"""Runs pytest in a process of its own, with a project whose application has a real token."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ..support.paths import ROOT, SOURCE

# The clients are created at import, as in most applications. Names of hosts are never looked up.
SHOP = """
from cutmeshort import CMSClient
from tests.support.network import allow_loopback_only

allow_loopback_only()
client = CMSClient("real-token", "https://real.example", max_retries=0, enabled=True)
client_of_environment = CMSClient()
"""
ENVIRONMENT = {
    "CMS_HOST": "https://other.example",
    "CMS_BEARER_TOKEN": "other-token",
    "CMS_ENABLED": "0",
    # The plugin is loaded in the same way whether or not it is installed, and no other plugin is.
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    "PYTEST_PLUGINS": "pytest_cutmeshort",
    "PYTHONPATH": os.pathsep.join([str(SOURCE.parent), str(ROOT)]),
}


def run_pytest(
    folder: Path, *arguments: str, files: dict[str, str], plugins: str = ""
) -> pytest.LineMatcher:
    """
    Run pytest in a new process, with warnings as errors.

    Args:
        folder: An empty folder.
        arguments: The arguments of pytest.
        files: The files of the project, by name; `shop.py` is added.
        plugins: Other plugins to load.

    Returns:
        The lines of the output.
    """
    for name, text in {"shop.py": SHOP, "pytest.ini": "[pytest]", **files}.items():
        (folder / name).write_text(text, encoding="utf-8")
    environment = {**os.environ, **ENVIRONMENT}
    environment["PYTEST_PLUGINS"] += plugins
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return pytest.LineMatcher([*done.stdout.splitlines(), *done.stderr.splitlines()])


def failure(output: pytest.LineMatcher, test: str) -> list[str]:
    """Return the lines of the report of a failed test."""
    (start,) = (n for n, line in enumerate(output.lines) if line.strip("_ ") == test)
    below = output.lines[start + 1 :]
    ends = [n for n, line in enumerate(below) if line[:3] in ("===", "___")]
    return below[: ends[0]]
