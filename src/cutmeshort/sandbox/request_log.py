"""ASGI middleware that assigns an id to each request and records the error responses."""

import secrets
import threading
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timezone

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..operations import OPERATIONS
from .refusal import Refusal

MAX_REFUSED = 1_000

_OPERATION_NAMES = {operation.path: operation.name for operation in OPERATIONS}


@dataclass(frozen=True)
class Refused:
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
        request_id: The request id in the response, which the SDK's result has, too.
    """

    operation: str
    status: int
    type: str
    message: str
    time: datetime
    request_id: str


class RequestLog:
    """
    An ASGI application that wraps another one, assigns request ids and records error responses.

    In the request's state, it sets `request_id`, and `operation` to the name of the operation at
    the request's path, or None. It adds the X-Request-Id header to the response, and records the
    response if the application has set `refusal` in the state before.

    Args:
        app: The wrapped application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._refused: deque[Refused] = deque(maxlen=MAX_REFUSED)

    def refused(self) -> list[Refused]:
        """Return the newest error responses, in the order in which they were sent."""
        with self._lock:
            return list(self._refused)

    def reset(self) -> None:
        """Forget the error responses."""
        with self._lock:
            self._refused.clear()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request to the wrapped application, and record its response if it is an error."""
        state = scope["state"]
        state["operation"] = _OPERATION_NAMES.get(scope["path"])
        state["request_id"] = f"req_{secrets.token_hex(6)}"

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                if state["operation"] is not None and "refusal" in state:
                    self._record(state["operation"], state["refusal"], state["request_id"])
                header = (b"x-request-id", state["request_id"].encode())
                message = {**message, "headers": [*message["headers"], header]}
            await send(message)

        await self._app(scope, receive, send_with_id)

    def _record(self, operation: str, refusal: Refusal, request_id: str) -> None:
        refused = Refused(
            operation,
            refusal.status,
            refusal.type,
            refusal.message,
            time=datetime.now(timezone.utc),
            request_id=request_id,
        )
        with self._lock:
            self._refused.append(refused)
