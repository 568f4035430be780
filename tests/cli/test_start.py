"""How the command starts: its two names, its help, versions, usage errors, and what it imports."""

import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
from typing import Any

import pytest

import cutmeshort
from cutmeshort.client import CMSClient

from ..support.processes import run_program, run_python
from .conftest import Run

SCRIPT = shutil.which("cutmeshort", path=sysconfig.get_path("scripts"))
COMMANDS = ("doctor", "lead", "sale", "sandbox")


def test_the_versions_are_one_per_line(run: Run) -> None:
    """`--version` prints a line for the SDK and for each component that matters in a bug report."""
    done = run("--version")
    assert (done.code, done.err) == (0, "")
    lines = [line.split(" ", 1) for line in done.out.splitlines()]
    names = [name for name, _ in lines]
    assert names == ["cutmeshort", "Python", "urllib3", "pydantic", "OpenSSL", "platform"]
    assert all(re.match(r"\d+\.\d+", version) for _, version in lines[:-1])
    assert lines[0][1] == cutmeshort.__version__


@pytest.mark.skipif(SCRIPT is None, reason="the package is not installed in this environment")
def test_the_script_and_the_module_are_the_same_command() -> None:
    """The console script and `python -m cutmeshort` print the same versions and usage."""
    for arguments, code in (("--version", 0), ("lead", 2)):
        script, module = (
            subprocess.run(
                [*command, arguments], capture_output=True, text=True, check=False, timeout=60
            )
            for command in ([str(SCRIPT)], [sys.executable, "-m", "cutmeshort"])
        )
        assert script.returncode == module.returncode == code
        assert (script.stdout, script.stderr) == (module.stdout, module.stderr)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_has_a_help(command: str, run: Run) -> None:
    """The help of a command names it as the user started it, and exits with 0."""
    done = run(command, "--help")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"usage: cutmeshort {command} ")
    assert re.search(rf"^    {command} ", run("--help").out, re.MULTILINE)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["unknown"],
        ["doctor", "--unknown"],
        ["doctor", "--timeout", "0"],
        ["doctor", "--timeout", "soon"],
        ["doctor", "--off"],
        ["lead", "Sign up"],
        ["lead", "Sign up", "user_42", "--timeout", "soon"],
        ["lead", "Sign up", "user_42", "--token", "t"],
        ["sale", "Purchase", "user_42", "inv_1", "49.99"],
        ["sandbox", "--port", "x"],
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_with_2(arguments: list[str], run: Run) -> None:
    """Wrong usage prints the usage on stderr and nothing on stdout."""
    done = run(*arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("usage: cutmeshort")
    assert "error: " in done.err.splitlines()[-1]


IMPORTED = """
import sys
from cutmeshort.cli import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
print("loaded", *(name for name in sys.modules if not name.startswith("encodings")))
"""
MODULES = {
    "--version": {"versions"},
    "--help": set(),
    "lead": {"track"},
    "sale": {"track"},
    "doctor": {
        *("doctor", "network_checks", "report", "response_checks", "setting_checks", "versions")
    },
}


@pytest.mark.parametrize("argument", MODULES)
def test_a_command_imports_only_what_it_needs(argument: str) -> None:
    """A command imports its own modules of the command line, and neither an extra nor a browser."""
    arguments = [argument] if argument.startswith("-") else [argument, "--help"]
    code = IMPORTED.replace("sys.argv[1:]", repr(arguments))
    loaded = set(run_program(code).rpartition("loaded ")[2].split())
    prefix = "cutmeshort.cli."
    assert {name[len(prefix) :] for name in loaded if name.startswith(prefix)} == MODULES[argument]
    assert not loaded & {"cutmeshort.sandbox", "fastapi", "uvicorn", "webbrowser"}


def test_ctrl_c_exits_with_130_and_no_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that Ctrl-C interrupts prints nothing and exits with 130."""

    def interrupt(*_arguments: Any, **_options: Any) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(CMSClient, "track_lead", interrupt)
    assert run("lead", "Sign up", "user_42") == (130, "", "")


def test_a_character_that_the_terminal_lacks_is_escaped() -> None:
    """Output that the encoding of stdout lacks is escaped instead of ending with a traceback."""
    program = "import sys; from cutmeshort.cli import main; main(['--version']); print('é')"
    assert run_python("-c", program, PYTHONIOENCODING="ascii").endswith("\\xe9\n")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_ends_early_is_no_error(unbuffered: str) -> None:
    """If the reader of the output ends, as `head` does, the command prints no traceback."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as output:
        done = subprocess.run(
            [sys.executable, "-m", "cutmeshort", "--version"],
            stdout=output,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
            check=False,
            timeout=60,
        )
    assert (done.returncode, done.stderr) == (int(bool(unbuffered)), b"")
