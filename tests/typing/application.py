"""
Code of an application, which type checkers check and nothing runs.

A line that must be an error has an ignore comment; both type checkers report it if it is not
needed.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=error

from datetime import datetime
from threading import Event
from typing import Any, Optional, Union
from uuid import UUID

from flask import Flask, request
from sqlalchemy import Engine, MetaData
from sqlalchemy.orm import Session
from starlette.applications import Starlette
from starlette.requests import Request
from typing_extensions import Literal, Unpack, assert_type

from cms_python.models.lead_payload import LeadPayload as FormerLeadPayload
from cutmeshort import (
    ApiClient,
    ApiResponse,
    CMSClient,
    Configuration,
    LeadPayload,
    Outcome,
    RequestOptions,
    SalePayload,
    TrackError,
    TrackingApi,
    TrackResponse,
    TrackResult,
    TrackSuccess,
    click_id,
)
from cutmeshort.integrations.asgi import ClickIdMiddleware
from cutmeshort.integrations.flask import ClickId
from cutmeshort.integrations.sqlalchemy import SessionTracker, outbox_table, relay
from cutmeshort.outbox import Outbox
from cutmeshort.sandbox import Sandbox
from cutmeshort.testing import redirect


def results(client: CMSClient) -> Optional[float]:
    result = client.track_lead("Sign up", "user_42", click_id="click_1", mode="deferred")
    print(result["sucess"])  # type: ignore[typeddict-item]
    if result["success"]:
        assert_type(result, TrackSuccess)  # pyright: ignore[reportAssertTypeFailure]
        assert_type(result["message"], str)
        assert_type(result["data"], dict[str, Any])
        assert_type(result.get("duplicate"), Optional[Literal[True]])
    else:
        assert_type(result, TrackError)  # pyright: ignore[reportAssertTypeFailure]
        assert_type(result["error"], str)
        assert_type(result["status_code"], int)
        assert_type(result["type"], str)
        assert_type(result["retryable"], bool)
        assert_type(result["attempts"], int)
        assert_type(result.get("request_id"), Optional[str])
        assert_type(result.get("warnings"), Optional[list[dict[str, str]]])
        assert_type(result.get("retry_after"), Optional[float])
        if "details" in result:
            assert_type(result["details"], Union[dict[str, Any], list[Any]])
        return result.get("retry_after")
    return None


def results_by_identity(result: TrackResult) -> str:
    if result["success"] is True:
        return message_of(result)
    return error_of(result)


def message_of(success: TrackSuccess) -> str:
    print(success["error"])  # type: ignore[typeddict-item]
    return success["message"]


def error_of(error: TrackError) -> str:
    print(error["message"])  # type: ignore[typeddict-item]
    return error["error"]


def arguments(client: CMSClient) -> None:
    client.track_lead("Sign up", "user_42", timestamp=datetime.now())
    client.track_lead("Sign up", "user_42", timestamp="2026-01-31T12:00:00Z", timeout=3)
    client.track_sale("Purchase", "user_42", "inv_1", 4999, "USD", max_retries=0)
    client.track_sale("Purchase", 42, UUID(int=1), 4999, "USD")
    client.track_lead("Sign up", 4.2)  # type: ignore[arg-type]
    client.track_sale("Purchase", "user_42", "inv_1", 49.99, "USD")  # type: ignore[arg-type]
    client.track_lead("Sign up")  # type: ignore[call-arg]
    client.track_lead("Sign up", "user_42", mode="later")  # type: ignore[arg-type]
    client.track_lead("Sign up", "user_42", custmer_name="Ann")  # type: ignore[call-arg]


def models() -> None:
    lead = LeadPayload(event_name="Sign up", customer_external_id="user_42", timestamp="2026-01-31")
    assert_type(lead.customer_name, Optional[str])
    assert_type(LeadPayload.from_dict({}), LeadPayload)
    assert_type(SalePayload.from_json("{}"), SalePayload)
    assert_type(lead.to_dict(), dict[str, Any])
    LeadPayload(eventName="Sign up", customer_external_id="user_42")  # type: ignore[call-arg]
    SalePayload(event_name="Purchase", customer_external_id="user_42")  # type: ignore[call-arg]


def former_names() -> None:
    assert_type(FormerLeadPayload.from_dict({}), LeadPayload)


def operations(api: TrackingApi, lead: LeadPayload, sale: SalePayload) -> None:
    assert_type(api.track_lead(lead), TrackResponse)
    assert_type(api.track_sale_with_http_info(sale), ApiResponse[TrackResponse])
    assert_type(api.track_sale_without_preload_content(sale).status, int)
    api.track_lead({"event_name": "Sign up"}, _deadline=3, _request_timeout=(1, 2), _headers={})
    api.track_lead(sale)  # type: ignore[arg-type]
    api.track_lead(lead, _deadlin=3)  # type: ignore[call-arg]
    api.track_lead(lead, _deadline="3")  # type: ignore[arg-type]
    api.track_lead(lead, _request_timeout=(1, 2, 3))  # type: ignore[arg-type]


def wrapper(api: TrackingApi, lead: LeadPayload, **options: Unpack[RequestOptions]) -> str:
    return api.track_lead(lead, **options).message


def hook(outcome: Outcome) -> None:
    assert_type(outcome.type, Optional[str])
    assert_type(outcome.seconds, float)
    outcome.success = False  # type: ignore[misc]


def hooks() -> None:
    CMSClient(on_outcome=hook)
    CMSClient(on_outcome=print, enabled=False)
    CMSClient(on_outcome=len)  # type: ignore[arg-type]


def settings() -> None:
    configuration = Configuration(timeout=5, socket_options=[(1, 2, 3)])
    configuration.timeout = 3
    configuration.timeout = "3"  # type: ignore[assignment]
    with ApiClient(configuration) as api_client:
        assert_type(api_client, ApiClient)
    with CMSClient(configuration=configuration) as client:
        assert_type(client, CMSClient)
    Configuration(retries="3")  # type: ignore[arg-type]


def clicks(starlette_request: Request) -> None:
    assert_type(click_id.read({"cms_rf": "click_1"}), Optional[str])
    click_id.read(request.cookies, request.args, names="cms_rf", model="first")
    click_id.read(starlette_request.cookies, starlette_request.query_params, names=["cms_rf"])
    click_id.read(None, None, model="newest")  # type: ignore[arg-type]
    click_id.read("cms_rf=click_1")  # type: ignore[arg-type]


def has_consent(request: Request) -> bool:
    return request.cookies.get("consent") == "yes"


def integrations(flask_app: Flask, app: Starlette) -> None:
    ClickId(flask_app, max_age=60, domain="shop.example")
    ClickId(max_age="60")  # type: ignore[arg-type]
    ClickId(maxage=60)  # type: ignore[call-arg]
    app.add_middleware(ClickIdMiddleware, max_age=60, consent=has_consent)
    ClickIdMiddleware(app, model="newest")  # type: ignore[arg-type]


def checks(sandbox: Sandbox) -> None:
    assert_type(sandbox.assert_lead(mode="deferred", timestamp=datetime.now()), LeadPayload)
    assert_type(sandbox.assert_sale(customer_external_id=42, click_id=None), SalePayload)
    sandbox.assert_sale(amont=4999)  # type: ignore[call-arg]
    sandbox.assert_lead(amount=4999)  # type: ignore[call-arg]
    sandbox.assert_sale(amount="4999")  # type: ignore[arg-type]
    assert_type(sandbox.requests[0].status, Optional[int])
    assert_type(sandbox.refused[0].status, int)
    with redirect(sandbox.url, sandbox.token) as nothing:
        assert_type(nothing, None)


def commit_with_the_order(session: Session) -> TrackResult:
    table = outbox_table(MetaData())
    SessionTracker(session)  # type: ignore[call-arg]
    tracker = SessionTracker(session, table, enabled=True, on_outcome=print)
    return tracker.track_sale("Purchase", "user_42", "inv_1", 4999, "USD")


def relay_events(engine: Engine) -> None:
    with Outbox("cms.db") as outbox:
        relay(engine, outbox, outbox_table(MetaData()), stop=Event(), interval=0.5)
