"""The sandbox serves every operation of the API."""

from typing import Any

import pytest

from cutmeshort import CMSClient, LeadPayload
from cutmeshort.operations import OPERATIONS, Operation
from cutmeshort.sandbox import Sandbox
from cutmeshort.sandbox.control.schemas import CopiedChain
from cutmeshort.sandbox.state import service

from ..support.operations import each_operation, payload
from .helpers import post, request


@each_operation
def test_each_operation_records_an_event_once(operation: Operation, sandbox: Sandbox) -> None:
    """The sandbox records an event of each operation, and reports a second one as a duplicate."""
    event = payload(operation)
    first, second = (
        request(
            sandbox,
            operation.method,
            operation.path,
            json=event.to_dict(),
            headers={"Authorization": f"Bearer {sandbox.token}"},
        )
        for _ in range(2)
    )
    assert (first.status, second.status) == (200, 200)
    noun = operation.name.partition("_")[2].capitalize()
    assert first.json() == {
        "success": True,
        "message": f"{noun} tracked successfully",
        "data": {"clickId": "click_1"},
    }
    assert second.json()["data"] == {"clickId": "click_1", "duplicate": True}
    assert sandbox._state.service.events(operation.request_model) == [event]
    assert [item.click_id for item in sandbox.attribution("user_42")] == ["click_1"]


@each_operation
def test_the_page_shows_each_operation(operation: Operation, sandbox: Sandbox) -> None:
    """An event of each operation is a step of its customer, and counts for its click."""
    post(sandbox, payload(operation).to_dict(), operation.path)
    chain = sandbox.chain("user_42")
    assert chain is not None
    assert [step["type"] for step in chain["steps"]] == ["click", operation.event]
    CopiedChain.model_validate(chain)
    totals = sandbox.state()["totals"]
    counts = {each.event: totals[f"{each.event}s"] for each in OPERATIONS}
    assert counts == {each.event: each is operation for each in OPERATIONS}
    script = request(sandbox, "GET", "/_sandbox/page.js").data.decode()
    assert f" {operation.event}: (" in script, "`makeStep` of page.js has no text for the step"
    assert f'id="{operation.event}"' in request(sandbox, "GET", "/").data.decode(), "no icon"


@each_operation
def test_requests_of_each_operation_are_copied(
    operation: Operation, sandbox: Sandbox, client: CMSClient
) -> None:
    """The page copies an event of each operation, a duplicate and the chain as tests that pass."""
    for _ in range(2):
        post(sandbox, payload(operation).to_dict(), operation.path)
    duplicate, first = (sandbox.request(each["id"]) for each in sandbox.log())
    assert first is not None
    assert duplicate is not None
    assert f" {operation.event} " in duplicate["why"]
    for shown in (first, duplicate, sandbox.chain("user_42")):
        assert shown is not None
        assert f"cms_client.{operation.name}(" in shown["copy"]["pytest"]
        names: dict[str, Any] = {}
        exec(shown["copy"]["pytest"], names)
        (test,) = (names[name] for name in names if name.startswith("test_"))
        sandbox.reset()
        test(client, sandbox)


@each_operation
def test_each_operation_is_named_in_refused(operation: Operation, sandbox: Sandbox) -> None:
    """The sandbox lists an invalid request in `refused` with the operation's name."""
    assert post(sandbox, {}, operation.path).status == 422
    assert [refused.operation for refused in sandbox.refused] == [operation.name]


def test_an_operation_without_rules_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sandbox that lacks the rules of an operation can't be created, and the error names it."""
    refund = Operation("track_refund", "POST", "/track/refund", LeadPayload, ("event_name",))
    monkeypatch.setattr(service, "OPERATIONS", (*OPERATIONS, refund))
    with pytest.raises(LookupError, match="no rules for track_refund"):
        Sandbox()


def test_the_openapi_description_has_the_wire_names(sandbox: Sandbox) -> None:
    """`/openapi.json` describes the operations, their models and their errors."""
    api = request(sandbox, "GET", "/openapi.json").json()
    assert set(api["paths"]) > {operation.path for operation in OPERATIONS}
    for name, method, path, *_ in OPERATIONS:
        assert api["paths"][path][method.lower()]["operationId"] == name
    operation = api["paths"]["/track/sale"]["post"]
    assert set(operation["responses"]) == {"200", "400", "401", "409", "422", "429"}
    schemas = api["components"]["schemas"]
    models = {operation.request_model.__name__ for operation in OPERATIONS}
    assert set(schemas) > models | {"TrackResponse", "ErrorResponse"}
    assert set(schemas["SalePayload"]["required"]) == {
        "eventName",
        "customerExternalId",
        "invoiceId",
        "amount",
        "currency",
    }
    assert operation["operationId"] == "track_sale"
    assert operation["summary"] == "Track a sale"
    body = operation["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/SalePayload"}
    assert schemas["SalePayload"]["properties"]["currency"]["pattern"] == "^[A-Za-z]{3}$"
    amount = schemas["SalePayload"]["properties"]["amount"]
    assert (amount["type"], amount["minimum"], amount["maximum"]) == ("integer", 0, 2**53 - 1)
    assert schemas["LeadPayload"]["properties"]["timestamp"]["anyOf"][0]["format"] == "date-time"
