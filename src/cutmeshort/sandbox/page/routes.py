"""The routes of the page."""

from fastapi import APIRouter

from .files import add_file

router = APIRouter()
add_file(router, "/", __package__, "index.html")
for name in ("page.css", "page.js"):
    add_file(router, f"/_sandbox/{name}", __package__, name)
