"""The page on a phone."""

import pytest

from cutmeshort.sandbox import Sandbox

from .chromium import PHONE, Windows, expect
from .parts import chip, corners, open_page, overflow, section, steps
from .story import tell

pytestmark = pytest.mark.browser


def test_tabs_show_one_part_at_a_time(windows: Windows, sandbox: Sandbox) -> None:
    """On a phone, the tabs at the bottom choose between the chains, the requests and the faults."""
    tell(sandbox)
    page = open_page(windows, sandbox, viewport=PHONE)
    parts = {
        "Chains": section(page, "Attribution"),
        "Requests": section(page, "Requests"),
        "Break": section(page, "Break the next request"),
    }
    for tab in parts:
        page.get_by_role("button", name=tab, exact=True).click()
        for name, part in parts.items():
            expect(part).to_be_visible(visible=name == tab)
        assert overflow(page) == 0
        page.mouse.wheel(0, 5000)
        expect(page.get_by_role("navigation", name="Sections")).to_be_in_viewport(ratio=1)


def test_chains_are_upright(windows: Windows, sandbox: Sandbox) -> None:
    """On a phone, the steps of a chain are below each other."""
    tell(sandbox)
    page = open_page(windows, sandbox, viewport=PHONE)
    (_, first), (_, second), (_, third) = corners(steps(page, "user_42"))
    assert first + 20 < second < third - 20


def test_the_address_and_the_token_are_reachable(windows: Windows, sandbox: Sandbox) -> None:
    """On a phone, the address and the token with their buttons are below the content."""
    page = open_page(windows, sandbox, viewport=PHONE)
    footer = page.get_by_role("contentinfo")
    expect(footer).to_contain_text(sandbox.url)
    for name in ("Copy CMS_HOST", "Copy the token"):
        expect(footer.get_by_role("button", name=name)).to_be_visible()


def test_targets_are_large_enough(windows: Windows, sandbox: Sandbox) -> None:
    """On a phone, each chip is at least 24 pixels high, which a finger can hit."""
    page = open_page(windows, sandbox, viewport=PHONE)
    page.get_by_role("button", name="Break", exact=True).click()
    for name in ("503", "drop", "5 s late"):
        box = chip(page, name).bounding_box()
        assert box is not None
        assert box["height"] >= 24


@pytest.mark.parametrize("width", [320, 360, 400])
def test_the_page_fits_a_narrow_phone(windows: Windows, sandbox: Sandbox, width: int) -> None:
    """The page is not wider than the window of a small phone."""
    tell(sandbox)
    page = open_page(windows, sandbox, viewport={"width": width, "height": 640})
    assert overflow(page) == 0


@pytest.mark.parametrize("width", [641, 901, 953])
def test_the_page_fits_a_narrow_window(windows: Windows, sandbox: Sandbox, width: int) -> None:
    """The page is not wider than a window that is wider than a phone."""
    tell(sandbox)
    page = open_page(windows, sandbox, viewport={"width": width, "height": 640})
    assert overflow(page) == 0
