"""The parts of the sandbox's page, found by what a reader sees or hears of them."""

import re
from typing import Any, Union

from cutmeshort.sandbox import Sandbox

from .chromium import Locator, Page, Windows, expect


def open_page(windows: Windows, sandbox: Sandbox, **options: Any) -> Page:
    """Open the page in a new window, and wait until it is live."""
    page = windows.open(sandbox.url, **options)
    expect_live(page)
    return page


def expect_live(page: Page) -> None:
    """Wait until the page receives what happens, and shows what the sandbox knows."""
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    expect(page.get_by_text("Nothing leaves this machine.")).to_be_attached()


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


def clipboard(page: Page) -> str:
    """Return the text in the clipboard."""
    expect(page.get_by_text(re.compile("^Copied"))).to_be_visible()
    return str(page.evaluate("navigator.clipboard.readText()"))


def overflow(page: Page) -> int:
    """Return by how many pixels the page is wider than the window."""
    return int(
        page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    )
