"""The list of requests: opening, copying, sending again, filtering, clearing."""

import re
import sys
from pathlib import Path
from subprocess import run

import pytest

from cutmeshort import CMSClient
from cutmeshort.sandbox import Sandbox

from ..support.processes import run_program
from .chromium import Page, Windows, expect
from .parts import (
    chain,
    copied,
    empty_state,
    filter_field,
    message,
    open_page,
    open_row,
    rows,
    section,
)

pytestmark = pytest.mark.browser


@pytest.fixture
def copying_page(windows: Windows, sandbox: Sandbox) -> Page:
    """The sandbox's page, which may use the clipboard."""
    return open_page(windows, sandbox, permissions=["clipboard-read", "clipboard-write"])


def test_an_open_row_says_why(page: Page, client: CMSClient) -> None:
    """An open row shows why the request was refused, and both messages without the token."""
    client.track_lead("Sign up", "user_44", click_id="click_3f9c", mode="deferred")
    client.track_lead("Sign up", "user_44", click_id="click_3f9c")
    row = open_row(page, "409 refused")
    expect(row).to_contain_text(re.compile("Why.*user_44.*click_3f9c"))
    expect(row).to_contain_text("/track/lead")
    expect(row.get_by_role("region", name="Request")).to_contain_text('"clickId": "click_3f9c"')
    expect(row.get_by_role("region", name="Response")).to_contain_text("duplicate_attribution")
    expect(row).not_to_contain_text("sandbox-token")
    rows(page).first.click()
    expect(rows(page).first).to_have_attribute("aria-expanded", "false")


def test_sending_again_is_a_duplicate(page: Page, sandbox: Sandbox, client: CMSClient) -> None:
    """Send again sends the same bytes, which the sandbox recognises as a duplicate."""
    client.track_lead("Sign up", "user_42", click_id="click_1")
    open_row(page).get_by_role("button", name="Send again").click()
    expect(message(page)).to_contain_text("Sent again: 200 duplicate.")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(rows(page).first).to_contain_text("200 duplicate")
    expect(rows(page).first).to_contain_text("sent again")
    expect(rows(page).first).to_have_attribute("aria-expanded", "true")
    assert len(sandbox.leads) == 1


def test_the_copied_python_code_tracks_the_event(
    copying_page: Page, sandbox: Sandbox, client: CMSClient
) -> None:
    """Copy as Python gives a program that sends the same event to this sandbox."""
    client.track_sale("Purchase", "user_42", "inv_1", 4990, "EUR", click_id="click_1")
    button = open_row(copying_page).get_by_role("button", name="Copy as Python")
    code = copied(copying_page, button)
    assert "track_sale" in code
    sandbox.clear()
    run_program(code, CMS_HOST=sandbox.url, CMS_BEARER_TOKEN=sandbox.token)
    sandbox.assert_sale(invoice_id="inv_1", amount=4990, currency="EUR", click_id="click_1")


def test_the_copied_curl_command_names_the_request(copying_page: Page, client: CMSClient) -> None:
    """Copy as curl gives a command with the path and the body of the request."""
    client.track_lead("Sign up", "user_42", click_id="click_1")
    button = open_row(copying_page).get_by_role("button", name="Copy as curl")
    command = copied(copying_page, button)
    assert "curl " in command
    assert "/track/lead" in command
    assert "user_42" in command


