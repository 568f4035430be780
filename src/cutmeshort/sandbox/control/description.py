"""The description of the API, as OpenAPI and as a page that works offline."""

from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any

from fastapi import APIRouter, HTTPException, Response
from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute

from ..._version import __version__
from .json_response import Json

_TEXT = """
A local mock of the CutMeShort tracking service.

The **Tracking** operations are those of the service. They need the bearer token of the sandbox,
which it prints when it starts: `sandbox-token`, unless another one was chosen. On this page, press
*Authorize* to enter it.

The **Sandbox** endpoints show and change what the sandbox knows. They need no token, and they are
outside the rate limit and the faults. Requests that change something need `Content-Type:
application/json`, even without a body. An error is `{"error": "one line"}`.
"""
_TAGS = [
    {"name": "Tracking", "description": "The operations of the service."},
    {"name": "Sandbox", "description": "What the sandbox knows, and what it does next."},
]
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_VIEWER = "fastapi_offline"  # the package that contains Swagger UI
# The files under /_sandbox/docs/, with the folder of each and its type.
_FILES = {
    "docs.js": (files(__package__), "text/javascript"),
    "swagger-ui.css": (files(_VIEWER) / "static", "text/css"),
    "swagger-ui-bundle.js": (files(_VIEWER) / "static", "text/javascript"),
}


def make_router(routes: Sequence[BaseRoute]) -> APIRouter:
    """Create the routes of the description, which describes these routes."""
    router = APIRouter(include_in_schema=False)

    @lru_cache(maxsize=1)
    def describe() -> dict[str, Any]:
        return get_openapi(
            title="CutMeShort sandbox",
            version=__version__,
            description=_TEXT,
            routes=routes,
            tags=_TAGS,
        )

    @router.get("/openapi.json")
    async def get_description() -> Response:
        return Json(describe())

    @router.get("/docs")
    async def get_page() -> Response:
        page = (files(__package__) / "docs.html").read_bytes()
        headers = {"Content-Security-Policy": _POLICY}
        return Response(page, media_type="text/html", headers=headers)

    @router.get("/_sandbox/docs/{name}")
    async def get_file(name: str) -> Response:
        if name not in _FILES:
            raise HTTPException(404)
        folder, media_type = _FILES[name]
        return Response((folder / name).read_bytes(), media_type=media_type)

    return router
