"""The error responses that `refused` lists."""

import dataclasses
import json
from datetime import datetime, timezone
from typing import Any, Optional

import pytest
import urllib3
from typing_extensions import get_args

from cutmeshort import CMSClient, LeadPayload, SalePayload
from cutmeshort.sandbox import Refused, Sandbox
from cutmeshort.sandbox.http.bodies import MAX_BODY_BYTES
from cutmeshort.sandbox.http.response_formats import REJECTIONS
from cutmeshort.sandbox.state.settings import ErrorFormat

from ..support.events import lead, sale
from .helpers import LEAD, cause_bug, post, request


def test_refused_lists_error_responses() -> None:
    """`refused` has the operation, status, type, message and time of each error response."""
    with Sandbox(rate_limit=8, duplicate_status=409) as sandbox:
        begin = datetime.now(timezone.utc)
        deferred = {**LEAD, "mode": "deferred"}
        responses = [
            post(sandbox, LEAD, Authorization="Bearer wrong"),
            post(sandbox, b"{", "/track/sale"),
            post(sandbox, {"eventName": ""}),
            post(sandbox, {"event": 1}, "/track/sale"),
            post(sandbox, b" " * (MAX_BODY_BYTES + 1), retries=False),
            post(sandbox, {"eventName": "a", "customerExternalId": "b"}),
            *(post(sandbox, event) for event in (deferred, deferred, LEAD)),
            post(sandbox, LEAD, "/track/%73ale"),
            request(sandbox, "PUT", "/track/lead"),
        ]
        end = datetime.now(timezone.utc)
    errors = [response.json() for response in responses if response.status != 200]
    statuses = [401, 400, 422, 422, 413, 422, 409, 409, 429, 405]
    assert [refused.status for refused in sandbox.refused] == statuses
    assert [(refused.status, refused.type, refused.message) for refused in sandbox.refused] == [
        (error["statusCode"], error["type"], error["error"]) for error in errors
    ]
    operations = [refused.operation.partition("_")[2] for refused in sandbox.refused]
    assert operations == ["lead", "sale", "lead", "sale", *["lead"] * 4, "sale", "lead"]
    times = [refused.time for refused in sandbox.refused]
    assert [begin, *times, end] == sorted([begin, *times, end])
    assert {time.tzinfo for time in times} == {timezone.utc}


def test_refused_lists_neither_successes_nor_other_paths(
    sandbox: Sandbox, client: CMSClient
) -> None:
    """`refused` has no successes, and no errors on paths that are not an operation's."""
    assert lead(client)["success"] is sale(client)["success"] is True
    for path in ("/elsewhere", "/track/lead/", "/track/other", "/docs"):
        assert post(sandbox, {}, path).status in (404, 405)
    assert sandbox.refused == []


def test_refused_returns_a_new_list_each_time(sandbox: Sandbox) -> None:
    """Changes of a returned list and `reset` affect no other list, and items are immutable."""
    post(sandbox, {})
    before = sandbox.refused
    sandbox.refused.clear()
    assert sandbox.refused == before
    sandbox.reset()
    assert sandbox.refused == []
    (refused,) = before
    assert isinstance(refused, Refused)
    with pytest.raises(dataclasses.FrozenInstanceError):
        refused.status = 200  # type: ignore[misc]


@pytest.mark.parametrize(
    ("fault", "status", "recorded"),
    [
        ({"status": 503}, 503, 0),
        ({"status": 304}, 304, 0),
        ({"status": 503, "recorded": True}, 503, 1),
        ({"status": 503, "recorded": True, "click_id": None}, 503, 0),
        ({"latency": 0.05, "status": 500}, 500, 0),
        ({"latency": 0.05, "click_id": None}, 422, 0),
        ({"latency": 0.05}, None, 1),
        ({"drop": True}, None, 0),
        ({"drop": True, "recorded": True, "click_id": None}, None, 0),
        ({"latency": 3600, "status": 500}, None, 0),
        ({"latency": 3600, "click_id": None}, None, 0),
    ],
    ids=str,
)
def test_refused_lists_only_responses_that_were_sent(
    fault: Any, status: Optional[int], recorded: int
) -> None:
    """A request with a fault is in `refused` with the response that the client got, if any."""
    fault = dict(fault)
    click_id = fault.pop("click_id", "click_1")
    timeout = 0.2 if fault.get("latency") == 3600 else 10
    with Sandbox() as sandbox, CMSClient(sandbox.token, sandbox.url) as client:
        sandbox.fail_next(**fault)
        result = lead(client, click_id=click_id, max_retries=0, timeout=timeout)
    assert [refused.status for refused in sandbox.refused] == ([status] if status else [])
    assert all(refused.type == result["type"] for refused in sandbox.refused)
    assert len(sandbox.leads) == recorded


