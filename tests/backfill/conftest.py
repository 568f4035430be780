"""The command, and a sandbox as its service."""

from ..cli.conftest import run, running, sandbox

__all__ = ["run", "running", "sandbox"]
