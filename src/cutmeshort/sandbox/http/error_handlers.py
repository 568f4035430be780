"""Exception handlers, which turn exceptions into error responses."""

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic.alias_generators import to_camel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from ..state.refusal import Refusal
from ..state.state import State
from .bodies import BodyTooLarge, ClosingResponse
from .response_formats import make_error


def add_error_handlers(app: FastAPI, state: State) -> None:
    """Respond to every exception with an error response in the format of the settings."""

    def respond(request: Request, refusal: Refusal) -> Response:
        return make_error(request, state.settings.error_response, refusal)

    @app.exception_handler(Refusal)
    async def handle_refusal(request: Request, refusal: Refusal) -> Response:
        return respond(request, refusal)

    @app.exception_handler(BodyTooLarge)
    async def handle_large_body(request: Request, error: BodyTooLarge) -> Response:
        return ClosingResponse(
            make_error(request, state.settings.error_response, error), error.unread
        )

    @app.exception_handler(ClientDisconnect)
    async def handle_disconnect(_request: Request, _error: ClientDisconnect) -> Response:
        return Response()  # Starlette needs one, and uvicorn discards it

    @app.exception_handler(RequestValidationError)
    async def handle_invalid_fields(request: Request, error: RequestValidationError) -> Response:
        details = [
            {"field": to_camel(str(part["loc"][-1])), "message": part["msg"]}
            for part in error.errors()
        ]
        message = "; ".join(f"{part['field']}: {part['message']}" for part in details)
        return make_error(
            request, state.settings.error_response, Refusal(422, message, details=details)
        )

    @app.exception_handler(HTTPException)
    async def handle_http_exception(request: Request, error: HTTPException) -> Response:
        refusal = Refusal(error.status_code, error.detail, headers=error.headers)
        return respond(request, refusal)

    @app.exception_handler(Exception)
    async def handle_bug(request: Request, _error: Exception) -> Response:
        message = "The sandbox has a bug; its traceback is on stderr."
        return respond(request, Refusal(500, message))
