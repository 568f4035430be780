"""The formats of responses that the service is known to send, by name."""

from datetime import datetime, timezone
from typing import Any, Callable, Optional

from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Scope

from ..state.exchanges import Exchange
from ..state.refusal import Refusal

_PAGE = "<!doctype html><title>Sign in</title><p>Sign in to use this network."


def _now() -> str:
    return datetime.now(timezone.utc).isoformat()


# Responses to a recorded event, from the message, the data and the request id.
SUCCESSES: dict[str, Callable[[str, dict[str, Any], str], Response]] = {
    "message": lambda message, data, _id: JSONResponse(
        {"success": True, "message": message, "data": data}
    ),
    "timestamp": lambda _message, _data, _id: JSONResponse({"success": True, "timestamp": _now()}),
    "status_text": lambda message, _data, _id: JSONResponse({"status": True, "data": message}),
    "status_ok": lambda _message, _data, _id: JSONResponse({"status": "ok"}),
    "flat": lambda message, data, request_id: JSONResponse(
        {"message": message, "requestId": request_id, **data}
    ),
    "empty": lambda _message, _data, _id: Response(status_code=204),
}

# Responses with status 200 to an event that is not recorded.
REJECTIONS: dict[str, Callable[[], Response]] = {
    "success_false": lambda: JSONResponse({"success": False, "error": "Not tracked."}),
    "status_false": lambda: JSONResponse({"status": False, "message": "Not tracked."}),
    "status_error": lambda: JSONResponse({"status": "error", "message": "Not tracked."}),
    "html": lambda: HTMLResponse(_PAGE),
    "list": lambda: JSONResponse([]),
}


def _envelope(refusal: Refusal, _id: str) -> Response:
    body: dict[str, Any] = {
        "success": False,
        "error": refusal.message,
        "type": refusal.type,
        "statusCode": refusal.status,
    }
    if refusal.details is not None:
        body["details"] = refusal.details
    return JSONResponse(body, refusal.status)


# Error responses, from the refusal and the request id.
ERRORS: dict[str, Callable[[Refusal, str], Response]] = {
    "envelope": _envelope,
    "message": lambda refusal, _id: JSONResponse({"message": refusal.message}, refusal.status),
    "code": lambda refusal, request_id: JSONResponse(
        {"code": refusal.type.upper(), "message": refusal.message, "requestId": request_id},
        refusal.status,
    ),
    "html": lambda refusal, _id: HTMLResponse(_PAGE, refusal.status),
    "empty": lambda refusal, _id: Response(status_code=refusal.status),
}


def make_success(exchange: Exchange, name: str, message: str, data: dict[str, Any]) -> Response:
    """Create the response to an event that was recorded, now or earlier."""
    exchange.data = data
    exchange.message = "The event was already recorded." if "duplicate" in data else message
    return SUCCESSES[name](message, data, exchange.request_id)


def make_rejection(exchange: Exchange, name: str) -> Response:
    """Create the response with status 200 to an event that is not recorded."""
    exchange.refusal = Refusal(
        200,
        f'Not tracked: the sandbox was created with response="{name}".',
        type="invalid_response" if name in ("html", "list") else "api_error",
    )
    return REJECTIONS[name]()


def make_error(scope: Scope, name: str, refusal: Refusal) -> Response:
    """
    Create an error response; with status 304 it has no body, whatever the format.

    All error responses are created here or in `make_rejection`. Both put the refusal into the
    exchange, if the request is to an operation, as `make_success` does with the message.
    """
    exchange: Optional[Exchange] = scope["state"]["exchange"]
    if exchange is not None:
        refusal.__traceback__ = refusal.__context__ = None  # their frames have the whole body
        exchange.refusal = refusal
    if refusal.status == 304:
        response = Response(status_code=304)
    else:
        response = ERRORS[name](refusal, scope["state"]["request_id"])
    if refusal.headers:
        response.headers.update(refusal.headers)
    return response
