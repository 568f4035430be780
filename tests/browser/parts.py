"""The parts of the sandbox's page and of the demo shop, found by what a reader sees or hears."""

import re
import time
from typing import Any, Callable, TypeVar, Union

import pytest

from cutmeshort.sandbox import Sandbox

from ..support.timing import LONG
from .chromium import Locator, Page, Windows, expect

Result = TypeVar("Result")


def open_page(windows: Windows, sandbox: Sandbox, **options: Any) -> Page:
    """Open the page in a new window, and wait until it shows what the sandbox has."""
    page = windows.open(sandbox.url, **options)
    expect_live(page)
    # The page adds some of its elements in each frame.
    for elements, total, limit in (
        ("#rows > li", len(sandbox.requests), 50),
        ("#chains > article", len(sandbox.state()["chains"]), 20),
    ):
        expect(page.locator(elements)).to_have_count(min(total, limit))
    return page


def expect_live(page: Page) -> None:
    """Wait until the page is connected to its sandbox."""
    expect(page.get_by_text("Live", exact=True)).to_be_visible()


def section(page: Page, name: str) -> Locator:
    """Return a part of the page: Attribution, Requests, or Break the next request."""
    return page.get_by_role("region", name=name, exact=True)


def rows(page: Page) -> Locator:
    """Return the buttons of the requests, newest first."""
    return section(page, "Requests").get_by_role("listitem").locator("button[aria-expanded]")


def open_row(page: Page, text: Union[str, re.Pattern[str]] = "") -> Locator:
    """Open the newest request with a text, and return what it then shows."""
    row = section(page, "Requests").get_by_role("listitem").filter(has_text=text).first
    row.get_by_role("button").first.click()
    expect(row.get_by_role("button", name="Send again")).to_be_visible()
    return row


def chain(page: Page, customer: str) -> Locator:
    """Return the article of a customer."""
    heading = page.get_by_role("heading", name=customer, exact=True)
    return section(page, "Attribution").get_by_role("article").filter(has=heading)


def steps(page: Page, customer: str) -> Locator:
    """Return the steps of a customer's chain."""
    return chain(page, customer).get_by_role("listitem")


def queue(page: Page) -> Locator:
    """Return the faults of the next requests."""
    return section(page, "Break the next request").locator("p").filter(has_text="Next:")


def chip(page: Page, name: str) -> Locator:
    """Return the button that injects a fault."""
    return section(page, "Break the next request").get_by_role("button", name=name, exact=True)


def filter_field(page: Page) -> Locator:
    """Return the field that filters customers and requests."""
    return page.get_by_role("searchbox", name="Customer, event or click")


def empty_state(page: Page) -> Locator:
    """Return the heading that a page without requests has."""
    return page.get_by_role("heading", name="Nothing tracked yet.")


def message(page: Page) -> Locator:
    """Return the message about the last action."""
    return page.get_by_role("complementary", name="Message")


def copied(page: Page, button: Locator) -> str:
    """Press a button that copies, and return the text that is then in the clipboard."""
    page.evaluate("navigator.clipboard.writeText('')")
    button.click()
    return wait_until(page, lambda: str(page.evaluate("navigator.clipboard.readText()")))


def wait_until(page: Page, condition: Callable[[], Result]) -> Result:
    """Wait for something that is not on the page, and return the condition's first true result."""
    until = time.monotonic() + LONG
    while not (result := condition()):
        if time.monotonic() > until:
            pytest.fail("the condition is still false")
        page.wait_for_timeout(20)
    return result


def corners(elements: Locator) -> list[tuple[float, float]]:
    """Return the left and the top of each element, all at the same time."""
    found = elements.evaluate_all(
        "(all) => all.map((each) => each.getBoundingClientRect()).map(({ x, y }) => [x, y])"
    )
    return [(x, y) for x, y in found]


def follow_link(shop: Page) -> str:
    """Follow the demo shop's link, and return the id of the customer that the visitor will be."""
    shop.get_by_role("link", name="Follow the link").click()
    expect(shop.get_by_role("status").filter(has_text="click_")).to_be_visible()
    return shop.get_by_label("Customer id").input_value()


def overflow(page: Page) -> int:
    """Return by how many pixels the page is wider than the window."""
    return int(
        page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    )
