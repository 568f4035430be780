"""Names that contain markup, or that are hard to lay out."""

import pytest

from cutmeshort import CMSClient
from cutmeshort.sandbox import Sandbox

from .chromium import DESKTOP, PHONE, Windows, expect
from .parts import open_page, open_row, overflow, rows

pytestmark = pytest.mark.browser

MARKUP = "<img src=x onerror=\"document.title='x'\"><b id=injected>bold</b>&lt;`code`"
NAMES = {
    "markup": MARKUP,
    "right to left": "مرحبا بالعالم שלום",
    "direction": "\u202egpj.exe\u2066",
    "long": "W" * 255,
    "long words": "wide words " * 23,
    "emoji": "👩‍👩‍👧‍👦🏳️‍🌈👍🏽" * 12,
    "combining": "e" + "\u0301\u0321" * 100,
}


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_name_is_text_and_keeps_the_layout(
    windows: Windows, sandbox: Sandbox, client: CMSClient, name: str, size: dict[str, int]
) -> None:
    """A name appears as it was sent, creates no element, and does not widen the page."""
    client.track_lead(name, name, click_id="click_1")
    client.track_sale(name, name, name, 10**12, "EUR", click_id="click_1")
    client.track_lead(name, name, click_id="click_2", mode="deferred")
    page = open_page(windows, sandbox, viewport=size)
    expect(page.get_by_role("heading", name=name.strip(), exact=True)).to_be_visible()
    assert overflow(page) == 0
    if size == PHONE:
        page.get_by_role("button", name="Requests", exact=True).click()
    expect(rows(page)).to_have_count(len(sandbox.requests))
    open_row(page)
    assert overflow(page) == 0
    assert page.locator("#injected, img").count() == 0
    assert page.title() != "x"


def test_a_customer_with_many_steps_and_currencies_keeps_the_layout(
    windows: Windows, sandbox: Sandbox, client: CMSClient
) -> None:
    """A chain of 40 sales in 10 currencies does not widen the page, and says what it leaves out."""
    client.track_lead("Sign up", "user_42", click_id="click_1")
    currencies = ["EUR", "USD", "JPY", "BHD", "XAU", "IQD", "CLF", "GBP", "CHF", "SEK"]
    for number in range(40):
        currency = currencies[number % 10]
        client.track_sale(
            "Purchase", "user_42", f"inv_{number}", 10**12 + number, currency, click_id="c"
        )
    for size in (DESKTOP, PHONE):
        page = open_page(windows, sandbox, viewport=size)
        expect(page.get_by_text("earlier steps not shown")).to_be_visible()
        assert overflow(page) == 0
