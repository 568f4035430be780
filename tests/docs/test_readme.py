"""The README is short, shows what the quick start prints, and works in a package index."""

import re
import subprocess
import sys
from pathlib import Path

from cutmeshort.outbox import Outbox
from cutmeshort.sandbox import Sandbox

from ..support.events import sale
from ..support.paths import ROOT
from ..support.processes import run_python
from ..support.timing import LONG, wait_until
from .pages import README

IDS = re.compile(r"\b(click|req|user|inv|ann|ben)_[0-9a-f]{8,}|(?<=127\.0\.0\.1:)[0-9]+")


def test_the_readme_has_at_most_200_lines() -> None:
    """A new reader has ten minutes."""
    assert len(README.text.splitlines()) <= 200


def test_the_readme_shows_what_the_quick_start_prints() -> None:
    """The output is that of `examples/quickstart.py`, except for ids and the port."""
    printed = run_python("examples/quickstart.py")
    shown = README.block("text", "CMS_BEARER_TOKEN is not set")
    assert IDS.sub("ID", shown) == IDS.sub("ID", printed)
    assert all(len(line) <= 100 for line in shown.splitlines())


def test_the_readme_has_one_command_to_try_the_sdk_and_one_to_test_it() -> None:
    """Continuous integration finds both lines by these texts, and runs them."""
    lines = [line for block in README.blocks("sh") for line in block.text.splitlines()]
    for text in ("python examples/quickstart.py", "&& pytest"):
        assert sum(text in line for line in README.text.splitlines()) == 1
        assert sum(text in line for line in lines) == 1


def test_the_readme_links_to_files_only() -> None:
    """A package index drops anchors within the README, and folders have no page there."""
    for target in README.links():
        assert not target.startswith("#")
        assert target.startswith("https://") or (ROOT / target.partition("#")[0]).is_file(), target


def test_the_commands_of_the_outbox_deliver_and_show_its_events(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """The worker delivers what waits in the file, and `status` shows that."""
    deliver, status = (
        [sys.executable, "-m", *line.split()]
        for line in README.block("sh", "cutmeshort deliver").splitlines()
    )
    outbox = Outbox(tmp_path / deliver[-1])
    with outbox, subprocess.Popen(deliver, cwd=tmp_path, stderr=subprocess.PIPE) as worker:
        sale(outbox)
        wait_until(lambda: outbox.status()["delivered"] == 1)
        shown = subprocess.run(status, cwd=tmp_path, capture_output=True, text=True, check=True)
        worker.terminate()
        worker.communicate(timeout=LONG)
    assert len(sandbox.sales) == 1
    assert re.search("delivered +1\n", shown.stdout), shown.stdout
