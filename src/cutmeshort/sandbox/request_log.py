"""ASGI middleware that assigns an id to each request and keeps a log of the requests."""

import secrets
import threading
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Optional

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..operations import OPERATIONS
from .faults import DROP

MAX_REQUESTS = 1_000

_OPERATION_NAMES = {operation.path: operation.name for operation in OPERATIONS}


@dataclass(frozen=True)
class Received:
    """
    A request to one of the operations, and its response.

    It contains no values of the request, and no token. Its `str` is one line for humans.

    Attributes:
        operation: The operation's name (`track_lead`, for example), from the path of the request.
        status: The HTTP status of the response; None if there was no response.
        type: `ok` if the request succeeded; `dropped` if the sandbox dropped the connection;
            `disconnected` if the client closed it before the response; else as in Refused.
        message: What happened, human-readable.
        time: When the response was sent, or the connection closed, in UTC.
        request_id: The request id in the response, which is also in the SDK's result.
    """

    operation: str
    status: Optional[int]
    type: str
    message: str
    time: datetime
    request_id: str

    def __str__(self) -> str:
        outcome = self.type if self.status is None else f"{self.status} {self.type}"
        return f"{self.operation} {outcome}: {self.message}"


@dataclass(frozen=True)
class Refused(Received):
    """
    An error response to a request to one of the operations.

    It contains no values of the request, and no token.

    Attributes:
        operation: The operation's name (`track_lead`, for example), from the path of the request.
        status: The HTTP status of the response: 300 to 599, or 200 if the sandbox was created with
            a `response` that rejects events.
        type: Machine-readable reason, as in the response: `unauthorized` or `duplicate_event`, for
            example. It is also set if the format has no type, such as `html`. With
            status 200 it is the type that the SDK reports: `api_error` or `invalid_response`.
        message: Human-readable reason, as in the response if its format has one. With status 200 it
            names the `response` of the sandbox.
        time: When the response was sent, in UTC.
        request_id: The request id in the response, which is also in the SDK's result.
    """

    status: int


class RequestLog:
    """
    An ASGI application that wraps another one, assigns request ids and keeps a log of requests.

    In the request's state, it sets `request_id`, and `operation` to the name of the operation at
    the request's path, or None. It adds the X-Request-Id header to the response. The application
    sets `refusal` in the state before an error response, and `message` before any other.

    Args:
        app: The wrapped application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._lock = threading.Lock()
        self.reset()

    def requests(self) -> list[Received]:
        """Return the newest requests, in the order of their responses."""
        with self._lock:
            return list(self._newest.requests)

    def refused(self) -> list[Refused]:
        """Return the newest error responses, in the order in which they were sent."""
        with self._lock:
            return list(self._newest.refused)

    def reset(self) -> None:
        """Forget all requests, including those that have no response yet."""
        self._newest = _Newest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request to the wrapped application, and log the request and its response."""
        state = scope["state"]
        state["operation"] = _OPERATION_NAMES.get(scope["path"])
        state["request_id"] = f"req_{secrets.token_hex(6)}"
        newest, is_logged = self._newest, state["operation"] is None

        def log(status: Optional[int], type: str, message: str) -> None:
            nonlocal is_logged
            if not is_logged:
                is_logged = True
                received = _make_received(state, status, type, message)
                with self._lock:
                    newest.add(received)

        async def send_with_id(message: Message) -> None:
            if message["type"] == DROP:
                log(None, "dropped", "The sandbox dropped the connection (fail_next).")
            elif message["type"] == "http.response.start":
                log(message["status"], "ok", state.get("message", ""))
                header = (b"x-request-id", state["request_id"].encode())
                message = {**message, "headers": [*message["headers"], header]}
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            log(None, "disconnected", "The client closed the connection before the response.")


class _Newest:
    """The newest requests, and the newest error responses, since the last reset."""

    def __init__(self) -> None:
        self.requests: deque[Received] = deque(maxlen=MAX_REQUESTS)
        self.refused: deque[Refused] = deque(maxlen=MAX_REQUESTS)

    def add(self, received: Received) -> None:
        self.requests.append(received)
        if isinstance(received, Refused):
            self.refused.append(received)


def _make_received(
    state: dict[str, Any], status: Optional[int], type: str, message: str
) -> Received:
    common = {"time": datetime.now(timezone.utc), "request_id": state["request_id"]}
    refusal = state.get("refusal")
    if status is None or refusal is None:
        return Received(state["operation"], status, type, message, **common)
    return Refused(state["operation"], refusal.status, refusal.type, refusal.message, **common)
