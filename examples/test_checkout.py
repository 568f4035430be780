"""Tests of the checkout, with the pytest plugin: `pytest examples/test_checkout.py`."""

from collections.abc import Iterator

import pytest
from checkout import Order, check_out, process_queue, queue

from cutmeshort.sandbox import Sandbox

ORDER = Order("inv_1", "user_42", 4999, "click_1")
THANKS = "Thank you! Order inv_1 is paid."


@pytest.fixture(autouse=True)
def _empty_queue() -> Iterator[None]:
    yield
    queue.clear()


def test_a_sale_is_tracked(cms_sandbox: Sandbox) -> None:
    """The sale is credited to the click, with the amount in cents."""
    assert check_out(ORDER) == THANKS
    cms_sandbox.assert_sale(
        customer_external_id="user_42", amount=4999, currency="USD", click_id="click_1"
    )
    assert queue == []


def test_a_rejected_sale_is_logged(cms_sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """The service rejects a sale without a click. The customer does not notice."""
    assert check_out(Order("inv_1", "user_42", 4999, click_id=None)) == THANKS
    assert [(request.status, request.type) for request in cms_sandbox.refused] == [
        (422, "unprocessable_entity")
    ]
    assert "order inv_1 not tracked" in caplog.text
    assert queue == []


def test_a_sale_during_an_outage_is_tracked_later(cms_sandbox: Sandbox) -> None:
    """The sale stays in the queue during the outage, and is then recorded once."""
    with cms_sandbox.outage():
        assert check_out(ORDER) == THANKS
        process_queue()
        assert queue == [ORDER]
    process_queue()
    assert queue == []
    assert len(cms_sandbox.sales) == 1
