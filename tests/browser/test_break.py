"""The part of the page that makes the next requests fail, and changes the settings."""

import re
from typing import Any

import pytest

from cutmeshort import CMSClient, Configuration
from cutmeshort.sandbox import Sandbox

from ..support.timing import LONG
from .chromium import Locator, Page, Windows, expect
from .parts import chip, message, queue, rows, section

pytestmark = pytest.mark.browser


def _lead(client: CMSClient) -> Any:
    return client.track_lead("Sign up", "user_42", click_id="click_1")


def _tokens(page: Page) -> Locator:
    return queue(page).get_by_role("button", name=re.compile("^Remove "))


@pytest.mark.parametrize(
    ("name", "status", "pill", "leads", "retry_after"),
    [
        ("429, retry after 30 s", 429, "429 failed", 0, 30.0),
        ("503", 503, "503 failed", 0, None),
        ("drop", 0, "no response", 0, None),
        ("record, then drop", 0, "no response", 1, None),
    ],
)
def test_a_chip_makes_the_next_request_fail(
    page: Page,
    sandbox: Sandbox,
    client: CMSClient,
    name: str,
    status: int,
    pill: str,
    leads: int,
    retry_after: object,
) -> None:
    """A fault is in the queue until the next request has it; the request after it succeeds."""
    chip(page, name).click()
    expect(_tokens(page)).to_have_count(1)
    expect(queue(page)).to_contain_text(name)
    result = _lead(client)
    assert (result["success"], result["status_code"]) == (False, status)
    assert result.get("retry_after") == retry_after
    assert len(sandbox.leads) == leads
    expect(_tokens(page)).to_have_count(0)
    expect(rows(page)).to_contain_text([pill])
    expect(rows(page)).to_contain_text([name])
    assert _lead(client)["success"]


def test_503_times_4_makes_four_requests_fail(page: Page, client: CMSClient) -> None:
    """The chip makes the next four requests fail, and its token counts down."""
    chip(page, "503 × 4").click()
    for left in ("503 × 4", "503 × 3", "503 × 2", "Remove 503"):
        expect(queue(page).get_by_role("button", name=left)).to_be_visible()
        assert _lead(client)["status_code"] == 503
    assert _lead(client)["success"]
    expect(rows(page)).to_have_count(5)
    expect(_tokens(page)).to_have_count(0)


def test_5_s_late_delays_the_response(page: Page, sandbox: Sandbox) -> None:
    """The chip delays the next response, and the row has its duration."""
    chip(page, "5 s late").click()
    expect(_tokens(page)).to_have_count(1)
    patient = Configuration(request_timeout=LONG, timeout=LONG)
    with CMSClient(sandbox.token, sandbox.url, configuration=patient) as client:
        assert _lead(client)["success"]
    expect(rows(page)).to_contain_text([re.compile(r"200 recorded\s*([5-9](\.\d)?|\d\d) s")])


def test_own_values_make_the_next_requests_fail(
    page: Page, sandbox: Sandbox, client: CMSClient
) -> None:
    """The form queues a fault with a status, a latency, a Retry-After and a number of requests."""
    chip(page, "Your own values").click()
    form = page.get_by_role("form", name="A fault with your own values")
    for label, value in (("Status", "500"), ("Seconds late", "0.2"), ("Retry-After", "7")):
        form.get_by_label(label).fill(value)
    form.get_by_label("Requests").fill("2")
    form.get_by_label("Record the event first").check()
    form.get_by_role("button", name=re.compile("^Add")).click()
    expect(_tokens(page)).to_have_count(1)
    assert sandbox.faults[0]["times"] == 2
    result = _lead(client)
    assert (result["status_code"], result["retry_after"]) == (500, 7.0)
    assert len(sandbox.leads) == 1
    assert sandbox.faults[0]["times"] == 1


def test_invalid_own_values_are_explained(page: Page, windows: Windows, sandbox: Sandbox) -> None:
    """The page shows why the sandbox does not accept a fault, and queues none."""
    chip(page, "Your own values").click()
    form = page.get_by_role("form", name="A fault with your own values")
    form.get_by_label("Status").fill("500")
    form.get_by_label("Drop the connection").check()
    windows.expected = re.compile("status of 422")
    form.get_by_role("button", name=re.compile("^Add")).click()
    expect(message(page)).to_contain_text(re.compile("drop.*status|status.*drop"))
    assert sandbox.faults == []


def test_a_token_is_removed(page: Page, sandbox: Sandbox, client: CMSClient) -> None:
    """Removing one fault leaves the others, in their order."""
    for name in ("503", "drop", "429, retry after 30 s"):
        chip(page, name).click()
        expect(queue(page)).to_contain_text(name)
    queue(page).get_by_role("button", name="Remove drop").click()
    expect(_tokens(page)).to_have_count(2)
    assert [fault["label"] for fault in sandbox.faults] == ["503", "429, retry after 30 s"]
    assert [_lead(client)["status_code"] for _ in range(2)] == [503, 429]


def test_faults_of_the_application_appear(page: Page, sandbox: Sandbox) -> None:
    """The queue shows a fault that a test injects with `fail_next`, and an outage."""
    sandbox.fail_next(2, status=500)
    expect(queue(page)).to_contain_text("500 × 2")
    with sandbox.outage():
        expect(queue(page)).to_contain_text("outage")
    expect(queue(page)).not_to_contain_text("outage")


def test_duplicates_can_be_rejected(page: Page, sandbox: Sandbox, client: CMSClient) -> None:
    """The setting Duplicates changes the status of the response to a duplicate."""
    _lead(client)
    settings = section(page, "Break the next request").get_by_role("form", name="Settings")
    with page.expect_response("**/_sandbox/settings"):
        settings.get_by_label("Duplicates").select_option("409")
    assert sandbox.settings["duplicate_status"] == 409
    _lead(client)
    expect(rows(page)).to_contain_text(["409 duplicate", "200 recorded"])


def test_the_format_of_the_response_changes(
    page: Page, sandbox: Sandbox, client: CMSClient
) -> None:
    """The setting Response makes the sandbox reject the next event with status 200."""
    settings = section(page, "Break the next request").get_by_role("form", name="Settings")
    with page.expect_response("**/_sandbox/settings"):
        settings.get_by_label("Response").select_option("success_false")
    result = _lead(client)
    assert (result["success"], result["status_code"]) == (False, 200)
    assert sandbox.leads == []


def test_the_rate_limit_is_switched(page: Page, sandbox: Sandbox) -> None:
    """The check box sets the limit of the real service, and removes it; both pages agree."""
    box = section(page, "Break the next request").get_by_role("checkbox", name=re.compile("60"))
    expect(box).not_to_be_checked()
    with page.expect_response("**/_sandbox/settings"):
        box.check()
    assert sandbox.settings["rate_limit"] == 60
    sandbox.update_settings(rate_limit=None)
    expect(box).not_to_be_checked()


def test_clear_removes_the_faults_of_an_empty_page(page: Page, sandbox: Sandbox) -> None:
    """Clear removes the queued faults even if no request has come, and Undo restores them."""
    chip(page, "503").click()
    expect(queue(page)).to_contain_text("503")
    page.get_by_role("button", name="Clear", exact=True).click()
    expect(queue(page)).not_to_contain_text("503")
    assert sandbox.faults == []
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(queue(page)).to_contain_text("503")
