"""Marks that skip a test on operating systems that can't run it."""

import sys

import pytest


def linux_only(reason: str) -> pytest.MarkDecorator:
    """Skip a test on all systems except Linux."""
    return pytest.mark.skipif(sys.platform != "linux", reason=reason)


def not_on_windows(reason: str) -> pytest.MarkDecorator:
    """Skip a test on Windows."""
    return pytest.mark.skipif(sys.platform == "win32", reason=reason)
