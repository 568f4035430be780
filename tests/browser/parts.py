"""The parts of the sandbox's page, found by what a reader sees or hears of them."""

from typing import Any

from cutmeshort.sandbox import Sandbox

from .chromium import Locator, Page, Windows, expect


def open_page(windows: Windows, sandbox: Sandbox, **options: Any) -> Page:
    """Open the page in a new window, and wait until it is live."""
    page = windows.open(sandbox.url, **options)
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    return page


def section(page: Page, name: str) -> Locator:
    """Return a part of the page: Attribution, Requests, or Break the next request."""
    return page.get_by_role("region", name=name, exact=True)


def rows(page: Page) -> Locator:
    """Return the buttons of the requests, newest first."""
    return section(page, "Requests").get_by_role("listitem").locator("button[aria-expanded]")


def chain(page: Page, customer: str) -> Locator:
    """Return the article of a customer."""
    heading = page.get_by_role("heading", name=customer, exact=True)
    return section(page, "Attribution").get_by_role("article").filter(has=heading)


def steps(page: Page, customer: str) -> Locator:
    """Return the steps of a customer's chain."""
    return chain(page, customer).get_by_role("listitem")
