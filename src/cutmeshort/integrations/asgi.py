"""The click id of a request in FastAPI and Starlette: `request.state.cms_click_id`."""

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from typing_extensions import Unpack

from .click_cookie import ClickCookie, ClickIdOptions, Parts, cache_headers


class ClickIdMiddleware:
    """
    Sets `request.state.cms_click_id` to the click id of the request; None if there is none.

    With `max_age`, it keeps the click in a cookie. For a websocket, it only reads.

    Args:
        app: The next ASGI application.
        options: The options of ClickIdOptions.
    """

    def __init__(self, app: ASGIApp, **options: Unpack[ClickIdOptions]) -> None:
        self._app = app
        self._click = ClickCookie(_parts, **options)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the next application."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        connection = Request(scope) if scope["type"] == "http" else HTTPConnection(scope)
        connection.state.cms_click_id, cookie = self._click.decide(connection)

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start" and cookie is not None:
                cookie_response = Response()
                cookie_response.set_cookie(**cookie)
                message = {"headers": [], **message}  # the application may send the same dict again
                headers = MutableHeaders(scope=message)
                headers.append("Set-Cookie", cookie_response.headers["Set-Cookie"])
                joined = (", ".join(headers.getlist(name)) for name in ("Vary", "Cache-Control"))
                headers.update(cache_headers(*joined))
            await send(message)

        await self._app(scope, receive, send_with_cookie)


def _parts(connection: HTTPConnection) -> Parts:
    secure = connection.scope.get("scheme") == "https"
    return Parts(connection.cookies, connection.query_params, secure)
