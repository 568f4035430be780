"""
A sandbox, a client of it, and its page in a browser.

Only the fixtures import Playwright, as it may be missing: the test modules are then skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from cutmeshort import CMSClient
from cutmeshort.sandbox import Sandbox

if TYPE_CHECKING:
    from .chromium import Browser, Page, Windows


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """The browser of this process."""
    from .chromium import start_chromium

    with start_chromium() as browser:
        yield browser


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A running sandbox."""
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[CMSClient]:
    """A client of the sandbox that does not retry."""
    with CMSClient(sandbox.token, sandbox.url, max_retries=0) as client:
        yield client


@pytest.fixture
def windows(chromium: Browser, sandbox: Sandbox) -> Iterator[Windows]:  # noqa: ARG001 - it stops last
    """The windows that the test opens; no problem may occur in any."""
    from .chromium import Windows

    windows = Windows(chromium)
    yield windows
    windows.close()
    assert not windows.problems


@pytest.fixture
def page(windows: Windows, sandbox: Sandbox) -> Page:
    """The sandbox's page, which is live."""
    from .parts import open_page

    return open_page(windows, sandbox)
