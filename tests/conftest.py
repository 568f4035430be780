"""Fixtures for all tests: a clean environment, no network except loopback, and no leaked thread."""

import os
import random
import signal
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import settings

from cutmeshort import ApiClient, CMSClient, Configuration

from .support.events import TOKEN
from .support.network import allow_loopback_only
from .support.timing import Clock

# Programs that a test starts are not workers of its run.
for name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTEST_XDIST_TESTRUNUID"):
    os.environ.pop(name, None)

# A shell lets the programs that it runs in the background ignore SIGINT. The programs that tests
# start and interrupt would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("suite", deadline=None, database=None, derandomize=True)
settings.load_profile("suite")
allow_loopback_only()


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in list(os.environ):
        if name.startswith("CMS_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    yield
    Configuration.set_default(None)
    ApiClient.set_default(None)


@pytest.fixture(autouse=True)
def _no_leaked_threads() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    leaked = [thread.name for thread in threading.enumerate() if thread not in before]
    assert not leaked, "the test leaked threads"


@pytest.fixture
def no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the back-off's jitter to 0, so that the client retries without a wait."""
    monkeypatch.setattr(random, "random", lambda: 0.0)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A fake clock, which advances only when a test advances it or a call sleeps."""
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock.monotonic)
    monkeypatch.setattr(time, "sleep", clock.sleep)
    return clock


@pytest.fixture(scope="session")
def offline_client() -> Iterator[CMSClient]:
    """A client of a port on which nothing listens: its requests fail to connect."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        host = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with CMSClient(TOKEN, host, max_retries=0) as client:
            yield client
