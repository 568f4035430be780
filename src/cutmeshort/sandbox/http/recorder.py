"""ASGI middleware that assigns an id to each request and keeps those to the operations."""

import secrets
import time
from collections.abc import Awaitable
from datetime import datetime, timezone
from typing import Callable, Optional

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ...operations import OPERATIONS
from ..state.exchanges import Exchange, ExchangeLog
from ..state.state import State
from .access import cross_site_refusal
from .injection import DROP

_OPERATIONS = {operation.path: operation for operation in OPERATIONS}
_DISCONNECTED = "The client closed the connection before the response."


class Recorder:
    """
    An ASGI application that wraps another one and adds its requests to the log of the state.

    In the request's state, it sets `request_id`; `refusal` to why another website must not send the
    request, else None; and `exchange` to the exchange of a request to an operation, else None. It
    is also None if there is a refusal: the log, the faults and the rate limit ignore the request.
    It adds the X-Request-Id header to the response. The application sets what the response means in
    the exchange before it sends the response. The state of a request to an operation must have
    `drop`, a function that drops the connection.

    Args:
        app: The wrapped application.
        state: The sandbox's state.
    """

    def __init__(self, app: ASGIApp, state: State) -> None:
        self._app = app
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request to the wrapped application, and log the request and its response."""
        operation = _OPERATIONS.get(scope["path"])
        request_id = f"req_{secrets.token_hex(6)}"
        scope["state"]["request_id"] = request_id
        replay_of = scope["state"].get("replay_of")
        # The developer may replay a request, whichever website sent the original.
        refusal = cross_site_refusal(scope["headers"]) if replay_of is None else None
        scope["state"]["refusal"] = refusal
        if operation is None or refusal is not None:
            scope["state"]["exchange"] = None
            await self._app(scope, receive, _with_id(send, request_id))
            return
        exchange = Exchange(
            request_id,
            operation,
            scope["method"],
            scope["headers"],
            datetime.now(timezone.utc),
            replay_of=replay_of,
        )
        scope["state"]["exchange"] = exchange
        drop = scope["state"]["drop"]
        recording = _Recording(exchange, self._state, receive, _with_id(send, request_id), drop)
        try:
            await self._app(scope, recording.receive, recording.send)
        finally:
            recording.end("disconnected", _DISCONNECTED)


def _with_id(send: Send, request_id: str) -> Send:
    async def send_with_id(message: Message) -> None:
        if message["type"] == "http.response.start":
            header = (b"x-request-id", request_id.encode())
            message = {**message, "headers": [*message["headers"], header]}
        await send(message)

    return send_with_id


class _Recording:
    """Notes what the client and the application send, and logs the exchange at its end."""

    def __init__(
        self,
        exchange: Exchange,
        state: State,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
        drop: Callable[[], None],
    ) -> None:
        self._exchange = exchange
        self._state = state
        self._log: Optional[ExchangeLog] = state.log  # None once the exchange is logged
        self._receive = receive
        self._send = send
        self._drop = drop
        self._start: Optional[Message] = None
        self._begin = time.perf_counter()

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._exchange.body.add(message.get("body", b""))
        else:  # http.disconnect
            self.end("disconnected", _DISCONNECTED)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message  # sent with the body, so that the exchange is logged before both
            return
        if message["type"] == DROP:
            self.end("dropped", "The sandbox dropped the connection (fail_next).")
            self._drop()
            return
        if self._start is not None:
            start, self._start = self._start, None
            if self._log is not None:  # else the client has closed the connection
                self._exchange.status = start["status"]
                self._exchange.response_headers = start["headers"]
                self._exchange.response_body.add(message.get("body", b""))
                self.end("ok", self._exchange.message)
            await self._send(start)
        await self._send(message)

    def end(self, type: str, message: str) -> None:
        """Log the exchange, unless it is logged."""
        log, self._log = self._log, None
        if log is None:
            return
        exchange = self._exchange
        exchange.type, exchange.message = type, message
        exchange.ended = datetime.now(timezone.utc)
        exchange.seconds = time.perf_counter() - self._begin
        self._state.finish(exchange, log)
