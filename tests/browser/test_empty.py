"""The page before the first request."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cutmeshort.sandbox import Sandbox

from ..support.processes import run_program
from .chromium import Page, Windows, expect
from .parts import copied, empty_state, open_page, rows, steps

pytestmark = pytest.mark.browser


def test_the_tabs_show_the_address_and_the_token(windows: Windows, sandbox: Sandbox) -> None:
    """Each tab has code with the address and the token of this sandbox, and Copy copies it."""
    page = open_page(windows, sandbox, permissions=["clipboard-read", "clipboard-write"])
    code = {}
    for name in ("Shell", "Python", "pytest", "curl"):
        page.get_by_role("tab", name=name).click()
        expect(page.get_by_role("tab", name=name)).to_have_attribute("aria-selected", "true")
        panel = page.get_by_role("tabpanel")
        expect(panel).to_contain_text(sandbox.url)
        expect(panel).to_contain_text(sandbox.token)
        code[name] = copied(page, page.get_by_role("button", name="Copy", exact=True))
        assert code[name] == panel.inner_text()
    run_program(code["Python"])
    expect(steps(page, "user_1")).to_have_count(2)


def test_the_code_quotes_the_token(windows: Windows, tmp_path: Path) -> None:
    """The code works as it is copied, whatever characters the token has."""
    with Sandbox(token="""a"b'c\\d$(touch${IFS}x)`e`!f""") as sandbox:
        page = open_page(windows, sandbox, permissions=["clipboard-read", "clipboard-write"])
        code = {}
        for name in ("Shell", "Python", "curl"):
            page.get_by_role("tab", name=name).click()
            code[name] = copied(page, page.get_by_role("button", name="Copy", exact=True))
        windows.close()
        run_program(code["Python"])
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        for name in ("Shell", "curl"):
            command = ["/bin/sh", "-c", code[name]]
            subprocess.run(command, check=True, cwd=tmp_path, env={**os.environ, "PATH": path})
        assert [each.status for each in sandbox.requests] == [200] * 3
    assert not list(tmp_path.iterdir())


def test_the_arrow_keys_change_the_tab(page: Page) -> None:
    """The arrow keys move between the tabs, of which one is in the order of Tab."""
    page.get_by_role("tab", name="Shell").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Python")).to_be_focused()
    expect(page.get_by_role("tabpanel")).to_contain_text("import CMSClient")
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("tab", name="Shell")).to_have_attribute("aria-selected", "true")


def test_a_test_lead_is_sent(page: Page, sandbox: Sandbox) -> None:
    """The button sends a lead, which the page shows like one of the application."""
    page.get_by_role("button", name="Send a test lead").click()
    expect(rows(page)).to_have_count(1)
    expect(empty_state(page)).to_be_hidden()
    assert len(sandbox.leads) == 1
    assert page.evaluate("document.activeElement !== document.body"), "the focus is lost"
