"""What the plugin adds to the reports of failed tests, and to the summary."""

import pytest

from .runs import failure, run_pytest

TESTS = """
from cutmeshort import LeadPayload, SalePayload

import shop

EXPECTED = {"event_name": "Purchase", "customer_external_id": "user_42", "amount": 4999}


def sell(invoice="inv_1", amount=4999, click_id="click_1"):
    return shop.client.track_sale("Purchase", "user_42", invoice, amount, "USD", click_id)


def sale(invoice="inv_1", amount=4999, **changes):
    return SalePayload(
        **{**EXPECTED, "invoice_id": invoice, "amount": amount, "currency": "USD", **changes}
    )


def test_list(cms_sandbox):
    sell("inv_1", 49)
    sell("inv_2", 49)
    assert cms_sandbox.sales == [sale(click_id="click_1"), sale("inv_2", 49)]


def test_missing_and_unexpected(cms_sandbox):
    sell()
    expected = [sale(click_id="click_1"), 0, sale("inv_2"), sale("inv_3")]
    assert [*cms_sandbox.sales, 0, None] == expected


def test_unexpected(cms_sandbox):
    sell()
    assert cms_sandbox.sales == []


def test_dict(cms_sandbox):
    sell()
    assert cms_sandbox.sales == [{"amount": 4999}]


def test_other_model(cms_sandbox):
    sell()
    assert cms_sandbox.sales[0] == LeadPayload(event_name="a", customer_external_id="b")


def test_single(cms_sandbox):
    sell(amount=49)
    assert cms_sandbox.sales[0] == sale(click_id="click_1", timestamp="2026-01-31")


def test_check(cms_sandbox):
    sell(amount=49)
    cms_sandbox.assert_sale(customer_external_id="user_42", amount=4999)


def test_requests(cms_sandbox):
    sell(click_id=None)
    cms_sandbox.fail_next(drop=True)
    sell("inv_2")
    sell("inv_3")
    assert cms_sandbox.leads


def test_no_request(cms_sandbox):
    assert sell(amount=0.5)["success"]


def test_many_requests(cms_sandbox):
    for number in range(52):
        sell(number)
    assert not cms_sandbox.sales


def test_plain():
    assert 1 == 2


def test_plain_list(cms_sandbox):
    assert cms_sandbox.leads == [1]


def test_in(cms_sandbox):
    sell()
    assert sale() in cms_sandbox.sales
"""


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> pytest.LineMatcher:
    """The output of one run of all these tests, each of which fails."""
    folder = tmp_path_factory.mktemp("reports")
    return run_pytest(folder, "-vv", files={"test_shop.py": TESTS})


def shown(invoice: str, click_id: str = "") -> str:
    """Return how a sale is shown."""
    start = "SalePayload(event_name='Purchase', customer_external_id='user_42', "
    return f"{start}{click_id}invoice_id='{invoice}', amount=4999, currency='USD')"


NO_CLICK = "clickId is required: the customer has no click from a deferred lead."
SOLD = shown("inv_1", "click_id='click_1', ")
A_DICT = "a payload never equals a dict: write SalePayload(...) instead of the dict, or compare"
DIFFERENCES = {
    "test_list": [
        "#0 amount: recorded 49, expected 4999",
        "#1 click_id: recorded 'click_1', expected nothing",
    ],
    "test_missing_and_unexpected": [
        f"#2 recorded nothing, expected {shown('inv_2')}",
        f"#3 missing: expected {shown('inv_3')}",
    ],
    "test_unexpected": [f"#0 unexpected: recorded {SOLD}"],
    "test_dict": [
        f"#0 recorded {SOLD}, expected {{'amount': 4999}}",
        f"#0 {A_DICT} the payload's to_dict()",
    ],
    "test_other_model": [
        f"recorded {SOLD}, expected LeadPayload(event_name='a', customer_external_id='b')"
    ],
    "test_single": [
        "timestamp: recorded nothing, expected 2026-01-31T00:00:00+00:00",
        "amount: recorded 49, expected 4999",
    ],
}


@pytest.mark.parametrize("test", DIFFERENCES)
def test_a_comparison_shows_each_difference(test: str, output: pytest.LineMatcher) -> None:
    """A failed comparison of payloads has one line for each field, or event, that differs."""
    lines = [line[1:].strip() for line in failure(output, test) if line.startswith("E ")]
    first = lines.pop(0).removeprefix("AssertionError: ")
    assert first == "assert recorded events == expected events"
    assert lines == DIFFERENCES[test]


@pytest.mark.parametrize("test", ["test_plain", "test_plain_list", "test_in"])
def test_other_comparisons_are_left_to_pytest(test: str, output: pytest.LineMatcher) -> None:
    """A comparison without payloads, or of another type, is shown as without the plugin."""
    assert not any("recorded" in line for line in failure(output, test))


def test_a_failed_check_points_to_the_test(output: pytest.LineMatcher) -> None:
    """The traceback of `assert_sale` ends in the test, and its message has the differences."""
    report = failure(output, "test_check")
    assert "E       #0 amount: recorded 49, expected 4999" in "\n".join(report)
    locations = [line for line in report if ".py:" in line and "CutMeShort" not in line]
    assert all(line.startswith("test_shop.py:") for line in locations)


def test_a_failed_test_shows_its_requests(output: pytest.LineMatcher) -> None:
    """The report has a line for each request, and says which were rejected or dropped, and why."""
    report = failure(output, "test_requests")
    start = next(n for n, line in enumerate(report) if " CutMeShort requests " in line)
    assert report[start + 1 :] == [
        f"track_sale 422 unprocessable_entity: {NO_CLICK}",
        "track_sale dropped: The sandbox dropped the connection (fail_next).",
        "track_sale 200 ok: Sale tracked successfully",
    ]


def test_a_failed_test_shows_its_newest_requests(output: pytest.LineMatcher) -> None:
    """The report of a test with many requests has the newest fifty."""
    report = failure(output, "test_many_requests")
    assert sum(line.startswith("track_sale 200") for line in report) == 50


def test_a_failed_test_without_requests_has_no_section(output: pytest.LineMatcher) -> None:
    """The report of a test that made no request has no section with requests."""
    assert not any("CutMeShort" in line for line in failure(output, "test_no_request"))
    assert not any("CutMeShort" in line for line in failure(output, "test_plain"))
