"""The HTTP side of the service, as a FastAPI application."""

from collections.abc import Coroutine
from http import HTTPStatus
from typing import Any, Callable, Optional

from fastapi import APIRouter, FastAPI, Request, Response, Security
from fastapi.security import HTTPBearer

from .._version import __version__
from ..models import ErrorResponse, EventPayload, TrackResponse
from ..operations import OPERATIONS, Operation
from .error_handlers import add_error_handlers
from .guard import guarded_route
from .rate_limit import RateLimit
from .response_forms import make_success
from .service import Service

_ERROR_RESPONSES: dict[Any, dict[str, Any]] = {
    status: {"model": ErrorResponse, "description": HTTPStatus(status).phrase}
    for status in (400, 401, 409, 422, 429)
}


def create_app(
    service: Service,
    *,
    token: str,
    rate_limit: RateLimit,
    response: str,
    error_status: Optional[int],
    error_response: str,
) -> FastAPI:
    """Create the application; the arguments are those of Sandbox."""
    router = APIRouter(
        route_class=guarded_route(
            token=token, rate_limit=rate_limit, response=response, error_status=error_status
        ),
        dependencies=[Security(HTTPBearer(auto_error=False))],  # only for the OpenAPI description
        responses=_ERROR_RESPONSES,
    )
    for operation in OPERATIONS:
        router.add_api_route(
            operation.path,
            _make_endpoint(service, operation, response),
            methods=[operation.method],
            name=operation.name,
            operation_id=operation.name,
            response_model=TrackResponse,
        )
    app = FastAPI(
        title="CutMeShort tracking API (sandbox)", version=__version__, redirect_slashes=False
    )
    app.include_router(router)
    add_error_handlers(app, error_response)
    return app


def _make_endpoint(
    service: Service, operation: Operation, response: str
) -> Callable[[Request, EventPayload], Coroutine[Any, Any, Response]]:
    event_type = operation.name.removeprefix("track_").capitalize()
    message = f"{event_type} tracked successfully"

    async def track(request: Request, payload: EventPayload) -> Response:
        data = service.record(operation, payload)
        return make_success(request, response, message, data)

    track.__annotations__["payload"] = operation.request_model  # FastAPI validates with it
    return track
