"""The service's HTTP side: token, rate limit, JSON and fields, then the operation."""

import hmac
import time
from collections.abc import Coroutine
from http import HTTPStatus
from typing import Any, Callable, Optional, cast

from fastapi import APIRouter, FastAPI, Request, Response, Security
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from pydantic.alias_generators import to_camel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from .._version import __version__
from ..exceptions import error_spec
from ..models import ErrorResponse, LeadPayload, SalePayload, TrackResponse
from ..strict_json import read_json
from .bodies import BodyTooLarge, LastResponse, LimitedRequest
from .replies import REJECTIONS, refuse, reject, succeed
from .service import RateLimit, Refusal, Service

_RESPONSES: dict[Any, dict[str, Any]] = {
    status: {"model": ErrorResponse, "description": HTTPStatus(status).phrase}
    for status in (400, 401, 409, 422, 429)
}
_WIRE_NAMES = {
    field.alias for model in (LeadPayload, SalePayload) for field in model.model_fields.values()
}
_SHOWN = 100  # characters of an unknown name


def create_app(
    service: Service,
    *,
    token: str,
    rate_limit: RateLimit,
    reply: str,
    error_status: Optional[int],
    error_reply: str,
) -> FastAPI:
    """Make the application; the arguments are those of Sandbox."""

    class GuardedRoute(APIRoute):
        """Check token, rate limit and JSON before FastAPI reads the payload."""

        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def guard(request: Request) -> Response:
                given = request.headers.get("Authorization", "")
                if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
                    raise _refusal(401, "The bearer token is missing or unknown.")
                rate_limit.check(token, time.monotonic())
                limited = LimitedRequest(request.scope, request.receive)
                _check_json(request.headers.get("Content-Type", ""), await limited.body())
                if error_status is not None:
                    raise _refusal(error_status, error_spec(error_status).message)
                if reply in REJECTIONS:
                    return reject(request, reply)
                return await handle(limited)

            return guard

    router = APIRouter(
        route_class=GuardedRoute,
        dependencies=[Security(HTTPBearer(auto_error=False))],
        responses=_RESPONSES,
    )

    @router.post("/track/lead", response_model=TrackResponse, operation_id="track_lead")
    async def track_lead(request: Request, payload: LeadPayload) -> Response:
        data = service.track_lead(payload)
        return succeed(request, reply, "Lead tracked successfully", data)

    @router.post("/track/sale", response_model=TrackResponse, operation_id="track_sale")
    async def track_sale(request: Request, payload: SalePayload) -> Response:
        data = service.track_sale(payload)
        return succeed(request, reply, "Sale tracked successfully", data)

    app = FastAPI(
        title="CutMeShort tracking API (sandbox)", version=__version__, redirect_slashes=False
    )
    app.include_router(router)

    @app.exception_handler(Refusal)
    async def answer(request: Request, refusal: Exception) -> Response:
        return refuse(request, error_reply, cast(Refusal, refusal))

    @app.exception_handler(BodyTooLarge)
    async def refuse_body(request: Request, error: Exception) -> Response:
        return LastResponse(await answer(request, error), cast(BodyTooLarge, error).unread)

    @app.exception_handler(ClientDisconnect)
    async def give_up(_request: Request, _error: Exception) -> Response:
        return Response()  # uvicorn does not send it

    @app.exception_handler(RequestValidationError)
    async def refuse_fields(request: Request, error: Exception) -> Response:
        details = [
            {"field": to_camel(str(part["loc"][-1])), "message": part["msg"]}
            for part in cast(RequestValidationError, error).errors()
        ]
        text = "; ".join(f"{part['field']}: {part['message']}" for part in details)
        return await answer(request, _refusal(422, text, details))

    @app.exception_handler(HTTPException)
    async def refuse_route(request: Request, error: Exception) -> Response:
        http = cast(HTTPException, error)
        refusal = _refusal(http.status_code, str(http.detail), headers=http.headers)
        return await answer(request, refusal)

    @app.exception_handler(Exception)
    async def report_bug(request: Request, _error: Exception) -> Response:
        text = "The sandbox has a bug; its traceback is on stderr."
        return await answer(request, _refusal(500, text))

    return app


def _refusal(status: int, error: str, details: Any = None, headers: Any = None) -> Refusal:
    return Refusal(status, error_spec(status).type, error, details=details, headers=headers)


def _check_json(content_type: str, body: bytes) -> None:
    """Refuse what is no JSON object, and names that aren't the wire's."""
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise _refusal(400, "Content-Type must be application/json.")
    try:
        fields = read_json(body)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        raise _refusal(400, "The body must be a JSON object.")
    unknown = [name[:_SHOWN] for name in sorted(fields.keys() - _WIRE_NAMES)[:10]]
    if unknown:
        details = [{"field": name, "message": "Unknown field"} for name in unknown]
        raise _refusal(422, f"Unknown fields: {', '.join(unknown)}", details)
