"""Which events the sandbox records."""

from typing import Any

import pytest

from cutmeshort import CMSClient, LeadPayload, SalePayload
from cutmeshort.sandbox import Sandbox

from ..support.events import lead, sale


def test_events_are_recorded_as_sent(sandbox: Sandbox, client: CMSClient) -> None:
    """`leads` and `sales` contain the payloads as they were sent."""
    lead(client, customer_name="Zoë")
    sale(client)
    assert sandbox.leads == [
        LeadPayload(
            event_name="Sign up",
            customer_external_id="user_42",
            click_id="click_1",
            customer_name="Zoë",
        )
    ]
    assert sandbox.sales == [
        SalePayload(
            event_name="Purchase",
            customer_external_id="user_42",
            click_id="click_1",
            invoice_id="inv_1",
            amount=4999,
            currency="USD",
        )
    ]


@pytest.mark.parametrize("status", [200, 409])
def test_a_duplicate_is_recorded_once(status: Any) -> None:
    """The sandbox records a lead once per customer and event name, and a sale once per invoice."""
    with Sandbox(duplicate_status=status) as sandbox:
        with CMSClient(sandbox.token, sandbox.url) as client:
            for number in range(3):
                for result in (
                    lead(client),
                    sale(client, customer_external_id=f"user_{number}"),
                ):
                    assert result["success"] is (number == 0 or status == 200)
                    assert result.get("status_code", 200) == (status if number else 200)
        assert (len(sandbox.leads), len(sandbox.sales)) == (1, 1)


def test_a_rejected_duplicate_names_the_deduplication_key() -> None:
    """The 409 for a duplicate has its own type, and names the fields that identify the event."""
    with (
        Sandbox(duplicate_status=409) as sandbox,
        CMSClient(sandbox.token, sandbox.url) as client,
    ):
        for track, fields in ((lead, "customerExternalId and eventName"), (sale, "invoiceId")):
            assert track(client)["success"] is True
            result = track(client)
            assert (result["status_code"], result["type"]) == (409, "duplicate_event")
            assert f"with this {fields} is already recorded" in result["error"]
            for value in ("user_42", "Sign up", "inv_1", "click_1"):
                assert value not in result["error"]
