"""Errors of the JSON endpoints."""

from typing import Any, Optional, TypeVar

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import ClientDisconnect

from ...exceptions import ApiValueError
from .json_response import Json

ValueT = TypeVar("ValueT")


def found(value: Optional[ValueT], what: str) -> ValueT:
    """
    Return a value that is not None.

    Raises:
        HTTPException: It is None: 404.
    """
    if value is None:
        raise HTTPException(404, f"No {what}.")
    return value


def make_error(status: int, message: str, headers: Any = None) -> Response:
    """Create an error response."""
    return Json({"error": message}, status, headers=headers)


def add_error_handlers(app: FastAPI) -> None:
    """Respond to every exception with an error response."""

    @app.exception_handler(StarletteHTTPException)
    async def handle_http_exception(_request: Request, error: StarletteHTTPException) -> Response:
        return make_error(error.status_code, error.detail, error.headers)

    @app.exception_handler(ApiValueError)
    async def handle_invalid_value(_request: Request, error: ApiValueError) -> Response:
        return make_error(422, str(error))

    @app.exception_handler(RequestValidationError)
    async def handle_invalid_request(_request: Request, error: RequestValidationError) -> Response:
        details = error.errors()
        if any(detail["type"] == "json_invalid" for detail in details):
            return make_error(400, "The body must be JSON.")
        parts = [f"{detail['loc'][-1]}: {detail['msg']}" for detail in details]
        return make_error(422, "; ".join(parts))

    @app.exception_handler(ClientDisconnect)
    async def handle_disconnect(_request: Request, _error: ClientDisconnect) -> Response:
        return Response()  # Starlette needs one, and uvicorn discards it

    @app.exception_handler(Exception)
    async def handle_bug(_request: Request, _error: Exception) -> Response:
        return make_error(500, "The sandbox has a bug; its traceback is on stderr.")
