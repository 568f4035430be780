"""Injects faults into requests to the operations."""

import asyncio
import socket
from contextlib import suppress
from typing import Optional

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..state.exchanges import Exchange
from ..state.refusal import Refusal
from ..state.state import State
from .bodies import MAX_BODY_BYTES
from .response_formats import make_error

DROP = "cutmeshort.drop"  # the type of an ASGI message: drop the connection


class FaultInjector:
    """
    An ASGI application that wraps another one and injects the faults of the state.

    Recorder must wrap this application: it sets the exchange of a request, and logs a drop.

    Args:
        app: The wrapped application.
        state: The sandbox's state.
    """

    def __init__(self, app: ASGIApp, state: State) -> None:
        self._app = app
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Inject the next fault into a request to an operation; pass on any other request."""
        exchange: Optional[Exchange] = scope["state"]["exchange"]
        fault = self._state.take_fault() if exchange is not None else None
        if exchange is None or fault is None:
            await self._app(scope, receive, send)
            return
        exchange.fault = fault
        response: list[Message] = []

        async def buffer(message: Message) -> None:
            response.append(message)

        if fault.recorded:
            await self._app(scope, receive, buffer)
        elif not await _read_body(receive):
            return  # the client gave up: there is no response
        if fault.latency and await _disconnects_within(fault.latency, receive):
            return
        if fault.drop:
            await send({"type": DROP})
            await wait_for_disconnect(receive)
        elif fault.status is not None:
            headers = {}
            if fault.retry_after is not None:
                headers["Retry-After"] = str(fault.retry_after)
            refusal = Refusal(fault.status, headers=headers)
            error = make_error(scope, self._state.settings.error_response, refusal)
            await error(scope, receive, send)
        else:
            for message in response:
                await send(message)


async def _read_body(receive: Receive) -> bool:
    """Read a body that nothing processes, so that the log has it; return False if it ends early."""
    size, more = 0, True
    while more and size <= MAX_BODY_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            return False
        size += len(message["body"])
        more = message["more_body"]
    return True


async def _disconnects_within(seconds: float, receive: Receive) -> bool:
    """Wait until the client disconnects, for some seconds at most; return whether it did."""
    try:
        await asyncio.wait_for(wait_for_disconnect(receive), seconds)
    except asyncio.TimeoutError:
        return False
    return True


async def wait_for_disconnect(receive: Receive) -> None:
    """Wait until the connection is closed, and discard what the client sends until then."""
    while (await receive())["type"] != "http.disconnect":
        pass


class DroppingProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 protocol, which puts `drop` into the state of a request."""

    def connection_made(  # type: ignore[override]
        self, transport: asyncio.Transport
    ) -> None:
        """Give the requests of a new connection the means to drop it."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, "drop": transport.abort}

    def connection_lost(self, exc: Optional[Exception]) -> None:
        """Close the connection to the client even if a forked child has a copy of it."""
        super().connection_lost(exc)
        with suppress(OSError):  # the client closed it first
            self.transport.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