def _run_test(code: str, folder: Path) -> str:
    (folder / "test_copied.py").write_text(code, encoding="utf-8")
    done = run(
        [sys.executable, "-m", "pytest", "-q", "test_copied.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.stdout


def test_the_copied_test_of_a_request_runs(
    copying_page: Page, client: CMSClient, tmp_path: Path
) -> None:
    """Copy as pytest test gives a file that pytest runs as it is."""
    client.track_lead("Sign up", "user_42", click_id="click_1")
    button = open_row(copying_page).get_by_role("button", name="Copy as pytest test")
    code = copied(copying_page, button)
    assert "user_42" in code
    assert "1 passed" in _run_test(code, tmp_path)


def test_the_copied_test_of_a_chain_runs(
    copying_page: Page, client: CMSClient, tmp_path: Path
) -> None:
    """The button of a customer gives a test of the whole chain, which pytest runs as it is."""
    client.track_lead("Sign up", "user_44", click_id="click_1", mode="deferred")
    client.track_lead("Email confirmed", "user_44")
    client.track_sale("Purchase", "user_44", "inv_1", 4990, "EUR")
    button = chain(copying_page, "user_44").get_by_role("button", name="Copy as pytest test")
    button.hover()
    code = copied(copying_page, button)
    assert all(text in code for text in ("Sign up", "Email confirmed", "inv_1"))
    assert "1 passed" in _run_test(code, tmp_path)


def test_the_address_and_the_token_are_copied(copying_page: Page, sandbox: Sandbox) -> None:
    """The buttons beside CMS_HOST and the token copy both values."""
    for name, value in (("Copy CMS_HOST", sandbox.url), ("Copy the token", sandbox.token)):
        assert copied(copying_page, copying_page.get_by_role("button", name=name)) == value
    expect(message(copying_page)).to_contain_text("Copied the token.")


def test_a_secret_token_is_masked_but_copied_in_full(windows: Windows) -> None:
    """The page shows only the end of a token of one's own, and copies all of it."""
    token = "a-secret-token-of-my-own"
    with Sandbox(token=token) as sandbox:
        page = open_page(windows, sandbox, permissions=["clipboard-read", "clipboard-write"])
        expect(page.get_by_text("••••-own", exact=True)).to_be_visible()
        assert token not in page.content()
        assert copied(page, page.get_by_role("button", name="Copy the token")) == token
        windows.close()


def test_a_filter_applies_to_both_lists(page: Page, client: CMSClient) -> None:
    """The filter leaves the customers and the requests that have the text."""
    for number in (1, 2):
        client.track_lead("Sign up", f"user_{number}", click_id=f"click_{number}")
    client.track_sale("Purchase", "user_2", "inv_1", 4990, "EUR", click_id="click_2")
    filter_field(page).fill("PURCHASE")
    expect(rows(page)).to_have_count(1)
    expect(chain(page, "user_1")).to_have_count(0)
    expect(chain(page, "user_2")).to_be_visible()
    filter_field(page).fill("click_1")
    expect(rows(page)).to_contain_text(["user_1"])
    filter_field(page).fill("no such customer")
    expect(page.get_by_text("No customer matches.")).to_be_visible()
    expect(page.get_by_text("No request matches.")).to_be_visible()
    filter_field(page).fill("")
    expect(rows(page)).to_have_count(3)


def test_requests_are_shown_by_state(page: Page, sandbox: Sandbox, client: CMSClient) -> None:
    """The buttons Refused and Failed leave the requests of that state."""
    client.track_lead("Sign up", "user_1", click_id="click_1")
    client.track_lead("Sign up", "user_2")
    sandbox.fail_next(status=503)
    client.track_lead("Sign up", "user_3", click_id="click_1")
    show = section(page, "Requests").get_by_role("group", name="Show")
    for name, count in (("Refused", 1), ("Failed", 1), ("All", 3)):
        show.get_by_role("button", name=name).click()
        expect(rows(page)).to_have_count(count)
        expect(show.get_by_role("button", name=name)).to_have_attribute("aria-pressed", "true")


def test_new_requests_wait_while_a_row_is_open(page: Page, client: CMSClient) -> None:
    """New requests do not move an open row, until the reader asks for them."""
    client.track_lead("Sign up", "user_1", click_id="click_1")
    open_row(page)
    for number in (2, 3):
        client.track_lead("Sign up", f"user_{number}", click_id="click_1")
    waiting = page.get_by_role("button", name="2 new requests")
    expect(waiting).to_be_visible()
    expect(rows(page)).to_have_count(1)
    waiting.click()
    expect(rows(page)).to_contain_text(["user_3", "user_2", "user_1"])
    expect(waiting).to_be_hidden()
    expect(rows(page).last).to_have_attribute("aria-expanded", "true")


def test_older_requests_are_not_new(page: Page, client: CMSClient) -> None:
    """Only requests that came after a row was opened wait, also if a filter had hidden others."""
    client.track_lead("Sign up", "user_1")
    for number in (2, 3):
        client.track_lead("Sign up", f"user_{number}", click_id="click_1")
    show = section(page, "Requests").get_by_role("group", name="Show")
    show.get_by_role("button", name="Refused").click()
    expect(rows(page)).to_have_count(1)
    open_row(page)
    client.track_lead("Sign up", "user_4", click_id="click_1")
    show.get_by_role("button", name="All").click()
    expect(page.get_by_role("button", name="1 new request")).to_be_visible()
    expect(rows(page)).to_contain_text(["user_3", "user_2", "user_1"])


def test_clear_offers_undo(page: Page, sandbox: Sandbox, client: CMSClient) -> None:
    """Clear removes everything without a question, and Undo brings it back."""
    client.track_lead("Sign up", "user_1", click_id="click_1")
    expect(rows(page)).to_have_count(1)
    page.get_by_role("button", name="Clear", exact=True).click()
    expect(empty_state(page)).to_be_visible()
    assert sandbox.leads == []
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(rows(page)).to_have_count(1)
    expect(chain(page, "user_1")).to_be_visible()
    assert len(sandbox.leads) == 1


def test_clearing_twice_still_offers_undo(page: Page, sandbox: Sandbox, client: CMSClient) -> None:
    """Undo brings everything back, even if the reader cleared again before the page was empty."""
    client.track_lead("Sign up", "user_1", click_id="click_1")
    expect(rows(page)).to_have_count(1)
    clear = page.get_by_role("button", name="Clear", exact=True)
    with page.expect_response("**/_sandbox/clear"):
        clear.evaluate("(button) => { button.click(); button.click(); }")
    expect(empty_state(page)).to_be_visible()
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(message(page)).to_contain_text("Restored.")
    expect(rows(page)).to_have_count(1)
    assert len(sandbox.leads) == 1
