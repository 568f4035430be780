"""The FastAPI application that exposes the Service over HTTP."""

from collections.abc import Coroutine
from http import HTTPStatus
from typing import Any, Callable

from fastapi import APIRouter, FastAPI, Request, Response, Security
from fastapi.security import HTTPBearer

from ...models import ErrorResponse, EventPayload, TrackResponse
from ...operations import OPERATIONS, Operation
from ..state.state import State
from .error_handlers import add_error_handlers
from .guard import guarded_route
from .response_formats import make_success

_ERROR_RESPONSES: dict[Any, dict[str, Any]] = {
    status: {"model": ErrorResponse, "description": HTTPStatus(status).phrase}
    for status in (400, 401, 409, 422, 429)
}


def create_app(token: str, state: State) -> FastAPI:
    """Create the application of a sandbox that accepts the token."""
    router = APIRouter(
        route_class=guarded_route(token, state),
        # Only for the OpenAPI description: the route checks the token.
        dependencies=[Security(HTTPBearer(auto_error=False))],
        responses=_ERROR_RESPONSES,
    )
    for operation in OPERATIONS:
        router.add_api_route(
            operation.path,
            _make_endpoint(state, operation),
            methods=[operation.method],
            name=operation.name,
            operation_id=operation.name,
            response_model=TrackResponse,
            summary=f"Track a {operation.event}",
            tags=["Tracking"],
        )
    app = FastAPI(openapi_url=None, redirect_slashes=False)  # the interface describes it
    app.include_router(router)
    add_error_handlers(app, state)
    return app


def _make_endpoint(
    state: State, operation: Operation
) -> Callable[[Request, EventPayload], Coroutine[Any, Any, Response]]:
    message = f"{operation.event.capitalize()} tracked successfully"

    async def track(request: Request, payload: EventPayload) -> Response:
        data = state.record(operation, payload, request.state.request_id)
        return make_success(request, state.settings.response, message, data)

    # FastAPI validates the body by this annotation. The model is known only here.
    track.__annotations__["payload"] = operation.request_model
    return track
