"""The page and its event stream, when the sandbox stops and the window is hidden."""

import re

import pytest

from cutmeshort import CMSClient
from cutmeshort.sandbox import Sandbox

from ..sandbox.helpers import port_of
from .chromium import Page, Windows, expect
from .parts import chain, expect_live, message, rows, wait_until

pytestmark = pytest.mark.browser

_NOT_REACHABLE = re.compile(r"Failed to load resource: net::ERR_")
# Playwright shows every window; the page asks the document.
_SET_HIDDEN = """(hidden) => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def _stop(sandbox: Sandbox) -> int:
    port = port_of(sandbox)
    sandbox.__exit__()
    return port


def _lead(sandbox: Sandbox, customer: str) -> None:
    with CMSClient(sandbox.token, sandbox.url) as client:
        assert client.track_lead("Sign up", customer, click_id="click_1")["success"]


def test_the_page_connects_again_after_a_restart(
    page: Page, windows: Windows, sandbox: Sandbox
) -> None:
    """After a restart on the same port, the page shows what the new sandbox has, and only that."""
    windows.expected = _NOT_REACHABLE
    _lead(sandbox, "user_before")
    expect(chain(page, "user_before")).to_be_visible()
    port = _stop(sandbox)
    expect(page.get_by_text("Reconnecting…", exact=True)).to_be_visible()
    with Sandbox(port=port) as restarted:
        _lead(restarted, "user_after")
        expect_live(page)
        expect(chain(page, "user_after")).to_be_visible()
        expect(chain(page, "user_before")).to_have_count(0)
        expect(rows(page)).to_have_count(1)
        _lead(restarted, "user_later")
        expect(rows(page)).to_have_count(2)


def test_a_stopped_sandbox_is_reported(page: Page, windows: Windows, sandbox: Sandbox) -> None:
    """The page says Stopped if it can't connect for a while, and still connects to the next one."""
    windows.expected = _NOT_REACHABLE
    port = _stop(sandbox)
    expect(page.get_by_text("Stopped", exact=True)).to_be_visible(timeout=60_000)
    with Sandbox(port=port):
        expect_live(page)


def test_a_failed_action_is_explained(page: Page, windows: Windows, sandbox: Sandbox) -> None:
    """A button that needs the sandbox says that it does not respond, once it has stopped."""
    windows.expected = _NOT_REACHABLE
    _stop(sandbox)
    page.get_by_role("button", name="503", exact=True).click()
    expect(message(page)).to_contain_text("The sandbox does not respond.")


def _followers(sandbox: Sandbox) -> int:
    return len(sandbox._state.changes._listeners)


def test_the_stream_is_closed_while_the_page_is_hidden(page: Page, sandbox: Sandbox) -> None:
    """A hidden page has no event stream; once visible, it shows what happened in the meantime."""
    before = _followers(sandbox)
    page.evaluate(_SET_HIDDEN, arg=True)
    wait_until(page, lambda: _followers(sandbox) == before - 1)
    _lead(sandbox, "user_42")
    page.evaluate(_SET_HIDDEN, arg=False)
    expect(chain(page, "user_42")).to_be_visible()
    expect(rows(page)).to_have_count(1)
