"""Faults that the sandbox injects into the next requests."""

import asyncio
import socket
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import Optional

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..checks import check_count, check_flag, check_seconds
from ..exceptions import ApiValueError
from .refusal import Refusal
from .response_formats import make_error

DROP = "cutmeshort.drop"  # the type of an ASGI message: drop the connection


@dataclass(frozen=True)
class Fault:
    """
    What happens to one request.

    Attributes:
        status: The status of an error response; None for the service's own response.
        drop: Whether the connection is closed without a response.
        latency: Seconds before the response, or before the connection is closed.
        recorded: Whether the service processes the request, before the latency.
        retry_after: Seconds in the Retry-After header of the error response.
    """

    status: Optional[int]
    drop: bool
    latency: float
    recorded: bool
    retry_after: Optional[int]


def make_fault(
    *,
    status: Optional[int],
    drop: bool,
    latency: float,
    recorded: Optional[bool],
    retry_after: Optional[int],
) -> Fault:
    """
    Create a fault from the arguments of Sandbox.fail_next.

    Raises:
        ApiValueError: An argument or their combination is invalid.
    """
    check_error_status("status", status)
    for name, value in (("drop", drop), ("recorded", recorded)):
        if value is not None:
            check_flag(name, value)
    if latency:
        check_seconds("latency", latency)
    if retry_after is not None:
        check_count("retry_after", retry_after)
        if status is None:
            raise ApiValueError("retry_after requires a status", "retry_after")
    if status is not None and drop:
        raise ApiValueError("status and drop=True can't be combined", "status")
    delayed_only = status is None and not drop
    if delayed_only and not latency:
        raise ApiValueError("fail_next needs a status, drop=True or a latency", "status")
    if delayed_only and recorded is False:
        raise ApiValueError(
            "recorded=False requires a status or drop=True: with a latency alone, the event is "
            "recorded",
            "recorded",
        )
    return Fault(status, drop, latency, delayed_only or bool(recorded), retry_after)


def check_error_status(name: str, value: Optional[int]) -> None:
    """Check that `value` is None or a status from 300 to 599."""
    if value is not None and not 300 <= check_count(name, value) <= 599:
        raise ApiValueError(f"{name} must be from 300 to 599, or None", name)


class Faults:
    """
    An ASGI application that wraps another one and injects faults into its requests.

    RequestLog must wrap this application: it sets the operation of a request, and logs a drop.

    Args:
        app: The wrapped application.
        error_format: The format of error responses.

    Attributes:
        pending: The faults to inject, one for each of the next requests to an operation.
        lasting: The fault to inject if none is pending; None if there is none.
    """

    def __init__(self, app: ASGIApp, error_format: str) -> None:
        self._app = app
        self._error_format = error_format
        self.pending: deque[Fault] = deque()
        self.lasting: Optional[Fault] = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Inject the next fault into a request to an operation; pass on any other request."""
        fault = self._next() if scope["state"]["operation"] is not None else None
        if fault is None:
            await self._app(scope, receive, send)
            return
        response: list[Message] = []

        async def buffer(message: Message) -> None:
            response.append(message)

        if fault.recorded:
            await self._app(scope, receive, buffer)
        if fault.latency and await _disconnects_within(fault.latency, receive):
            return  # the client gave up: there is no response
        if fault.drop:
            await send({"type": DROP})
            await _wait_for_disconnect(receive)
        elif fault.status is not None:
            headers = {}
            if fault.retry_after is not None:
                headers["Retry-After"] = str(fault.retry_after)
            refusal = Refusal(fault.status, headers=headers)
            error = make_error(Request(scope), self._error_format, refusal)
            await error(scope, receive, send)
        else:
            for message in response:
                await send(message)

    def _next(self) -> Optional[Fault]:
        try:
            return self.pending.popleft()
        except IndexError:
            return self.lasting


async def _disconnects_within(seconds: float, receive: Receive) -> bool:
    """Wait until the client disconnects, for some seconds at most; return whether it did."""
    try:
        await asyncio.wait_for(_wait_for_disconnect(receive), seconds)
    except asyncio.TimeoutError:
        return False
    return True


async def _wait_for_disconnect(receive: Receive) -> None:
    """Wait until the connection is closed, and discard what the client sends until then."""
    while (await receive())["type"] != "http.disconnect":
        pass


class DroppingProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 protocol, which drops the connection if the application sends DROP."""

    def connection_made(  # type: ignore[override]
        self, transport: asyncio.Transport
    ) -> None:
        """Handle DROP in the requests of a new connection."""
        super().connection_made(transport)
        app = self.app

        async def app_with_drop(scope: Scope, receive: Receive, send: Send) -> None:
            async def send_or_drop(message: Message) -> None:
                if message["type"] == DROP:
                    transport.abort()
                else:
                    await send(message)

            await app(scope, receive, send_or_drop)

        self.app = app_with_drop

    def connection_lost(self, exc: Optional[Exception]) -> None:
        """Close the connection to the client even if a forked child has a copy of it."""
        super().connection_lost(exc)
        with suppress(OSError):  # the client closed it first
            self.transport.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
