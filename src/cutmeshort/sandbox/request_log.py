"""What passes every request: its id."""

import secrets

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class RequestLog:
    """
    An ASGI application in front of another one, which gives each request an id.

    The id is in `request.state.request_id`, and in the X-Request-Id header of the response.

    Args:
        app: The other one.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request, and its response."""
        request_id = f"req_{secrets.token_hex(6)}"
        scope["state"]["request_id"] = request_id

        async def respond(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message["headers"], (b"x-request-id", request_id.encode())]
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, respond)
