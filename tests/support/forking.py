"""Helpers for tests that fork this process."""

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import pytest


def forks(test: Any) -> Any:
    """Mark a test that forks this process while the threads of a server run."""
    warning = "ignore:This process .* is multi-threaded:DeprecationWarning"
    needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
    return needs_fork(pytest.mark.filterwarnings(warning)(test))


@contextlib.contextmanager
def forked_child() -> Iterator[None]:
    """Fork a child that runs until the end of the block."""
    started, ended = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ended[1])
        os.write(started[1], b"x")
        os.read(ended[0], 1)  # until the parent closes its end
        os._exit(0)
    os.read(started[0], 1)
    try:
        yield
    finally:
        for end in (*started, *ended):
            os.close(end)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
