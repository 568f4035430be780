"""What the page shows at first, and how a reader gets from one part to another."""

import re

import pytest

from cutmeshort import CMSClient
from cutmeshort.sandbox import Sandbox

from ..sandbox.helpers import port_of
from .chromium import DESKTOP, PHONE, Page, Windows, expect
from .parts import (
    empty_state,
    expect_live,
    filter_field,
    message,
    open_page,
    rows,
    section,
    steps,
    wait_until,
)
from .story import tell

pytestmark = pytest.mark.browser

_SUM_SHIFTS = """
window.shifted = 0;
new PerformanceObserver((list) => {
  for (const { value } of list.getEntries()) window.shifted += value;
}).observe({ type: "layout-shift", buffered: true });
"""
# The page waits for the log of requests until the test calls `release`.
_HOLD_LOG = """
window.original = window.fetch;
window.fetch = async (...request) => {
  await new Promise((resolve) => { window.release = resolve; });
  return original(...request);
};
"""
_LOSE_FIRST_LOG = """
const original = window.fetch;
window.fetch = async (...request) => {
  window.fetch = original;
  throw new TypeError("lost");
};
"""
_COVERED = """() => {
  const { top } = document.activeElement.getBoundingClientRect();
  return top < document.querySelector("header").getBoundingClientRect().bottom;
}"""


def _content(page: Page) -> list[bool]:
    parts = [page.get_by_role(role) for role in ("main", "contentinfo")]
    return [part.is_visible() for part in parts]


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("filled", [False, True], ids=["empty", "live"])
def test_nothing_moves_while_the_page_loads(
    windows: Windows, sandbox: Sandbox, filled: bool, size: dict[str, int]
) -> None:
    """A page that has loaded has moved nothing that it had shown."""
    if filled:
        tell(sandbox)
    page = open_page(windows, sandbox, init_script=_SUM_SHIFTS, viewport=size)
    assert page.evaluate("window.shifted") < 0.05


def test_the_content_is_shown_once_it_is_known(windows: Windows, sandbox: Sandbox) -> None:
    """The page shows its state only, until it knows the requests."""
    tell(sandbox)
    page = windows.open(sandbox.url, init_script=_HOLD_LOG)
    wait_until(page, lambda: page.evaluate("Boolean(window.release)"))
    expect(page.get_by_text("Connecting…")).to_be_visible()
    assert _content(page) == [False, False]
    page.evaluate("window.release()")
    expect_live(page)
    expect(rows(page)).to_have_count(len(sandbox.requests))
    assert _content(page) == [True, True]


def test_a_page_that_knows_nothing_yet_shows_that_the_sandbox_stopped(
    windows: Windows, sandbox: Sandbox
) -> None:
    """If the sandbox stops while the page loads, the page says so, and loads from the next one."""
    windows.expected = re.compile("Failed to load resource: net::ERR_")
    page = windows.open(sandbox.url, init_script=_HOLD_LOG)
    wait_until(page, lambda: page.evaluate("Boolean(window.release)"))
    port = port_of(sandbox)
    sandbox.__exit__()
    expect(page.get_by_text("Reconnecting…", exact=True)).to_be_visible()
    assert _content(page) == [False, False]
    page.evaluate("() => { window.fetch = window.original; }")
    with Sandbox(port=port):
        expect(empty_state(page)).to_be_visible()
        expect_live(page)


def test_a_page_that_misses_the_requests_asks_again(windows: Windows, sandbox: Sandbox) -> None:
    """If the page can't load the requests, it connects again, and then shows them."""
    tell(sandbox)
    page = windows.open(sandbox.url, init_script=_LOSE_FIRST_LOG)
    expect_live(page)
    expect(rows(page)).to_have_count(len(sandbox.requests))


def test_a_refused_row_says_why(page: Page, client: CMSClient) -> None:
    """The row of a refused request has the beginning of its reason."""
    client.track_lead("Sign up", "user_43")
    client.track_lead("Sign up", "user_44", click_id="click_1", mode="deferred")
    client.track_lead("Sign up", "user_44", click_id="click_1")
    expect(rows(page)).to_contain_text(
        ["user_44 · Already associated with a click", "user_44 · deferred", "clickId is required"]
    )


def test_a_row_names_the_attempt_and_the_fault_first(page: Page, sandbox: Sandbox) -> None:
    """The attempt and the fault precede the invoice and the amount, which a narrow row cuts."""
    sandbox.fail_next(status=503)
    sandbox.fail_next(drop=True)
    with CMSClient(sandbox.token, sandbox.url) as client:
        client.track_sale("Purchase", "user_1", "inv_1", 4990, "EUR", click_id="click_1")
    expect(rows(page).nth(1)).to_contain_text("user_1 · attempt 2 · drop · inv_1 · €49.90")


def test_a_step_leads_to_its_request(page: Page, client: CMSClient) -> None:
    """The name of a lead or sale in a chain opens its request, below the top bar."""
    for number in range(30):
        client.track_lead("Sign up", f"user_{number}", click_id=f"click_{number}")
    client.track_sale("Purchase", "user_0", "inv_1", 4990, "EUR", click_id="click_0")
    filter_field(page).fill("user_0")
    steps(page, "user_0").get_by_role("button", name="Sign up").click()
    expect(filter_field(page)).to_have_value("")
    opened = rows(page).last
    expect(opened).to_contain_text(re.compile("Sign up.*user_0"))
    expect(opened).to_have_attribute("aria-expanded", "true")
    expect(opened).to_be_focused()
    expect(opened).to_be_in_viewport(ratio=1)
    assert not page.evaluate(_COVERED)


