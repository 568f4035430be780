"""Run programs in a new process, where every warning is an error."""

import os
import subprocess
import sys

from .events import TOKEN
from .paths import ROOT
from .server import Server


def run_client(program: str, server: Server, *options: str, **environment: str) -> str:
    """Run a program in which CLIENT creates a client of the server, and return its output."""
    head = "from cutmeshort import CMSClient\n"
    program = program.replace("CLIENT", f"CMSClient({TOKEN!r}, {server.url!r})")
    warnings = ["-W", "error", "-W", "ignore:This process:DeprecationWarning"]
    command = [sys.executable, *options, "-X", "dev", *warnings, "-c", head + program]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
        env={**os.environ, **environment},
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def run_python(*arguments: str) -> str:
    """Run Python with the given arguments, and return its output."""
    command = [sys.executable, "-W", "error", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
