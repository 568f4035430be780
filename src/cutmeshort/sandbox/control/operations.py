"""The operations as FastAPI describes them; TrackingApp responds to their requests."""

from http import HTTPStatus
from typing import Any, Callable

from fastapi import APIRouter, Security
from fastapi.security import HTTPBearer

from ...models import ErrorResponse, EventPayload, TrackResponse
from ...operations import OPERATIONS, Operation

_ERROR_RESPONSES: dict[Any, dict[str, Any]] = {
    status: {"model": ErrorResponse, "description": HTTPStatus(status).phrase}
    for status in (400, 401, 409, 422, 429)
}


def make_router() -> APIRouter:
    """Create the routes of the operations, to describe them."""
    router = APIRouter(
        dependencies=[Security(HTTPBearer(auto_error=False))], responses=_ERROR_RESPONSES
    )
    for operation in OPERATIONS:
        router.add_api_route(
            operation.path,
            _endpoint(operation),
            methods=[operation.method],
            name=operation.name,
            operation_id=operation.name,
            response_model=TrackResponse,
            summary=f"Track a {operation.event}",
            description=f"Record a {operation.event} once, credited to a click.",
            tags=["Tracking"],
        )
    return router


def _endpoint(operation: Operation) -> Callable[[EventPayload], None]:
    """Return a function that FastAPI describes, and that nothing calls."""

    def track(payload: EventPayload) -> None:
        """Do nothing."""

    track.__annotations__["payload"] = operation.request_model
    return track
