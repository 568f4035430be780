"""The page with the keyboard only."""

import pytest

from cutmeshort import CMSClient
from cutmeshort.sandbox import Sandbox

from .chromium import Page, expect
from .parts import chip, empty_state, filter_field, queue, rows, steps

pytestmark = pytest.mark.browser

# What the reader can press or fill in now, and which of it has the focus.
_CONTROLS = """() => [...document.querySelectorAll("a[href], button, input, select, summary")]
  .filter((node) => node.checkVisibility({ visibilityProperty: true }) && !node.disabled
    && node.tabIndex >= 0 && node.id !== "toast")"""
_NAME = (
    "(node) => node.id || node.textContent.trim() || node.name || node.getAttribute('aria-label')"
)
_FOCUS = """() => {
  const node = document.activeElement;
  const style = getComputedStyle(node);
  window.reached.add(node);
  return { end: node === document.body, tag: node.tagName, visible: node.matches(":focus-visible")
    && ((style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0)
      || style.boxShadow !== "none") };
}"""


@pytest.fixture
def two_leads(page: Page, client: CMSClient) -> Page:
    """The page of a sandbox with two leads."""
    for number in (1, 2):
        client.track_lead("Sign up", f"user_{number}", click_id=f"click_{number}")
    expect(rows(page)).to_have_count(2)
    return page


def test_j_and_k_move_and_enter_and_escape_open_and_close(two_leads: Page) -> None:
    """The keys j and k move between the requests, Enter opens one, and Esc closes it."""
    keyboard = two_leads.keyboard
    first, second = rows(two_leads).first, rows(two_leads).nth(1)
    keyboard.press("j")
    expect(first).to_be_focused()
    keyboard.press("j")
    expect(second).to_be_focused()
    keyboard.press("k")
    expect(first).to_be_focused()
    keyboard.press("Enter")
    expect(first).to_have_attribute("aria-expanded", "true")
    expect(two_leads.get_by_role("button", name="Send again")).to_be_visible()
    keyboard.press("Escape")
    expect(first).to_have_attribute("aria-expanded", "false")
    expect(first).to_be_focused()


def test_slash_filters_and_escape_ends_it(two_leads: Page) -> None:
    """The key / moves to the filter; letters that are typed there are text; Esc empties it."""
    two_leads.keyboard.press("/")
    expect(filter_field(two_leads)).to_be_focused()
    two_leads.keyboard.type("jkc/")
    expect(filter_field(two_leads)).to_have_value("jkc/")
    expect(two_leads.get_by_text("No request matches.")).to_be_visible()
    expect(empty_state(two_leads)).to_be_hidden()
    two_leads.keyboard.press("Escape")
    expect(filter_field(two_leads)).to_have_value("")
    expect(rows(two_leads)).to_have_count(2)


def test_c_clears(two_leads: Page, sandbox: Sandbox) -> None:
    """The key c clears, and Ctrl+C does not."""
    two_leads.keyboard.press("Control+c")
    two_leads.keyboard.press("j")
    expect(rows(two_leads).first).to_be_focused()
    assert len(sandbox.leads) == 2
    two_leads.keyboard.press("c")
    expect(empty_state(two_leads)).to_be_visible()


def test_tab_reaches_every_control_with_a_visible_focus(two_leads: Page, sandbox: Sandbox) -> None:
    """The key Tab reaches each link, button and field of the page, and each shows its focus."""
    sandbox.fail_next(status=503)
    expect(queue(two_leads).get_by_role("button")).to_have_count(1)
    two_leads.evaluate("window.reached = new Set()")
    for _ in range(200):
        two_leads.keyboard.press("Tab")
        focus = two_leads.evaluate(_FOCUS)
        if focus["end"]:
            break
        assert focus["visible"], two_leads.evaluate(f"({_NAME})(document.activeElement)")
    missed = f"({_CONTROLS})().filter((node) => !window.reached.has(node)).map({_NAME})"
    assert two_leads.evaluate(missed) == []


def test_the_skip_link_leads_to_the_content(two_leads: Page) -> None:
    """The first Tab offers a link past the top bar; the next Tab after it is in the content."""
    two_leads.keyboard.press("Tab")
    expect(two_leads.get_by_role("link", name="Skip")).to_be_focused()
    expect(two_leads.get_by_role("link", name="Skip")).to_be_in_viewport()
    two_leads.keyboard.press("Enter")
    expect(two_leads.get_by_role("main")).to_be_focused()
    two_leads.keyboard.press("Tab")
    expect(two_leads.get_by_role("main").locator(":focus")).to_have_count(1)


def test_a_fault_is_injected_and_removed_with_the_keyboard(page: Page, sandbox: Sandbox) -> None:
    """Enter on a chip queues the fault, and Enter on its token removes it."""
    chip(page, "503").focus()
    page.keyboard.press("Enter")
    token = queue(page).get_by_role("button", name="Remove 503")
    expect(token).to_be_visible()
    token.focus()
    page.keyboard.press("Enter")
    expect(token).to_be_hidden()
    assert sandbox.faults == []
    assert page.evaluate("document.activeElement !== document.body"), "the focus is lost"


def test_a_button_of_a_chain_keeps_the_focus(two_leads: Page, client: CMSClient) -> None:
    """The button of a step keeps the focus when the chain gets another step and moves."""
    step = steps(two_leads, "user_1").get_by_role("button", name="Sign up")
    step.focus()
    client.track_sale("Purchase", "user_1", "inv_1", 4990, "EUR", click_id="click_1")
    expect(steps(two_leads, "user_1")).to_have_count(3)
    expect(step).to_be_focused()