def test_a_row_stays_when_the_reader_asks_for_new_ones(page: Page, client: CMSClient) -> None:
    """The row that is open stays in the list, even if more than 50 rows are above it."""
    for number in range(60):
        client.track_lead("Sign up", f"user_{number}", click_id=f"click_{number}")
    filter_field(page).fill("user_3")
    steps(page, "user_3").get_by_role("button", name="Sign up").click()
    opened = rows(page).filter(has=page.get_by_text("user_3", exact=True))
    expect(opened).to_be_focused()
    client.track_lead("Sign up", "user_60", click_id="click_60")
    page.get_by_role("button", name="1 new request").click()
    expect(rows(page).first).to_contain_text("user_60")
    expect(rows(page).first).to_be_focused()
    expect(rows(page)).to_have_count(58)
    expect(rows(page).last).to_have_attribute("aria-expanded", "true")


@pytest.mark.parametrize("width", [320, 390, 700])
def test_a_request_is_shown_below_the_top_bar(
    windows: Windows, sandbox: Sandbox, client: CMSClient, width: int
) -> None:
    """In a narrow window, whose top bar may have two lines, a request is shown below the bar."""
    for number in range(20):
        client.track_lead("Sign up", f"user_{number}", click_id=f"click_{number}")
    page = open_page(windows, sandbox, viewport={"width": width, "height": 640})
    filter_field(page).fill("user_10")
    steps(page, "user_10").get_by_role("button", name="Sign up").click()
    expect(rows(page).filter(has=page.get_by_text("user_10", exact=True))).to_be_focused()
    assert not page.evaluate(_COVERED)


def test_a_step_whose_request_is_gone_says_so(page: Page, sandbox: Sandbox) -> None:
    """A step whose request the log has dropped shows a message, and opens nothing."""
    with CMSClient(sandbox.token, sandbox.url) as client:
        client.track_lead("Sign up", "user_1", click_id="click_1")
    sandbox.import_({**sandbox.export(), "requests": []})
    step = steps(page, "user_1").get_by_role("button", name="Sign up")
    expect(rows(page)).to_have_count(0)
    step.click()
    expect(message(page)).to_contain_text("The request is no longer kept.")


def test_the_focus_is_not_below_the_top_bar(windows: Windows, sandbox: Sandbox) -> None:
    """A request that the keyboard reaches from below is not covered by the top bar."""
    tell(sandbox)
    page = open_page(windows, sandbox, viewport={"width": 1400, "height": 500})
    rows(page).last.focus()
    for index in reversed(range(len(sandbox.requests) - 1)):
        page.keyboard.press("k")
        expect(rows(page).nth(index)).to_be_focused()
        assert not page.evaluate(_COVERED)


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_code_is_at_the_end_of_a_page_with_requests(
    windows: Windows, sandbox: Sandbox, client: CMSClient, size: dict[str, int]
) -> None:
    """The code with the address comes first on an empty page, and last after the first request."""
    page = open_page(windows, sandbox, viewport=size)
    code, after = page.get_by_role("tabpanel"), page.get_by_role("contentinfo")
    first = "document.querySelector('main').firstElementChild.contains(document.activeElement)"
    code.focus()
    assert page.evaluate(first)
    client.track_lead("Sign up", "user_1", click_id="click_1")
    expect(steps(page, "user_1")).to_have_count(2)
    expect(empty_state(page)).to_be_hidden()
    expect(code).to_contain_text(sandbox.url)
    code.focus()
    assert not page.evaluate(first)
    page.keyboard.press("Tab")
    expect(code).not_to_be_focused()
    tops = [part.evaluate("(node) => node.getBoundingClientRect().top") for part in (code, after)]
    lists = section(page, "Attribution").evaluate("(node) => node.getBoundingClientRect().bottom")
    assert lists < tops[0] < tops[1]


def test_the_focus_is_kept_when_the_code_moves(page: Page, client: CMSClient) -> None:
    """After the first request, a reader of the code has the focus on the content."""
    page.get_by_role("tab", name="Shell").focus()
    client.track_lead("Sign up", "user_1", click_id="click_1")
    expect(empty_state(page)).to_be_hidden()
    expect(page.get_by_role("main")).to_be_focused()


def test_a_row_has_its_duration_on_a_phone(
    windows: Windows, sandbox: Sandbox, client: CMSClient
) -> None:
    """On a phone, a row shows how long its request took, and the whole of its notes."""
    client.track_lead("Sign up", "user_43")
    page = open_page(windows, sandbox, viewport=PHONE)
    page.get_by_role("button", name="Requests", exact=True).click()
    expect(rows(page).get_by_text(re.compile(r"^<?[\d.]+ m?s$"))).to_be_visible()
    cut = "(button) => [...button.querySelectorAll('*')].some((n) => n.scrollWidth > n.offsetWidth)"
    assert not rows(page).locator("b").first.evaluate(f"(n) => ({cut})(n.closest('button'))")
