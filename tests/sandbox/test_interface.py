"""The interface costs nothing until a request needs it."""

import json

from cutmeshort.sandbox import Sandbox

from ..support.processes import run_program
from .helpers import post, request

LAZY = """
import sys, urllib.request
from cutmeshort import CMSClient
from cutmeshort.sandbox import Sandbox

def loaded():
    parts = ("control", "page", "demo", "interface")
    names = [name for name in sys.modules if name.startswith("cutmeshort.sandbox.")]
    return sorted(name for name in names if name.split(".")[2] in parts)

def get(path):
    try:
        return urllib.request.urlopen(sandbox.url + path).status
    except urllib.error.HTTPError as error:
        return error.code

with Sandbox() as sandbox, CMSClient(sandbox.token, sandbox.url) as client:
    sandbox.fail_next(status=503)
    client.track_lead("Sign up", "user_42", click_id="click_1")
    sandbox.assert_lead()
    sandbox.update_settings(duplicate_status=409)
    sandbox.clear_faults()
    sandbox.reset()
    for path in ("/track/lead", "/elsewhere", "/docs/", "/_sandbox", "/redoc", "/demos"):
        get(path)
assert "cutmeshort.sandbox.view.view" not in sys.modules
assert "fastapi_offline" not in sys.modules
print(loaded())
with sandbox:
    print(get("/_sandbox/health"), len(loaded()) > 5)
"""


def test_a_test_that_opens_no_page_loads_no_page() -> None:
    """A process whose tests use only the operations imports none of the interface's modules."""
    assert run_program(LAZY).splitlines() == ["[]", "200 True"]


def test_unknown_paths_are_those_of_the_service(sandbox: Sandbox) -> None:
    """A path of neither the service nor the interface gets 404 in the format of the settings."""
    for path in ("/elsewhere", "/_sandbox", "/docs/x", "/redoc", "/demos", "/s", "/openapi"):
        response = request(sandbox, "GET", path)
        assert (response.status, response.json()["type"]) == (404, "not_found")
    sandbox.update_settings(error_response="empty")
    response = request(sandbox, "GET", "/elsewhere")
    assert (response.status, response.data) == (404, b"")


def test_methods_that_a_path_does_not_have_are_rejected(sandbox: Sandbox) -> None:
    """The interface responds with 405 and the methods that the path has."""
    for path, allowed in (("/_sandbox/state", "GET"), ("/_sandbox/clear", "POST")):
        wrong = "POST" if allowed == "GET" else "GET"
        headers = {"Content-Type": "application/json"}
        response = request(sandbox, wrong, path, headers=headers)
        assert (response.status, response.headers["Allow"]) == (405, allowed)
        assert json.loads(response.data) == {"error": "Method Not Allowed"}
    assert post(sandbox, {}).status == 422
