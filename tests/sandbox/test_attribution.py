"""Which click the sandbox credits an event to."""

from typing import Any

import pytest

from cutmeshort import CMSClient
from cutmeshort.sandbox import Attribution, Sandbox

from ..support.events import lead, sale


def test_a_deferred_lead_associates_the_customer_with_the_click(
    sandbox: Sandbox, client: CMSClient
) -> None:
    """After a deferred lead, the customer's leads and sales need no click."""
    first = lead(client, mode="deferred")
    assert first["data"] == {"clickId": "click_1", "deferredAssociationStored": True}
    assert lead(client, click_id=None)["data"] == {"clickId": "click_1"}
    assert lead(client, click_id=None, event_name="Trial")["success"] is True
    assert sale(client, click_id=None)["data"] == {"clickId": "click_1"}
    (attribution,) = sandbox.attribution("user_42")
    assert attribution.click_id == "click_1"
    leads = [(event.event_name, event.mode) for event in attribution.leads]
    assert leads == [("Sign up", "deferred"), ("Sign up", None), ("Trial", None)]
    assert [event.invoice_id for event in attribution.sales] == ["inv_1"]


def test_a_follow_up_with_a_click_is_rejected(sandbox: Sandbox, client: CMSClient) -> None:
    """The sandbox rejects a lead with a click of a customer who has one from a deferred lead."""
    lead(client, mode="deferred")
    lead(client, click_id=None)
    result = lead(client)
    assert (result["status_code"], result["type"]) == (409, "duplicate_attribution")
    assert "deferred lead" in result["error"]
    assert "Leave clickId out" in result["error"]
    assert lead(client, mode="deferred")["data"]["duplicate"] is True
    assert len(sandbox.leads) == 2


@pytest.mark.parametrize("track", [lead, sale])
def test_an_event_without_a_click_is_rejected(
    track: Any, sandbox: Sandbox, client: CMSClient
) -> None:
    """The sandbox rejects an event without a click if its customer has no deferred lead."""
    result = track(client, click_id=None)
    assert (result["status_code"], result["type"]) == (422, "unprocessable_entity")
    assert result["details"][0]["field"] == "clickId"
    assert not sandbox.leads
    assert not sandbox.sales


def test_events_are_credited_to_their_clicks(sandbox: Sandbox, client: CMSClient) -> None:
    """`attribution` has the events of one customer, in one item for each click."""
    lead(client, click_id="a")
    sale(client, click_id="b", invoice_id="1")
    sale(client, click_id="a", invoice_id="2")
    lead(client, click_id="a", customer_external_id="other")
    first, second = sandbox.attribution("user_42")
    assert (first.click_id, len(first.leads), len(first.sales)) == ("a", 1, 1)
    assert (second.click_id, len(second.leads), len(second.sales)) == ("b", 0, 1)
    assert sandbox.attribution("unknown") == []
    assert isinstance(first, Attribution)


def test_attribution_takes_the_id_as_a_call_does(sandbox: Sandbox, client: CMSClient) -> None:
    """An id that is an int is found as the int and as text."""
    lead(client, customer_external_id=42)
    for customer in (42, "42"):
        (attribution,) = sandbox.attribution(customer)
        assert attribution.click_id == "click_1"
