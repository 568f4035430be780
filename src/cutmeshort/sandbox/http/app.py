"""The ASGI application of the operations."""

import hmac
import time
from collections.abc import Mapping
from typing import Optional

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ..state.exchanges import Exchange
from ..state.refusal import Refusal
from ..state.state import State
from .bodies import BodyTooLarge, ClosingResponse, read_body
from .events import make_event, read_fields
from .response_formats import REJECTIONS, make_error, make_rejection, make_success


class TrackingApp:
    """
    An ASGI application that processes requests to the operations as the service does.

    Recorder must wrap this application: it sets the exchange of a request. The operations do not
    use FastAPI, whose share in the time of a request would be a third.

    Args:
        token: The bearer token to accept.
        state: The sandbox's state.
    """

    def __init__(self, token: str, state: State) -> None:
        self._authorization = f"Bearer {token}".encode()
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to a request, also if it is rejected."""
        response: Response
        try:
            response = await self._respond(scope, receive)
        except ClientDisconnect:
            return  # no response can be sent
        except BodyTooLarge as error:
            response = ClosingResponse(self._error(scope, error), error.unread)
        except Refusal as refusal:
            response = self._error(scope, refusal)
        except Exception:
            message = "The sandbox has a bug; its traceback is on stderr."
            await self._error(scope, Refusal(500, message))(scope, receive, send)
            raise  # uvicorn logs it
        await response(scope, receive, send)

    def _error(self, scope: Scope, refusal: Refusal) -> Response:
        return make_error(scope, self._state.settings.error_response, refusal)

    async def _respond(self, scope: Scope, receive: Receive) -> Response:
        """Check the request in the order of the service, and record the event."""
        exchange: Optional[Exchange] = scope["state"]["exchange"]
        if exchange is None:
            raise Refusal(404, "Not Found")
        operation = exchange.operation
        if exchange.method != operation.method:
            raise Refusal(405, "Method Not Allowed", headers={"Allow": operation.method})
        headers = dict(exchange.headers)
        try:
            body = await read_body(headers, receive)  # first, so that the log has it
        except BodyTooLarge:
            self._check_sender(headers)
            raise
        self._check_sender(headers)
        fields = read_fields(headers.get(b"content-type", b""), body)
        settings = self._state.settings
        if settings.error_status is not None:
            exchange.forced = f"error_status={settings.error_status}"
            raise Refusal(settings.error_status)
        if settings.response in REJECTIONS:
            exchange.forced = f'response="{settings.response}"'
            return make_rejection(exchange, settings.response)
        event = make_event(operation.request_model, fields)
        data = self._state.record(operation, event, exchange.request_id)
        message = f"{operation.event.capitalize()} tracked successfully"
        return make_success(exchange, settings.response, message, data)

    def _check_sender(self, headers: Mapping[bytes, bytes]) -> None:
        if not hmac.compare_digest(headers.get(b"authorization", b""), self._authorization):
            raise Refusal(401, "The bearer token is missing or invalid.")
        self._state.rate_limit.check(time.monotonic())
