"""How the command starts: its two names, its help, versions, usage errors, and what it imports."""

import contextlib
import errno
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import threading
from pathlib import Path
from typing import Any

import pytest

import cutmeshort
from cutmeshort.cli import main
from cutmeshort.sandbox import Sandbox

from ..support.platforms import linux_only, not_on_windows
from ..support.processes import run_program, run_python
from ..support.server import Connection, Server, never_respond
from .conftest import TOKEN, Run

SCRIPT = shutil.which("cutmeshort", path=sysconfig.get_path("scripts"))
COMMANDS = ("deliver", "doctor", "lead", "sale", "sandbox")


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
def test_a_command_has_help(command: str, run: Run) -> None:
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
def test_a_usage_error_exits_with_2(arguments: list[str], run: Run) -> None:
    """A usage error prints the usage on stderr and nothing on stdout."""
    done = run(*arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("usage: cutmeshort")
    assert "error: " in done.err.splitlines()[-1]


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("command", ["doctor", "lead", "sale"])
@pytest.mark.parametrize("option", ["--token", "--key"])
def test_a_token_in_an_option_is_not_printed(
    option: str, command: str, before: bool, run: Run
) -> None:
    """A token in an option is not printed; the error for `--token` names the variable to set."""
    values = {"doctor": [], "lead": ["a", "b"], "sale": ["a", "b", "c", "1", "USD"]}[command]
    given = f"{option}={TOKEN}"
    done = run(given, command, *values) if before else run(command, *values, given)
    assert (done.code, done.out) == (2, "")
    expected = "set CMS_BEARER_TOKEN instead" if option == "--token" else "options: --key"
    assert done.err.endswith(f"{expected}\n")
    assert TOKEN not in done.err
    assert run(command, *values, option, TOKEN).err.endswith(f"{expected}\n")


@pytest.mark.parametrize("before", [(), ("--key",), ("lead", "a", "b", "--timeout")])
def test_a_token_in_the_place_of_another_value_is_not_printed(
    before: tuple[str, ...], run: Run
) -> None:
    """The message about an invalid value has a substitute for the token."""
    done = run(*before, TOKEN)
    assert (done.code, done.out) == (2, "")
    assert "invalid" in done.err
    assert "[redacted]" in done.err
    assert TOKEN not in done.err


@pytest.mark.parametrize("arguments", [("doctor", "--quiet"), ("lead", "a", "b", "c")])
def test_an_unknown_argument_shows_the_usage_of_the_command(
    arguments: tuple[str, ...], run: Run
) -> None:
    """The usage in the error is that of the command, not of the program."""
    assert run(*arguments).err.startswith(f"usage: cutmeshort {arguments[0]} ")


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
    "--version": {"output", "versions"},
    "--help": {"output"},
    "lead": {"output", "track"},
    "sale": {"output", "track"},
    "doctor": {
        *("doctor", "network_checks", "output", "report", "response_checks", "setting_checks"),
        "versions",
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


def press_ctrl_c(connection: Connection) -> bool:
    """Interrupt the main thread while it waits for a response."""
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    return never_respond(connection)


@not_on_windows("needs signals of a thread")
def test_ctrl_c_exits_with_130_and_no_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that Ctrl-C interrupts prints nothing and exits with 130."""
    with Server(press_ctrl_c) as server:
        monkeypatch.setenv("CMS_HOST", server.url)
        assert run("lead", "Sign up", "user_42") == (130, "", "")
        assert len(server.requests) == 1


def test_a_character_that_the_terminal_lacks_is_escaped() -> None:
    """Output that the encoding of stdout lacks is escaped instead of ending with a traceback."""
    program = "import sys; from cutmeshort.cli.output import write; write('é', sys.stdout)"
    assert run_python("-c", program, PYTHONIOENCODING="ascii") == "\\xe9\n"


LEAD = ["lead", "Sign up", "user_42", "--click-id", "click_1"]


def run_with_output(output: Any, *arguments: str, **variables: str) -> tuple[int, str]:
    """Run the command with a stdout, and return its exit code and what it prints on stderr."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "cutmeshort", *arguments],
        stdout=output,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "CMS_BEARER_TOKEN": TOKEN, **variables},
        check=False,
        timeout=60,
    )
    return done.returncode, done.stderr


def test_a_program_can_capture_the_output() -> None:
    """A program that calls the command can replace stdout with any stream."""
    with contextlib.redirect_stdout(io.StringIO()) as output:
        assert main(["--version"]) == 0
    assert output.getvalue().startswith(f"cutmeshort {cutmeshort.__version__}\n")


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [["--version"], ["--help"], LEAD], ids=lambda each: each[0])
def test_a_reader_that_ends_early_is_no_error(
    arguments: list[str], unbuffered: str, sandbox: Sandbox
) -> None:
    """If the reader of the output ends, as `head` does, the command exits as it does otherwise."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as output:
        variables = {"PYTHONUNBUFFERED": unbuffered, "CMS_HOST": sandbox.url}
        assert run_with_output(output, *arguments, **variables) == (0, "")
    assert len(sandbox.leads) == int(arguments == LEAD)


@linux_only("other systems do not have /dev/full")
def test_a_full_disk_does_not_change_the_exit_code(sandbox: Sandbox) -> None:
    """If the output can't be written, a tracked event exits with 0, and stderr has the reason."""
    with Path("/dev/full").open("w", encoding="utf-8") as output:
        done = run_with_output(output, *LEAD, CMS_HOST=sandbox.url)
    assert done == (0, f"cutmeshort: can't write the output: {os.strerror(errno.ENOSPC)}\n")
    assert len(sandbox.leads) == 1


@not_on_windows("it uses a POSIX shell")
@pytest.mark.parametrize("arguments", [["doctor"], LEAD, [*LEAD, "--json"]])
def test_a_closed_output_is_no_error(arguments: list[str], sandbox: Sandbox) -> None:
    """With a closed stdout, the command prints nothing, and its exit code does not change."""
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", sys.executable, "-m", "cutmeshort", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "CMS_BEARER_TOKEN": TOKEN, "CMS_HOST": sandbox.url},
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@linux_only("other systems do not have /dev/full")
def test_an_error_that_can_not_be_printed_keeps_its_exit_code(sandbox: Sandbox) -> None:
    """If stderr can't be written, a retryable failure still exits with 75."""
    sandbox.fail_next(status=503)
    with Path("/dev/full").open("w", encoding="utf-8") as errors:
        done = subprocess.run(
            [sys.executable, "-m", "cutmeshort", *LEAD, "--max-retries", "0"],
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, "CMS_BEARER_TOKEN": TOKEN, "CMS_HOST": sandbox.url},
            check=False,
            timeout=60,
        )
    assert (done.returncode, done.stdout) == (75, b"")
