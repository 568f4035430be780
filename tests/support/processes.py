"""Run programs in a new process, where every warning is an error."""

import os
import subprocess
import sys

from .events import TOKEN
from .paths import ROOT
from .server import Server


def run_program(program: str, *options: str, timeout: float = 60, **environment: str) -> str:
    """Run a program, check that it exits with 0 and prints no error, and return its output."""
    warnings = ["-W", "error", "-W", "ignore:This process:DeprecationWarning"]
    done = subprocess.run(
        [sys.executable, *options, *warnings, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
        env={**os.environ, **environment},
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def run_client(program: str, server: Server, *options: str, **environment: str) -> str:
    """Run a program in which CLIENT creates a client of the server, and return its output."""
    head = "from cutmeshort import CMSClient\n"
    program = head + program.replace("CLIENT", f"CMSClient({TOKEN!r}, {server.url!r})")
    return run_program(program, *options, "-X", "dev", timeout=180, **environment)


def run_python(*arguments: str, **environment: str) -> str:
    """Run Python with the given arguments, and return its output."""
    command = [sys.executable, "-W", "error", *arguments]
    variables = {**os.environ, **environment}
    return subprocess.run(
        command, cwd=ROOT, env=variables, capture_output=True, text=True, check=True
    ).stdout
