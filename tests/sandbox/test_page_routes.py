"""The files of the pages, as a browser gets them."""

import gzip
import re
from importlib import resources
from typing import Any

import pytest

from cutmeshort.sandbox import Sandbox

from ..support.processes import run_program
from .helpers import request

FILES = {
    "/": ("page", "index.html", "text/html"),
    "/_sandbox/page.css": ("page", "page.css", "text/css"),
    "/_sandbox/page.js": ("page", "page.js", "text/javascript"),
    "/demo": ("demo", "demo.html", "text/html"),
    "/_sandbox/demo.css": ("demo", "demo.css", "text/css"),
    "/_sandbox/demo.js": ("demo", "demo.js", "text/javascript"),
}


def _read(package: str, name: str) -> bytes:
    return resources.files(f"cutmeshort.sandbox.{package}").joinpath(name).read_bytes()


@pytest.mark.parametrize(("path", "file"), FILES.items())
def test_a_file_is_served_as_it_is(sandbox: Sandbox, path: str, file: Any) -> None:
    """A browser gets each file of the pages, with its type, and does not keep it."""
    package, name, content_type = file
    response = request(sandbox, "GET", path)
    assert response.status == 200
    assert response.data == _read(package, name)
    assert response.headers["Content-Type"] == f"{content_type}; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", FILES)
def test_a_page_may_only_load_the_files_of_the_sandbox(sandbox: Sandbox, path: str) -> None:
    """The policy of a page forbids scripts, styles and requests of all other origins."""
    policy = request(sandbox, "GET", path).headers["Content-Security-Policy"]
    assert set(policy.split("; ")) == {
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    }


@pytest.mark.parametrize("path", FILES)
def test_head_gets_the_headers_of_a_file(sandbox: Sandbox, path: str) -> None:
    """A program that sends HEAD gets the length of a file, and no body."""
    response = request(sandbox, "HEAD", path)
    assert response.status == 200
    assert int(response.headers["Content-Length"]) > 0
    assert response.data == b""


@pytest.mark.parametrize(("package", "name"), [("page", "index.html"), ("demo", "demo.html")])
def test_a_page_has_nothing_that_its_policy_forbids(package: str, name: str) -> None:
    """A page has no inline script, style or event handler, and refers to no other host."""
    text = _read(package, name).decode()
    assert not re.findall(r"<script(?![^>]* src=\"/)|<style|\s(?:style|on[a-z]+)=", text)
    assert not re.findall(r"(?:src|href)=\"(?!/|#|data:)[^\"]*", text)


@pytest.mark.parametrize(("folder", "limit"), [("page", 16_000), ("demo", 3 * 1024)])
def test_the_files_of_a_page_are_small(folder: str, limit: int) -> None:
    """The three files of a page have at most this many bytes, each compressed by itself."""
    files = [_read(package, name) for package, name, _ in FILES.values() if package == folder]
    assert len(files) == 3
    assert sum(len(gzip.compress(file, mtime=0)) for file in files) <= limit


LOAD = """
import importlib.abc, sys, threading
import urllib3
from cutmeshort import CMSClient
from cutmeshort.sandbox import Sandbox

INTERFACE = "cutmeshort.sandbox.interface"
begun, go = threading.Event(), threading.Event()

class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == INTERFACE:
            begun.set()
            go.wait()

def open_page():
    try:
        statuses.append(urllib3.request("GET", sandbox.url, retries=False).status)
    except urllib3.exceptions.ProtocolError:  # the stop closes the connection first
        statuses.append("closed")

statuses = []
sys.meta_path.insert(0, Finder())
pages = [threading.Thread(target=open_page) for _ in range(2)]
with Sandbox() as sandbox, CMSClient(sandbox.token, sandbox.url) as client:
    for page in pages:
        page.start()
    begun.wait()
    print(client.track_lead("Sign up", "user_42", "click_1")["success"], statuses)
    go.set()
    for page in pages:
        page.join()
    print(statuses)

del sys.modules[INTERFACE]
begun.clear()
go.clear()
page = threading.Thread(target=lambda: (open_page(), go.set()))
with Sandbox() as sandbox:
    page.start()
    begun.wait()
page.join()
print(statuses, threading.active_count())
"""


def test_operations_are_served_while_the_interface_is_imported() -> None:
    """A client is served during the first requests for the page; a stop waits for their import."""
    assert run_program(LOAD) == "True []\n[200, 200]\n[200, 200, 'closed'] 1\n"
