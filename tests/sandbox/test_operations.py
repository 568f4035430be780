"""The sandbox serves every operation of the API."""

import pytest

from cutmeshort import LeadPayload
from cutmeshort.operations import OPERATIONS, Operation
from cutmeshort.sandbox import Sandbox
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
