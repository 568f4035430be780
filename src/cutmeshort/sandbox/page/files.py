"""Serves the files of the pages, with a policy that allows no other source."""

from functools import cache
from importlib import resources

from fastapi import APIRouter, Response

_TYPES = {"css": "text/css", "html": "text/html", "js": "text/javascript"}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {"Content-Security-Policy": _POLICY}


def add_file(router: APIRouter, path: str, package: str, name: str) -> None:
    """
    Add the route of a file, which the first request reads.

    Args:
        router: The router to which the route is added.
        path: The path of the URL.
        package: The package that contains the file.
        name: The name of the file; its suffix decides on the content type.
    """

    async def serve() -> Response:
        return Response(
            _read(package, name),
            media_type=_TYPES[name.rpartition(".")[2]],
            headers=HEADERS,
        )

    router.add_api_route(
        path, serve, methods=["GET", "HEAD"], response_model=None, include_in_schema=False
    )


@cache
def _read(package: str, name: str) -> bytes:
    return resources.files(package).joinpath(name).read_bytes()
