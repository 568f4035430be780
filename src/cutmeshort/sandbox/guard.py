"""The checks of a request that come before those of its fields."""

import hmac
import time
from collections.abc import Coroutine
from typing import Any, Callable, Optional

from fastapi import Request, Response
from fastapi.routing import APIRoute

from ..models import read_json
from ..operations import OPERATIONS
from .bodies import LimitedRequest
from .rate_limit import RateLimit
from .refusal import Refusal
from .response_forms import REJECTIONS, make_rejection

_WIRE_NAMES = {
    field.alias
    for operation in OPERATIONS
    for field in operation.request_model.model_fields.values()
}
_MAX_UNKNOWN = 10  # unknown fields in a message, and
_MAX_NAME_LENGTH = 100  # characters of each


def guarded_route(
    *, token: str, rate_limit: RateLimit, response: str, error_status: Optional[int]
) -> type[APIRoute]:
    """
    Make the class of the operations' routes; the arguments are those of create_app.

    FastAPI reads the body before it calls anything of the application. So the token, the rate
    limit, the size of the body and the JSON are checked in the route itself.
    """

    class GuardedRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            """Put the checks in front of FastAPI's own handler."""
            handle = super().get_route_handler()

            async def check_and_handle(request: Request) -> Response:
                _check_token(request, token)
                rate_limit.check(time.monotonic())
                limited = LimitedRequest(request.scope, request.receive)
                _check_json(request.headers.get("Content-Type", ""), await limited.body())
                if error_status is not None:
                    raise Refusal(error_status)
                if response in REJECTIONS:
                    return make_rejection(request, response)
                return await handle(limited)

            return check_and_handle

    return GuardedRoute


def _check_token(request: Request, token: str) -> None:
    authorization = request.headers.get("Authorization", "")
    if not hmac.compare_digest(authorization.encode(), f"Bearer {token}".encode()):
        raise Refusal(401, "The bearer token is missing or unknown.")


def _check_json(content_type: str, body: bytes) -> None:
    """Refuse a body that is not a JSON object, and names that no operation has on the wire."""
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise Refusal(400, "Content-Type must be application/json.")
    try:
        fields = read_json(body)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        raise Refusal(400, "The body must be a JSON object.")
    unknown = sorted(fields.keys() - _WIRE_NAMES)[:_MAX_UNKNOWN]
    if unknown:
        names = [name[:_MAX_NAME_LENGTH] for name in unknown]
        details = [{"field": name, "message": "Unknown field"} for name in names]
        raise Refusal(422, f"Unknown fields: {', '.join(names)}", details=details)
