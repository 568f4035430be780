"""The routes of the page."""

from fastapi import APIRouter

from .files import add_file

_PACKAGE = __name__.rpartition(".")[0]

router = APIRouter()
add_file(router, "/", _PACKAGE, "index.html")
add_file(router, "/_sandbox/page.css", _PACKAGE, "page.css")
add_file(router, "/_sandbox/page.js", _PACKAGE, "page.js")
