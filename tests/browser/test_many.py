"""The page with as many requests as the sandbox keeps."""

import re

import pytest

from cutmeshort import CMSClient
from cutmeshort.sandbox import Sandbox

from .chromium import Page, Windows, expect
from .parts import filter_field, open_page, open_row, rows, section

pytestmark = pytest.mark.browser


@pytest.fixture
def page(windows: Windows, sandbox: Sandbox, client: CMSClient) -> Page:
    """The page of a sandbox with 1,000 leads, each of its own customer."""
    for number in range(1000):
        client.track_lead("Sign up", f"user_{number:04}", click_id=f"click_{number}")
    return open_page(windows, sandbox)


def test_a_thousand_requests_are_all_reachable(page: Page) -> None:
    """Each of 1,000 requests and customers is in the lists, and the filter finds the oldest."""
    requests, customers = section(page, "Requests"), section(page, "Attribution")
    for part, name in ((requests, "older"), (customers, "more customer")):
        button = part.get_by_text(re.compile(rf"^[\d,]+ {name}s?$"))
        while button.is_visible():
            button.click()
            page.wait_for_timeout(50)
    expect(rows(page)).to_have_count(1000)
    expect(customers.get_by_role("article")).to_have_count(1000)
    expect(rows(page).last).to_contain_text("user_0000")
    filter_field(page).fill("user_0000")
    expect(rows(page)).to_have_count(1)


def test_rows_no_longer_wait_for_a_dropped_request(page: Page, client: CMSClient) -> None:
    """New requests appear again once the sandbox has dropped the request whose row is open."""
    filter_field(page).fill("user_0000")
    expect(rows(page)).to_have_count(1)
    open_row(page)
    filter_field(page).fill("")
    expect(rows(page).first).to_contain_text("user_0999")
    for number in (1000, 1001):
        client.track_lead("Sign up", f"user_{number}", click_id="click_1")
        expect(rows(page).first).to_contain_text(f"user_{number}")
