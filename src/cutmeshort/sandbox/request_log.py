"""ASGI middleware that gives each request an id and keeps the error responses."""

import secrets
import threading
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timezone

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .service import OPERATIONS, Operation, Refusal

MAX_REFUSED = 1_000


@dataclass(frozen=True)
class Refused:
    """
    An error response to a request to one of the two operations.

    It has no values of the request, and no token.

    Attributes:
        operation: `track_lead` or `track_sale`, from the path of the request.
        status: The HTTP status of the response: 300 to 599, or 200 where a `reply` of the sandbox
            records nothing.
        type: Machine-readable reason, as in the response: `unauthorized`, `duplicate_event`, …. For
            a form of response that has no type (`html`, for example), it is set anyway. For
            status 200, it is the type that the SDK reports: `api_error` or `invalid_response`.
        message: Human-readable reason, as in the response where its form has one. For status 200,
            it names the `reply`.
        time: When the response was sent, in UTC.
        request_id: The id in the response, which the result of the call has, too.
    """

    operation: Operation
    status: int
    type: str
    message: str
    time: datetime
    request_id: str


class RequestLog:
    """
    An ASGI application in front of another one, which gives each request an id.

    The id is in `request.state.request_id`, and in the X-Request-Id header of the response. If
    `request.state.refusal` is set when the response is sent, the response is kept as refused.

    Args:
        app: The other one.
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
        """Pass on a request, and its response."""
        operation = OPERATIONS.get(scope["path"])
        state = scope["state"]
        request_id = f"req_{secrets.token_hex(6)}"
        state["request_id"] = request_id

        async def respond(message: Message) -> None:
            if message["type"] == "http.response.start":
                if operation is not None and "refusal" in state:
                    self._keep(operation, state["refusal"], request_id)
                headers = [*message["headers"], (b"x-request-id", request_id.encode())]
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, respond)

    def _keep(self, operation: Operation, refusal: Refusal, request_id: str) -> None:
        now = datetime.now(timezone.utc)
        reason = (refusal.status, refusal.type, refusal.error)
        refused = Refused(operation, *reason, time=now, request_id=request_id)
        with self._lock:
            self._refused.append(refused)
