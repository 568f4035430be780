"""Everything that the sandbox serves beside the operations, as one application."""

from typing import Callable

from fastapi import FastAPI
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .control import description, endpoints, operations
from .control.errors import add_error_handlers, make_error
from .control.follower import Feed
from .control.replay import Replayer
from .demo.routes import make_router as make_demo
from .http.access import Access, write_refusal
from .http.bodies import MAX_BODY_BYTES, BodyTooLarge, ClosingResponse, read_body
from .page.routes import router as page
from .state.state import State

_MAX_IMPORT_BYTES = 256 * 1024 * 1024  # an export has at most 1,000 requests of 32 KiB
_HEADERS = (
    (b"cache-control", b"no-store"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)


def create_interface(
    *,
    state: State,
    url: Callable[[], str],
    token: str,
    access: Access,
    feed: Callable[[], Feed],
    replayer: Replayer,
) -> ASGIApp:
    """
    Create the application.

    Args:
        state: The sandbox's state.
        url: Returns the sandbox's URL.
        token: The sandbox's token.
        access: Checks the Host header.
        feed: Returns what renders the state.
        replayer: Sends requests again.
    """
    app = FastAPI(openapi_url=None, redirect_slashes=False)
    add_error_handlers(app)
    app.include_router(endpoints.make_router(state, feed, replayer))
    app.include_router(description.make_router([*operations.make_router().routes, *app.routes]))
    app.include_router(page)
    app.include_router(make_demo(state, url, token))
    return _Shield(app, access)


class _Shield:
    """Checks the headers and the size of requests, and adds headers to the responses."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *_HEADERS]}
            await send(message)

        writes = scope["method"] not in ("GET", "HEAD")
        refusal = self._access.host_refusal(scope["headers"])
        if refusal is None and writes:
            refusal = write_refusal(scope["headers"])
        app = self._app
        if refusal is not None:
            app = make_error(refusal.status, refusal.message)
        elif writes:
            try:
                receive = await _read_body(scope, receive)
            except BodyTooLarge as error:
                response = make_error(413, error.message, error.headers)
                app = ClosingResponse(response, error.unread)
            except ClientDisconnect:
                return
        await app(scope, receive, send_with_headers)


async def _read_body(scope: Scope, receive: Receive) -> Receive:
    """Read the body within its limit, and return what receives it again; an empty one is `{}`."""
    limit = _MAX_IMPORT_BYTES if scope["path"] == "/_sandbox/import" else MAX_BODY_BYTES
    body = [await read_body(dict(scope["headers"]), receive, limit) or b"{}"]

    async def receive_again() -> Message:
        if body:
            return {"type": "http.request", "body": body.pop(), "more_body": False}
        return await receive()

    return receive_again
