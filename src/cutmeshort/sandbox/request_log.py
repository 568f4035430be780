"""ASGI middleware that identifies each request and keeps the error responses."""

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
            a form of `response` that records nothing.
        type: Machine-readable reason, as in the response: `unauthorized` or `duplicate_event`, for
            example. It is also set for forms of response without a type, such as `html`. With
            status 200 it is the type that the SDK reports: `api_error` or `invalid_response`.
        message: Human-readable reason, as in the response if its form has one. With status 200 it
            names the form of `response`.
        time: When the response was sent, in UTC.
        request_id: The id in the response, which is also in the result of the call.
    """

    operation: str
    status: int
    type: str
    message: str
    time: datetime
    request_id: str


class RequestLog:
    """
    An ASGI application that wraps another one, identifies requests and keeps error responses.

    It sets `operation`, the name of the operation at the request's path or None, and `request_id`
    in the state of the request, and the X-Request-Id header of the response. A response is kept as
    refused if the application has set `refusal` in the state before it sends the response.

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
        """Pass a request to the wrapped application, and keep its response if it is an error."""
        state = scope["state"]
        state["operation"] = _OPERATION_NAMES.get(scope["path"])
        state["request_id"] = f"req_{secrets.token_hex(6)}"

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                if state["operation"] is not None and "refusal" in state:
                    self._keep(state["operation"], state["refusal"], state["request_id"])
                header = (b"x-request-id", state["request_id"].encode())
                message = {**message, "headers": [*message["headers"], header]}
            await send(message)

        await self._app(scope, receive, send_with_id)

    def _keep(self, operation: str, refusal: Refusal, request_id: str) -> None:
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
