"""The page for readers with assistive technology, and with other preferences."""

from typing import Any

import pytest

from cutmeshort import CMSClient
from cutmeshort.sandbox import Sandbox

from .chromium import DESKTOP, PHONE, Axe, Page, Windows, expect
from .parts import follow_link, message, open_page, open_row, queue, rows, wait_until
from .story import tell

pytestmark = pytest.mark.browser

THEMES = ["light", "dark"]
SIZES = {"desktop": DESKTOP, "phone": PHONE}


def violations(page: Page) -> list[Any]:
    """Return the rules that a page violates, each with the elements that do."""
    found = Axe().run(page).response["violations"]
    return [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found]


@pytest.fixture(params=THEMES)
def scheme(request: pytest.FixtureRequest) -> Any:
    """The colour scheme of the system."""
    return request.param


@pytest.fixture(params=SIZES.values(), ids=list(SIZES))
def size(request: pytest.FixtureRequest) -> Any:
    """The size of the window."""
    return request.param


def test_axe_finds_nothing_on_the_empty_page(
    windows: Windows, sandbox: Sandbox, scheme: Any, size: Any
) -> None:
    """The page without requests violates no rule of axe."""
    page = open_page(windows, sandbox, color_scheme=scheme, viewport=size)
    assert violations(page) == []


def test_axe_finds_nothing_on_the_live_page(
    windows: Windows, sandbox: Sandbox, scheme: Any, size: Any
) -> None:
    """The page with all states of requests, hints and faults violates no rule of axe."""
    tell(sandbox)
    page = open_page(windows, sandbox, color_scheme=scheme, viewport=size)
    for tab in ("Chains", "Requests", "Break") if size == PHONE else [None]:
        if tab is not None:
            page.get_by_role("button", name=tab, exact=True).click()
        assert violations(page) == []


def test_axe_finds_nothing_on_open_rows(
    windows: Windows, sandbox: Sandbox, scheme: Any, size: Any
) -> None:
    """The page with an open request, its actions, a message and the form violates no rule."""
    tell(sandbox)
    page = open_page(windows, sandbox, color_scheme=scheme, viewport=size)
    if size == PHONE:
        page.get_by_role("button", name="Requests", exact=True).click()
    open_row(page, "no response").get_by_role("button", name="Send again").click()
    expect(message(page)).to_contain_text("Sent again")
    assert violations(page) == []
    if size == PHONE:
        page.get_by_role("button", name="Break", exact=True).click()
    page.get_by_role("button", name="Your own values").click()
    expect(page.get_by_role("form", name="A fault with your own values")).to_be_visible()
    assert violations(page) == []


def test_axe_finds_nothing_in_the_demo_shop(
    windows: Windows, sandbox: Sandbox, scheme: Any, size: Any
) -> None:
    """The demo shop violates no rule of axe, before and after its calls."""
    page = windows.open(f"{sandbox.url}/demo", color_scheme=scheme, viewport=size)
    assert violations(page) == []
    follow_link(page)
    page.get_by_role("button", name="Sign up", exact=True).click()
    expect(page.get_by_role("status").filter(has_text="✓")).to_have_count(2)
    assert violations(page) == []


def test_arrivals_are_announced_at_intervals(page: Page, client: CMSClient) -> None:
    """The live region announces new requests at most every 5 seconds, also with the same text."""
    page.evaluate("""() => {
      const region = document.querySelector("[aria-live]");
      window.spoken = [];
      new MutationObserver(() => {
        if (region.textContent) window.spoken.push(performance.now());
      }).observe(region, { childList: true, characterData: true, subtree: true });
    }""")
    for count in (20, 1, 1):
        before = page.evaluate("window.spoken.length")
        for number in range(count):
            client.track_lead("Sign up", f"user_{number}", click_id="click_1")
        wait_until(page, lambda was=before: page.evaluate("window.spoken.length") > was)
    expect(page.locator("[aria-live=polite]")).to_have_text("1 new request")
    times = page.evaluate("window.spoken")
    assert all(later - earlier > 4_900 for earlier, later in zip(times, times[1:]))


def test_motion_is_reduced(windows: Windows, sandbox: Sandbox, client: CMSClient) -> None:
    """A reader who prefers reduced motion sees a new request without an animation."""
    page = open_page(windows, sandbox, reduced_motion="reduce")
    client.track_lead("Sign up", "user_42", click_id="click_1")
    expect(rows(page)).to_have_count(1)
    running = """document.getAnimations().filter((each) => each.playState === "running"
      && each.effect.getComputedTiming().duration > 1).length"""
    assert page.evaluate(running) == 0


def test_forced_colours_leave_the_states_readable(
    windows: Windows, sandbox: Sandbox, client: CMSClient
) -> None:
    """With the system's colours, states and symbols have a contrast to the background."""
    client.track_lead("Sign up", "user_42", click_id="click_1")
    client.track_lead("Sign up", "user_43")
    page = open_page(windows, sandbox, forced_colors="active")
    expect(rows(page)).to_contain_text(["422 refused", "200 recorded"])
    expect(queue(page)).to_be_visible()
    invisible = """[...document.querySelectorAll("main svg, main .pill, main button")]
      .filter((node) => node.checkVisibility() && getComputedStyle(node).color
        === getComputedStyle(document.body).backgroundColor).length"""
    assert page.evaluate(invisible) == 0
    assert violations(page) == []


def test_forced_colours_leave_the_choice_visible(windows: Windows, sandbox: Sandbox) -> None:
    """With the system's colours, only the chosen tab of the code has a border."""
    page = open_page(windows, sandbox, forced_colors="active")
    page.get_by_role("tab", name="Python").click()
    for name, width in (("Python", "2px"), ("Shell", "0px")):
        tab = page.get_by_role("tab", name=name)
        expect(tab).to_have_css("border-top-width", width)


def test_the_theme_is_kept(page: Page) -> None:
    """The button changes the theme, and the page has the same theme when it is loaded again."""
    button = page.get_by_role("button", name="Theme:")
    background = "getComputedStyle(document.body).backgroundColor"
    themes = {}
    for _ in range(3):
        themes[button.get_attribute("aria-label")] = page.evaluate(background)
        button.click()
    assert themes["Theme: light"] == themes["Theme: system"] != themes["Theme: dark"]
    while button.get_attribute("aria-label") != "Theme: dark":
        button.click()
    page.reload()
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    assert page.evaluate(background) == themes["Theme: dark"]
    page.goto(f"{page.url}demo")
    assert page.evaluate(background) == themes["Theme: dark"]
