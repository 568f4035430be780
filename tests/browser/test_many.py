"""The page with as many requests as the sandbox keeps."""

import re

import pytest

from cutmeshort import CMSClient
from cutmeshort.sandbox import Sandbox

from .chromium import Windows, expect
from .parts import filter_field, open_page, rows, section

pytestmark = pytest.mark.browser


def test_a_thousand_requests_are_all_reachable(
    windows: Windows, sandbox: Sandbox, client: CMSClient
) -> None:
    """Each of 1,000 requests and customers is in the lists, and the filter finds the oldest."""
    for number in range(1000):
        client.track_lead("Sign up", f"user_{number:04}", click_id=f"click_{number}")
    page = open_page(windows, sandbox)
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
