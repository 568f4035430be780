"""The demo shop, and the API description."""

import re

import pytest

from cutmeshort.sandbox import Sandbox

from .chromium import Page, Windows, expect
from .parts import chain, expect_live, follow_link, rows, steps

pytestmark = pytest.mark.browser


def _shop(page: Page) -> Page:
    """Open the shop in a second tab, from the page's link."""
    shop = page.context.new_page()
    shop.goto(page.url)
    shop.get_by_role("link", name="Open the demo shop").click()
    expect(shop.get_by_role("heading", name="Demo shop")).to_be_visible()
    return shop


def test_a_visitor_becomes_a_customer(page: Page, sandbox: Sandbox) -> None:
    """Each step in the shop appears on the page in the other tab at once: click, lead, sale."""
    shop = _shop(page)
    customer = follow_link(shop)
    expect(page.get_by_role("region", name="Summary")).to_contain_text("1 click")
    expect(page.get_by_text("No request yet.")).to_be_visible()
    shop.get_by_role("button", name="Sign up", exact=True).click()
    expect(steps(page, customer)).to_have_count(2)
    expect(shop.get_by_role("status").filter(has_text="Recorded").nth(1)).to_be_visible()
    shop.get_by_role("button", name="Pay", exact=True).click()
    expect(steps(page, customer)).to_contain_text(["click_", "Sign up", "€49.90"])
    assert sandbox.assert_sale(amount=4990, currency="EUR").click_id is not None
    expect(shop.locator("pre").nth(2)).to_contain_text("to_minor_units")
    shop.get_by_role("button", name="Send the same invoice again").click()
    expect(rows(page).first).to_contain_text("200 duplicate")
    assert len(sandbox.sales) == 1


def test_a_customer_confirms_later(page: Page, sandbox: Sandbox) -> None:
    """A deferred sign-up is pending on the page until the customer confirms in the shop."""
    shop = _shop(page)
    customer = follow_link(shop)
    shop.get_by_role("button", name="Sign up, confirm later").click()
    expect(chain(page, customer)).to_contain_text("Waiting")
    shop.get_by_role("button", name="Confirm the email address").click()
    expect(chain(page, customer)).not_to_contain_text("Waiting")
    assert [lead.mode for lead in sandbox.leads] == ["deferred", None]


def test_an_amount_that_is_no_number_is_explained(page: Page, sandbox: Sandbox) -> None:
    """The shop shows the error of the SDK for an amount that can't be converted."""
    shop = _shop(page)
    follow_link(shop)
    shop.get_by_label("Amount").fill("a lot")
    shop.get_by_role("button", name="Pay", exact=True).click()
    expect(
        shop.get_by_role("status")
        .filter(has_text="✕")
        .or_(shop.get_by_role("status").filter(has_text="!"))
    ).to_be_visible()
    assert sandbox.sales == []


def test_the_shop_leads_back_to_the_page(page: Page) -> None:
    """The shop's link opens the page."""
    shop = _shop(page)
    shop.get_by_role("link", name="sandbox").click()
    expect_live(shop)


def test_the_api_description_needs_no_other_host(windows: Windows, sandbox: Sandbox) -> None:
    """The viewer of the API description shows the operations and the sandbox's own endpoints."""
    page = windows.open(f"{sandbox.url}/docs")
    for path in ("/track/lead", "/track/sale", "/_sandbox/state", "/_sandbox/faults"):
        expect(page.get_by_text(re.compile(f"^{path}$")).first).to_be_visible()
