"""Sends a request to an operation again, through the sandbox's own ASGI application."""

import asyncio

from starlette.types import ASGIApp, Message, Scope

from ..state.exchanges import Exchange
from ..state.tokens import mask_token


class Replayer:
    """
    Sends requests again. Its methods run in the server's thread.

    Args:
        app: The application with its log, its faults and its rate limit.
        token: The sandbox's token.
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token
        self._running: set[asyncio.Event] = set()

    async def replay(self, exchange: Exchange) -> Exchange:
        """
        Send the bytes of a request again, and return the new request once it has ended.

        Faults and the rate limit apply. A token that is masked, in a request of an earlier run, is
        replaced by the sandbox's token if that would be masked like this.
        """
        body = [exchange.body.data]
        ended = asyncio.Event()
        scope = self._scope(exchange)
        scope["state"]["drop"] = ended.set

        async def receive() -> Message:
            if body:
                return {"type": "http.request", "body": body.pop(), "more_body": False}
            await ended.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                ended.set()

        self._running.add(ended)
        try:
            await self._app(scope, receive, send)
        finally:
            self._running.remove(ended)
        replay: Exchange = scope["state"]["exchange"]
        return replay

    def stop(self) -> None:
        """Close the connections of the requests that have not ended."""
        for ended in self._running:
            ended.set()

    def _scope(self, exchange: Exchange) -> Scope:
        masked = f"Bearer {mask_token(self._token)}".encode()
        token = f"Bearer {self._token}".encode()
        path = exchange.operation.path
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": exchange.method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [
                (name.lower(), token if value == masked else value)
                for name, value in exchange.headers
            ],
            "client": None,
            "server": None,
            "state": {"replay_of": exchange.request_id},
        }
