"""The OpenAPI description of the operations, and the page that shows it."""

from functools import cache
from http import HTTPStatus
from typing import Any, Callable

from fastapi import FastAPI, Security
from fastapi.security import HTTPBearer

from ..._version import __version__
from ...models import ErrorResponse, EventPayload, TrackResponse
from ...operations import OPERATIONS, Operation

_ERROR_RESPONSES: dict[Any, dict[str, Any]] = {
    status: {"model": ErrorResponse, "description": HTTPStatus(status).phrase}
    for status in (400, 401, 409, 422, 429)
}


@cache
def create_description() -> FastAPI:
    """Create an application that serves `/openapi.json` and `/docs`."""
    app = FastAPI(
        title="CutMeShort tracking API (sandbox)",
        version=__version__,
        dependencies=[Security(HTTPBearer(auto_error=False))],
        responses=_ERROR_RESPONSES,
    )
    for operation in OPERATIONS:
        app.add_api_route(
            operation.path,
            _endpoint(operation),
            methods=[operation.method],
            name=operation.name,
            operation_id=operation.name,
            response_model=TrackResponse,
        )
    return app


def _endpoint(operation: Operation) -> Callable[[EventPayload], None]:
    """Return a function that FastAPI describes, and that nothing calls."""

    def track(payload: EventPayload) -> None:
        """Do nothing."""

    track.__annotations__["payload"] = operation.request_model
    return track
