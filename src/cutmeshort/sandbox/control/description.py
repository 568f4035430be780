"""The description of the API, as OpenAPI and as a page that works offline."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from fastapi import APIRouter, Response
from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute

from ..._version import __version__
from ..page.files import add_file
from .json_response import Json

_TEXT = """
A local mock of the CutMeShort tracking service. [Back to the page](/)

The **Tracking** operations are those of the service. They need the bearer token of the sandbox,
which it prints when it starts: `sandbox-token`, unless another one was chosen. On this page, press
*Authorize* to enter it.

The **Sandbox** endpoints show and change what the sandbox knows. They need no token, and they are
outside the rate limit and the faults. Requests that change something need `Content-Type:
application/json`, even without a body. An error is `{"error": "one line"}`.
"""
_PACKAGE = __name__.rpartition(".")[0]
_TAGS = [
    {"name": "Tracking", "description": "The operations of the service."},
    {"name": "Sandbox", "description": "What the sandbox knows, and what it does next."},
]


def make_router(routes: Sequence[BaseRoute]) -> APIRouter:
    """Create the routes of the description of other routes, and of the page that shows it."""
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

    @router.api_route("/openapi.json", methods=["GET", "HEAD"])
    async def get_description() -> Response:
        return Json(describe())

    add_file(router, "/docs", _PACKAGE, "docs.html")
    add_file(router, "/_sandbox/docs/docs.js", _PACKAGE, "docs.js")
    for name in ("swagger-ui.css", "swagger-ui-bundle.js"):
        add_file(router, f"/_sandbox/docs/{name}", "fastapi_offline", f"static/{name}")
    return router
