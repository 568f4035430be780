"""The forms in which the service answers, by name."""

from datetime import datetime, timezone
from typing import Any, Callable

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from .service import Refusal

_PAGE = "<!doctype html><title>Sign in</title><p>A page of somebody else."


def _now() -> str:
    return datetime.now(timezone.utc).isoformat()


Success = Callable[[str, dict[str, Any], str], Response]  # message, data, request id
Error = Callable[[Refusal, str], Response]

SUCCESSES: dict[str, Success] = {
    "message": lambda text, data, _id: JSONResponse(
        {"success": True, "message": text, "data": data}
    ),
    "timestamp": lambda _text, _data, _id: JSONResponse({"success": True, "timestamp": _now()}),
    "status_text": lambda text, _data, _id: JSONResponse({"status": True, "data": text}),
    "status_ok": lambda _text, _data, _id: JSONResponse({"status": "ok"}),
    "flat": lambda text, data, request_id: JSONResponse(
        {"message": text, "requestId": request_id, **data}
    ),
    "empty": lambda _text, _data, _id: Response(status_code=204),
}

# Answers with status 200 to an event that was not tracked.
REJECTIONS: dict[str, Callable[[], Response]] = {
    "success_false": lambda: JSONResponse({"success": False, "error": "Not tracked."}),
    "status_false": lambda: JSONResponse({"status": False, "message": "Not tracked."}),
    "status_error": lambda: JSONResponse({"status": "error", "message": "Not tracked."}),
    "html": lambda: HTMLResponse(_PAGE),
    "list": lambda: JSONResponse([]),
}


def reject(request: Request, form: str) -> Response:
    """Respond with 200 to an event that is not recorded, in one of the forms."""
    kind = "invalid_response" if form in ("html", "list") else "api_error"
    request.state.refusal = Refusal(200, kind, f'Not tracked: the sandbox has reply="{form}".')
    return REJECTIONS[form]()


def _envelope(refusal: Refusal, _id: str) -> Response:
    body: dict[str, Any] = {
        "success": False,
        "error": refusal.error,
        "type": refusal.type,
        "statusCode": refusal.status,
    }
    if refusal.details is not None:
        body["details"] = refusal.details
    return JSONResponse(body, refusal.status)


def succeed(request: Request, form: str, message: str, data: dict[str, Any]) -> Response:
    """Respond to an event that was recorded, in one of the forms."""
    return SUCCESSES[form](message, data, request.state.request_id)


def refuse(request: Request, form: str, refusal: Refusal) -> Response:
    """
    Respond with an error in one of the forms; 304 has no body in any of them.

    Every error response is made here or in `reject`, which note the refusal for the request log.
    """
    request.state.refusal = refusal
    response = (
        Response(status_code=304)
        if refusal.status == 304
        else ERRORS[form](refusal, request.state.request_id)
    )
    response.headers.update(refusal.headers or {})
    return response


ERRORS: dict[str, Error] = {
    "envelope": _envelope,
    "message": lambda refusal, _id: JSONResponse({"message": refusal.error}, refusal.status),
    "code": lambda refusal, request_id: JSONResponse(
        {"code": refusal.type.upper(), "message": refusal.error, "requestId": request_id},
        refusal.status,
    ),
    "html": lambda refusal, _id: HTMLResponse(_PAGE, refusal.status),
    "empty": lambda refusal, _id: Response(status_code=refusal.status),
}
