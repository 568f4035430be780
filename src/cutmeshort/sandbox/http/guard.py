"""The checks before the validation of an event: token, rate limit, body size and JSON."""

import hmac
import time
from collections.abc import Coroutine
from typing import Any, Callable

from fastapi import Request, Response
from fastapi.routing import APIRoute

from ...operations import OPERATIONS
from ...strict_json import read_json
from ..state.refusal import Refusal
from ..state.state import State
from .bodies import BodyTooLarge, LimitedRequest
from .response_formats import REJECTIONS, make_rejection

_WIRE_NAMES = {
    field.alias
    for operation in OPERATIONS
    for field in operation.request_model.model_fields.values()
}
_MAX_REPORTED_FIELDS = 10
_MAX_NAME_LENGTH = 100


def guarded_route(token: str, state: State) -> type[APIRoute]:
    """
    Create a class of routes that make the checks.

    FastAPI parses the body before it resolves dependencies, so these checks can't be dependencies.
    """

    class GuardedRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            """Add the checks to FastAPI's own handler."""
            handle = super().get_route_handler()

            def check_sender(request: Request) -> None:
                _check_token(request, token)
                state.rate_limit.check(time.monotonic())

            async def check_and_handle(request: Request) -> Response:
                limited = LimitedRequest(request.scope, request.receive)
                try:
                    body = await limited.body()  # read first, so that the log has it
                except BodyTooLarge:
                    check_sender(request)
                    raise
                check_sender(request)
                _check_json(request.headers.get("Content-Type", ""), body)
                settings, exchange = state.settings, request.state.exchange
                if settings.error_status is not None:
                    exchange.forced = f"error_status={settings.error_status}"
                    raise Refusal(settings.error_status)
                if settings.response in REJECTIONS:
                    exchange.forced = f'response="{settings.response}"'
                    return make_rejection(request, settings.response)
                return await handle(limited)

            return check_and_handle

    return GuardedRoute


def _check_token(request: Request, token: str) -> None:
    authorization = request.headers.get("Authorization", "")
    if not hmac.compare_digest(authorization.encode(), f"Bearer {token}".encode()):
        raise Refusal(401, "The bearer token is missing or invalid.")


def _check_json(content_type: str, body: bytes) -> None:
    """Reject a body that is not a JSON object or has a field that no operation has."""
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise Refusal(400, "Content-Type must be application/json.")
    try:
        fields = read_json(body)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        raise Refusal(400, "The body must be a JSON object.")
    unknown = sorted(fields.keys() - _WIRE_NAMES)[:_MAX_REPORTED_FIELDS]
    if unknown:
        names = [name[:_MAX_NAME_LENGTH] for name in unknown]
        details = [{"field": name, "message": "Unknown field"} for name in names]
        raise Refusal(422, f"Unknown fields: {', '.join(names)}", details=details)
