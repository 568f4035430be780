"""The forms in which the service answers, by name."""

from datetime import datetime, timezone
from typing import Any, Callable

from fastapi.responses import HTMLResponse, JSONResponse, Response

from .service import Refusal

_PAGE = "<!doctype html><title>Sign in</title><p>A page of somebody else."


def _now() -> str:
    return datetime.now(timezone.utc).isoformat()


Success = Callable[[str, dict[str, Any]], Response]
Error = Callable[[Refusal], Response]

SUCCESSES: dict[str, Success] = {
    "message": lambda text, data: JSONResponse({"success": True, "message": text, "data": data}),
    "timestamp": lambda _text, _data: JSONResponse({"success": True, "timestamp": _now()}),
    "status_text": lambda text, _data: JSONResponse({"status": True, "data": text}),
    "status_ok": lambda _text, _data: JSONResponse({"status": "ok"}),
    "flat": lambda text, data: JSONResponse({"message": text, **data}),
    "empty": lambda _text, _data: Response(status_code=204),
}

# Answers with status 200 to an event that was not tracked.
REJECTIONS: dict[str, Callable[[], Response]] = {
    "success_false": lambda: JSONResponse({"success": False, "error": "Not tracked."}),
    "status_false": lambda: JSONResponse({"status": False, "message": "Not tracked."}),
    "status_error": lambda: JSONResponse({"status": "error", "message": "Not tracked."}),
    "html": lambda: HTMLResponse(_PAGE),
    "list": lambda: JSONResponse([]),
}


def _envelope(refusal: Refusal) -> Response:
    body: dict[str, Any] = {
        "success": False,
        "error": refusal.error,
        "type": refusal.type,
        "statusCode": refusal.status,
    }
    if refusal.details is not None:
        body["details"] = refusal.details
    return JSONResponse(body, refusal.status)


def refuse(form: str, refusal: Refusal) -> Response:
    """Answer with an error in one of the forms; 304 has no body in any of them."""
    response = Response(status_code=304) if refusal.status == 304 else ERRORS[form](refusal)
    response.headers.update(refusal.headers or {})
    return response


ERRORS: dict[str, Error] = {
    "envelope": _envelope,
    "message": lambda refusal: JSONResponse({"message": refusal.error}, refusal.status),
    "code": lambda refusal: JSONResponse(
        {"code": refusal.type.upper(), "message": refusal.error, "requestId": "req_sandbox"},
        refusal.status,
    ),
    "html": lambda refusal: HTMLResponse(_PAGE, refusal.status),
    "empty": lambda refusal: Response(status_code=refusal.status),
}
