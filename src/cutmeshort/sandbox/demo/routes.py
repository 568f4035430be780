"""The routes of the demo shop, and of the sandbox's short links."""

import secrets
from typing import Annotated, Callable, Optional

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from ... import click_id
from ...configuration import Configuration
from ...exceptions import ApiValueError
from ...results import TrackResult
from ..page.files import HEADERS, add_file
from ..state.clicks import is_link
from ..state.state import State
from .outcomes import describe, not_sent
from .shop import Call, confirm, pay, run, sign_up, to_python

_PACKAGE = __name__.rpartition(".")[0]

_Text = Annotated[str, Field(max_length=255)]


class _Confirmation(BaseModel):
    customer: _Text


class _SignUp(BaseModel):
    customer: _Text
    deferred: bool = False


class _Payment(BaseModel):
    customer: _Text
    invoice: _Text
    amount: _Text
    currency: _Text
    deferred: bool = False  # whether the customer has a deferred lead


def make_router(state: State, url: Callable[[], str], token: str) -> APIRouter:
    """
    Create the routes.

    Args:
        state: The sandbox's state.
        url: Returns the base URL of the sandbox, to which the shop sends its events.
        token: The bearer token that the sandbox accepts.
    """
    router = APIRouter(include_in_schema=False)
    add_file(router, "/demo", _PACKAGE, "demo.html")
    add_file(router, "/_sandbox/demo.css", _PACKAGE, "demo.css")
    add_file(router, "/_sandbox/demo.js", _PACKAGE, "demo.js")

    async def respond(request: Request, call: Call, *, deferred: bool = False) -> Response:
        """Make a call, and respond with its text, its result, and what the page shows of them."""
        configuration = Configuration(
            host=url(),
            access_token=token,
            timeout=10,
            retries=3,
            allow_insecure_http=True,  # the sandbox may listen on another address than loopback
            enabled=True,
        )
        result: Optional[TrackResult] = None
        source = call.text
        if call.make is None:
            outcome = not_sent("there is no click to credit. Follow the link in step 1 first.")
        else:
            known = _credited_click(state, call) is not None
            try:
                result = await run(call.make, request, configuration)
            except ApiValueError as error:
                outcome = not_sent(f"to_minor_units raised ApiValueError: {error}.")
            else:
                source += f"\n→ {to_python(result)}"
                click = _credited_click(state, call)
                outcome = describe(result, click, known=known, deferred=deferred)
        return JSONResponse(
            {"call": call.text, "result": result, "source": source, **outcome._asdict()}
        )

    @router.api_route("/s/{link}", methods=["GET", "HEAD"], response_model=None)
    async def follow_link(request: Request, link: str) -> Response:
        if not is_link(link):
            raise HTTPException(404)
        location = "/demo"
        if request.method == "GET":  # a program that checks links sends HEAD, which is not a click
            location += f"?cms_rf={state.follow_link(link).click_id}"
        return RedirectResponse(location, 302, headers=HEADERS)

    @router.post("/demo/link", response_model=None)
    async def create_link(request: Request) -> Response:
        name = secrets.token_urlsafe(3)
        return JSONResponse({"hash": name, "url": f"{request.base_url}s/{name}"})

    @router.post("/demo/sign-up", response_model=None)
    async def handle_sign_up(request: Request, body: _SignUp) -> Response:
        click = click_id.read(request.cookies)
        call = sign_up(body.customer, click, deferred=body.deferred)
        return await respond(request, call, deferred=body.deferred)

    @router.post("/demo/confirm", response_model=None)
    async def handle_confirmation(request: Request, body: _Confirmation) -> Response:
        return await respond(request, confirm(body.customer))

    @router.post("/demo/pay", response_model=None)
    async def handle_payment(request: Request, body: _Payment) -> Response:
        click = click_id.read(request.cookies)
        return await respond(request, pay(click=click, **body.model_dump()))

    return router


def _credited_click(state: State, call: Call) -> Optional[str]:
    """Return the click to which the event of a call is credited; None if it is not recorded."""
    for operation, event, click, *_ in state.service.recorded():
        if operation is call.operation and operation.key_of(event) == call.key:
            return click
    return None
