"""The page shows what the sandbox records, without being loaded again."""

import pytest

from cutmeshort import CMSClient
from cutmeshort.sandbox import Sandbox

from .chromium import Page, Windows, expect
from .parts import chain, corners, empty_state, open_page, rows, section, steps

pytestmark = pytest.mark.browser


def test_the_first_lead_appears(page: Page, client: CMSClient) -> None:
    """The page replaces its empty state with the first lead as soon as the sandbox records it."""
    expect(empty_state(page)).to_be_visible()
    client.track_lead("Sign up", "user_42", click_id="click_1")
    expect(rows(page)).to_have_count(1)
    expect(rows(page)).to_contain_text(["Sign up"])
    expect(steps(page, "user_42")).to_have_count(2)
    expect(empty_state(page)).to_be_hidden()


def test_a_click_a_lead_and_a_sale_form_a_chain(
    page: Page, sandbox: Sandbox, client: CMSClient
) -> None:
    """A customer's chain shows the link and the click, the lead, the sale and the revenue."""
    click = sandbox.click("newsletter-may")
    client.track_lead("Sign up", "user_42", click_id=click)
    client.track_sale("Purchase", "user_42", "inv_1", 4990, "EUR", click_id=click)
    client.track_sale("Order", "user_42", "inv_2", 12000, "JPY", click_id=click)
    expect(steps(page, "user_42")).to_contain_text([click, "Sign up", "€49.90", "¥12,000"])
    expect(steps(page, "user_42").first).to_contain_text("newsletter-may")
    expect(steps(page, "user_42").nth(2)).to_contain_text("Purchase · inv_1")
    revenue = chain(page, "user_42").get_by_text("€49.90")
    expect(revenue).to_have_count(2)
    summary = page.get_by_role("region", name="Summary")
    for text in ("1 click", "1 with a lead", "1 with a sale", "€49.90", "¥12,000"):
        expect(summary).to_contain_text(text)


def test_the_lines_of_a_long_chain_have_the_same_columns(page: Page, client: CMSClient) -> None:
    """The steps of a chain that needs more than one line are below each other."""
    for number in range(12):
        client.track_sale("Purchase", "user_42", f"inv_{number}", 4990, "EUR", click_id="click_1")
    expect(steps(page, "user_42")).to_have_count(13)
    lines: dict[float, list[float]] = {}
    for left, top in corners(steps(page, "user_42"))[1:]:
        lines.setdefault(top, []).append(left)
    _, *later = lines.values()
    assert len(later) >= 2
    assert set(later[-1]) <= set(later[0])


def test_a_deferred_lead_waits_for_the_next_event(page: Page, client: CMSClient) -> None:
    """A customer with a deferred lead has an awaited step, until another event follows."""
    client.track_lead("Sign up", "user_51", click_id="click_77", mode="deferred")
    expect(steps(page, "user_51")).to_contain_text(["click_77", "deferred", "Waiting"])
    expect(rows(page)).to_contain_text(["pending"])
    client.track_lead("Email confirmed", "user_51")
    expect(steps(page, "user_51")).to_contain_text(["click_77", "deferred", "Email confirmed"])
    expect(steps(page, "user_51").nth(2)).to_contain_text("no click id sent")
    expect(chain(page, "user_51")).to_contain_text("Deferred")
    expect(chain(page, "user_51")).not_to_contain_text("Waiting")


def test_the_newest_customer_is_first(page: Page, client: CMSClient) -> None:
    """The customer whose event came last is at the top, also if it was there before."""
    for customer in ("user_1", "user_2"):
        client.track_lead("Sign up", customer, click_id=f"click of {customer}")
    headings = section(page, "Attribution").get_by_role("heading", level=3)
    expect(headings).to_have_text(["user_2", "user_1"])
    client.track_sale("Purchase", "user_1", "inv_1", 4990, "EUR", click_id="click_1")
    expect(headings).to_have_text(["user_1", "user_2"])


def test_a_hint_leads_to_its_request(page: Page, client: CMSClient) -> None:
    """The page says that an amount looks like one in the major unit, and shows the request."""
    client.track_lead("Sign up", "user_42", click_id="click_1")
    client.track_sale("Purchase", "user_42", "inv_1006", 49, "USD", click_id="click_1")
    hint = section(page, "Attribution").get_by_role("listitem").filter(has_text="Amounts are in")
    expect(hint).to_contain_text("inv_1006")
    hint.get_by_role("button", name="Show request").click()
    opened = rows(page).filter(has_text="inv_1006")
    expect(opened).to_have_attribute("aria-expanded", "true")
    expect(opened).to_be_focused()


def test_the_attempts_of_a_call_are_told_apart(page: Page, sandbox: Sandbox) -> None:
    """A row says which attempt of its call it is, and which fault was injected."""
    sandbox.fail_next(status=503)
    sandbox.fail_next(drop=True, recorded=True)
    with CMSClient(sandbox.token, sandbox.url) as client:
        client.track_lead("Sign up", "user_42", click_id="click_1")
    expect(rows(page)).to_contain_text(["attempt 3", "attempt 2", ""])
    expect(rows(page)).to_contain_text(["200 duplicate", "no response", "503 failed"])
    expect(rows(page).nth(1)).to_contain_text("record, then drop")


def test_two_windows_show_the_same(windows: Windows, sandbox: Sandbox, client: CMSClient) -> None:
    """Each of two open pages shows a lead that comes while both are open."""
    pages = [open_page(windows, sandbox) for _ in range(2)]
    client.track_lead("Sign up", "user_42", click_id="click_1")
    for page in pages:
        expect(steps(page, "user_42")).to_have_count(2)


def test_the_rate_limit_is_shown(windows: Windows) -> None:
    """The meter counts the requests of the last minute, and a row shows the one over it."""
    with Sandbox(rate_limit=2) as sandbox, CMSClient(sandbox.token, sandbox.url) as client:
        page = open_page(windows, sandbox)
        for number in range(3):
            client.track_lead("Sign up", f"user_{number}", click_id="click_1", max_retries=0)
        expect(page.get_by_role("meter", name="Rate limit")).to_be_visible()
        expect(page.get_by_text("2 of 2 this minute")).to_be_visible()
        expect(rows(page).first).to_contain_text("429 refused")
        windows.close()
