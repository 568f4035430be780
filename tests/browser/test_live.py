"""The page shows what arrives, without being loaded again."""

import pytest

from cutmeshort import CMSClient

from .chromium import Page, expect
from .parts import rows, steps

pytestmark = pytest.mark.browser


def test_the_first_lead_appears(page: Page, client: CMSClient) -> None:
    """The page replaces its empty state with the first lead as soon as the sandbox records it."""
    expect(page.get_by_role("heading", name="Nothing tracked yet.")).to_be_visible()
    client.track_lead("Sign up", "user_42", click_id="click_1")
    expect(rows(page)).to_have_count(1)
    expect(rows(page)).to_contain_text(["Sign up"])
    expect(steps(page, "user_42")).to_have_count(2)
    expect(page.get_by_role("heading", name="Nothing tracked yet.")).to_be_hidden()
