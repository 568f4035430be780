"""Failures that the sandbox acts out for requests to come."""

import asyncio
import socket
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import Optional

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..exceptions import error_spec
from .replies import refuse
from .service import OPERATIONS, Refusal

_DROP = "cutmeshort.drop"


@dataclass(frozen=True)
class Fault:
    """
    What happens to one request.

    Attributes:
        status: The status of the answer; None for the true answer.
        drop: Whether the connection is closed without an answer.
        latency: Seconds before either.
        recorded: Whether the service gets the request all the same.
        retry_after: Seconds that the answer asks to wait.
    """

    status: Optional[int] = None
    drop: bool = False
    latency: float = 0.0
    recorded: bool = False
    retry_after: Optional[int] = None


class Faults:
    """
    An ASGI application that stands before another one, and lets some requests fail.

    Args:
        app: The other one.
        error_reply: The form of error answers.

    Attributes:
        pending: The faults to come, one for each request to an operation.
    """

    def __init__(self, app: ASGIApp, error_reply: str) -> None:
        self._app = app
        self._error_reply = error_reply
        self.pending: deque[Fault] = deque()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or don't."""
        fault = self._next() if scope["path"] in OPERATIONS else None
        if fault is None:
            await self._app(scope, receive, send)
            return
        answer: list[Message] = []

        async def keep(message: Message) -> None:
            answer.append(message)

        if fault.recorded:
            await self._app(scope, receive, keep)
        if fault.latency:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(_disconnected(receive), fault.latency)
                return  # the client left: there is no response
        if fault.drop:
            scope["extensions"][_DROP]()
            await _disconnected(receive)
        elif fault.status is not None:
            spec = error_spec(fault.status)
            wish = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
            refusal = Refusal(fault.status, spec.type, spec.message, headers=wish)
            await refuse(Request(scope), self._error_reply, refusal)(scope, receive, send)
        else:
            for message in answer:
                await send(message)

    def _next(self) -> Optional[Fault]:
        try:
            return self.pending.popleft()
        except IndexError:
            return None


async def _disconnected(receive: Receive) -> None:
    """Wait until the connection is closed, and discard what the client sends."""
    while (await receive())["type"] != "http.disconnect":
        pass


class DroppingProtocol(H11Protocol):
    """uvicorn's HTTP, which also tells the application how to drop a connection."""

    def connection_made(  # type: ignore[override]
        self, transport: asyncio.Transport
    ) -> None:
        """Take a new connection."""
        super().connection_made(transport)
        app = self.app

        async def with_drop(scope: Scope, receive: Receive, send: Send) -> None:
            scope["extensions"] = {**scope.get("extensions", {}), _DROP: transport.abort}
            await app(scope, receive, send)

        self.app = with_drop

    def connection_lost(self, exc: Optional[Exception]) -> None:
        """Tell the client that the connection is closed, even if the child of a fork has a copy."""
        super().connection_lost(exc)
        with suppress(OSError):  # the client closed it first
            self.transport.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
