"""`cutmeshort sandbox`: runs the sandbox, opens a browser, and names the missing extra."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cutmeshort import CMSClient

from ..support.events import lead
from ..support.platforms import not_on_windows
from ..support.timing import LONG
from .conftest import Run


@not_on_windows("the browser is a shell script")
def test_the_sandbox_runs_and_opens_a_browser(tmp_path: Path) -> None:
    """The command serves requests until SIGINT, and `--open` opens the page."""
    browser = tmp_path / "browser"
    browser.write_text('#!/bin/sh\necho "$1" >&2\n', encoding="utf-8")
    browser.chmod(0o755)
    with subprocess.Popen(
        [*(sys.executable, "-W", "error", "-m", "cutmeshort"), "sandbox", "--port=0", "--open"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "BROWSER": str(browser)},
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        url = process.stdout.readline().split()[4]
        assert process.stderr.readline() == f"{url}\n"
        with CMSClient("sandbox-token", url) as client:
            assert lead(client)["success"] is True
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=LONG)
    assert process.returncode == 0


@not_on_windows("a signal ends a process on Windows instead of sending a signal")
def test_a_machine_without_a_browser_is_reported() -> None:
    """If no browser can be opened, the sandbox prints the address and runs."""
    with subprocess.Popen(
        [*(sys.executable, "-W", "error", "-m", "cutmeshort"), "sandbox", "--port=0", "--open"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "BROWSER": "false"},
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        url = process.stdout.readline().split()[4]
        assert process.stderr.readline() == f"No browser could be opened for {url}\n"
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=LONG)
    assert process.returncode == 0


@pytest.mark.parametrize("module", ["cutmeshort", "cutmeshort.sandbox"])
def test_the_usage_names_the_command_as_it_was_started(module: str) -> None:
    """The usage names the command or the module, whichever the user started."""
    started = {"cutmeshort": ["cutmeshort", "sandbox"], "cutmeshort.sandbox": [module]}[module]
    done = subprocess.run(
        [sys.executable, "-m", *started, "--help"], capture_output=True, text=True, check=True
    )
    shown = "cutmeshort sandbox" if module == "cutmeshort" else "python -m cutmeshort.sandbox"
    assert done.stdout.startswith(f"usage: {shown} [-h] ")
    assert "open the page in a browser" in done.stdout


def test_an_unusable_port_is_reported_with_the_commands_name() -> None:
    """A port out of range ends the command with one line."""
    program = "import sys; from cutmeshort.cli import main; main(['sandbox', '--port', '99999'])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "cutmeshort sandbox: port must be from 0 to 65535\n"


def test_a_missing_extra_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra, the command says in one line how to install it, and exits with 1."""
    for name in [name for name in sys.modules if name.startswith("cutmeshort.sandbox")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "fastapi", None)
    message = 'cutmeshort sandbox: the sandbox needs fastapi: pip install "cutmeshort[sandbox]"\n'
    for arguments in ((), ("--help",), ("--port", "0")):
        assert run("sandbox", *arguments) == (1, "", message)