@pytest.mark.parametrize("format", tuple(REJECTIONS))
def test_refused_lists_rejections_with_status_200(format: Any) -> None:
    """A rejection has status 200, the type that the SDK reports and the format of `response`."""
    with Sandbox(response=format) as sandbox, CMSClient(sandbox.token, sandbox.url) as client:
        results = [lead(client), sale(client)]
    assert [(refused.operation, refused.status, refused.type) for refused in sandbox.refused] == [
        ("track_lead", 200, results[0]["type"]),
        ("track_sale", 200, results[1]["type"]),
    ]
    assert all(f'response="{format}"' in refused.message for refused in sandbox.refused)


@pytest.mark.parametrize("format", get_args(ErrorFormat))
def test_refused_has_type_and_message_in_every_format(format: Any) -> None:
    """`refused` has type and message even if the format of the response has none."""
    with Sandbox(error_response=format, error_status=418) as sandbox:
        assert post(sandbox, {}).status == 418
    (refused,) = sandbox.refused
    assert (refused.operation, refused.status, refused.type) == ("track_lead", 418, "api_error")
    assert "did not track" in refused.message


def test_refused_keeps_the_newest_thousand() -> None:
    """`refused` keeps only the newest 1,000 errors, and truncates long names, to bound memory."""
    wrong = json.dumps({f"{number}{'x' * 10_000}": 1 for number in range(20)}).encode()
    with Sandbox() as sandbox, urllib3.PoolManager() as pool:
        for number in range(1002):
            token = "wrong" if number < 3 else sandbox.token
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            pool.request("POST", sandbox.url + "/track/lead", body=wrong, headers=headers)
    statuses = [refused.status for refused in sandbox.refused]
    assert statuses == [401] + [422] * 999
    assert max(len(refused.message) for refused in sandbox.refused) < 2000


def test_refused_contains_no_values_of_the_request() -> None:
    """Neither a customer's data nor a token is in `refused`."""
    secret = "zoe@secret.example"
    names = [
        field.alias for model in (LeadPayload, SalePayload) for field in model.model_fields.values()
    ]
    values = [secret, [secret], {secret: secret}, f"{secret}\n", secret * 999]
    bodies = [{**LEAD, name: value} for name in names for value in values]
    with Sandbox(token=f"tok_{secret}", duplicate_status=409) as sandbox:
        post(sandbox, LEAD, Authorization=f"Bearer {secret}")
        for body in bodies:
            for path in ("/track/lead", "/track/sale"):
                post(sandbox, body, f"{path}?email={secret}")
        secret_lead = {"eventName": secret, "customerExternalId": secret, "clickId": secret}
        secret_sale = {**secret_lead, "invoiceId": secret, "amount": 1, "currency": "usd"}
        for changes in ({}, {}, {"mode": "deferred"}, {}):
            post(sandbox, {**secret_lead, **changes})
            post(sandbox, secret_sale, "/track/sale")
    types = {refused.type for refused in sandbox.refused}
    assert types > {"unauthorized", "unprocessable_entity", "duplicate_event"}
    assert "duplicate_attribution" in types
    assert "secret" not in repr(sandbox.refused)


def test_a_bug_in_the_sandbox_is_a_500(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sandbox responds to an unexpected exception with a 500, which is in `refused`."""
    with Sandbox() as sandbox:
        cause_bug(sandbox, monkeypatch)
        response = post(sandbox, LEAD)
    assert (response.status, response.json()["type"]) == (500, "internal_server_error")
    assert response.headers["X-Request-Id"]
    assert [refused.status for refused in sandbox.refused] == [500]
