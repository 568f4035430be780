"""Chromium, driven by Playwright, and the windows that a test opens in it."""

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from typing import Any, Optional
from urllib.parse import urlsplit

import pytest

pytest.importorskip(
    "playwright", reason="needs Playwright, which the extra dev installs with Python 3.10 or later"
)

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    expect,
    sync_playwright,
)

from ..support.timing import LONG

__all__ = [
    "DESKTOP",
    "PHONE",
    "Axe",
    "Browser",
    "Locator",
    "Page",
    "Windows",
    "expect",
    "start_chromium",
]

DESKTOP = {"width": 1400, "height": 900}
PHONE = {"width": 390, "height": 844}
_MILLISECONDS = LONG * 1000
# The browser finds no host except these, whatever a page or the browser itself asks for.
_NO_OTHER_HOST = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"
_LOCAL = re.compile(r"(data|blob|about):")

expect.set_options(timeout=_MILLISECONDS)


def _find_chromium() -> Optional[str]:
    """Return the path of Chromium: that in TEST_CHROMIUM, or the one on PATH."""
    named = os.environ.get("TEST_CHROMIUM")
    return named or next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )


@contextlib.contextmanager
def start_chromium(**environment: str) -> Iterator[Browser]:
    """
    Run a browser that reaches no other machine, or skip the test if there is none.

    Args:
        environment: Additional environment variables of the browser.
    """
    path = _find_chromium()
    if path is None:
        pytest.skip("needs Chromium: install it, or set TEST_CHROMIUM to the path of a browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=[_NO_OTHER_HOST], env={**os.environ, **environment}
        )
        with contextlib.closing(browser):
            yield browser


class Windows:
    """
    The windows of a test: each has its own cookies and storage.

    Attributes:
        problems: What must not happen on a page: errors in the console, which include violations of
            the Content-Security-Policy; uncaught exceptions; requests to other hosts.
        expected: The errors that the test causes on purpose.
    """

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._open = contextlib.ExitStack()
        self._allowed: set[str] = set()
        self.problems: list[str] = []
        self.expected: Optional[re.Pattern[str]] = None

    def open(self, url: str, *, init_script: str = "", **options: Any) -> Page:
        """
        Open a URL in a new window.

        Args:
            url: The URL.
            init_script: A script that runs before those of the page.
            options: Options of Playwright's `new_context`.
        """
        options = {"viewport": DESKTOP, "locale": "en-US", "timezone_id": "UTC", **options}
        context = self._open.enter_context(self._browser.new_context(**options))
        context.set_default_timeout(_MILLISECONDS)
        self._allowed.add(urlsplit(url).netloc)
        context.on("console", self._on_console)
        context.on("request", self._on_request)
        context.on("page", self._on_page)
        context.add_init_script(init_script)
        page = context.new_page()
        page.goto(url)
        return page

    def close(self) -> None:
        """Close all windows."""
        self._open.close()

    def _on_page(self, page: Page) -> None:
        page.on("pageerror", lambda error: self._add(f"exception: {error}"))

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._add(f"console: {message.text}")

    def _on_request(self, request: Request) -> None:
        if not _LOCAL.match(request.url) and urlsplit(request.url).netloc not in self._allowed:
            self._add(f"request: {request.url}")

    def _add(self, problem: str) -> None:
        if self.expected is None or not self.expected.search(problem):
            self.problems.append(problem)
