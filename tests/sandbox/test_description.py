"""The description of the API, and the page to read and try it."""

import re

import pytest

from cutmeshort.operations import OPERATIONS
from cutmeshort.sandbox import Sandbox

from .helpers import request


def test_the_description_has_operations_and_endpoints(sandbox: Sandbox) -> None:
    """Each path of the service and of the interface has its tag, summary, errors and body."""
    api = request(sandbox, "GET", "/openapi.json").json()
    assert {tag["name"] for tag in api["tags"]} == {"Tracking", "Sandbox"}
    assert "`sandbox-token`" in api["info"]["description"]
    operations = {operation.path for operation in OPERATIONS}
    assert {path for path in api["paths"] if not path.startswith("/_sandbox/")} == operations
    ids = []
    for path, methods in api["paths"].items():
        for method, described in methods.items():
            ids.append(described["operationId"])
            assert described["tags"] == ["Tracking" if path in operations else "Sandbox"]
            assert described["summary"]
            assert described["description"] not in ("", "Do nothing.")
            responses = described["responses"]
            (success,) = (code for code in responses if code.startswith("2"))
            assert responses[success]["content"]
            if path in operations:
                assert described["security"] == [{"HTTPBearer": []}]
                continue
            assert "security" not in described
            errors = {"400", "403", "422"} | ({"413", "415"} if method != "get" else set())
            assert errors <= responses.keys()
            error = responses["403"]["content"]["application/json"]["schema"]
            assert error == {"$ref": "#/components/schemas/ErrorMessage"}
            for parameter in described.get("parameters", []):
                assert parameter["in"] == "path" or parameter["name"]
    assert len(ids) == len(set(ids))
    assert all(each.strip("_") == each for each in ids)


def test_a_program_can_check_that_the_description_is_there(sandbox: Sandbox) -> None:
    """The description responds to HEAD as well, without a body."""
    response = request(sandbox, "HEAD", "/openapi.json")
    assert (response.status, response.data) == (200, b"")


def test_every_schema_is_described(sandbox: Sandbox) -> None:
    """Each schema of the interface has a description."""
    api = request(sandbox, "GET", "/openapi.json").json()
    schemas = api["components"]["schemas"]
    assert {"State", "Chain", "TrackedRequest", "FullRequest", "FaultBody"} <= schemas.keys()
    assert [name for name, schema in schemas.items() if not schema.get("description")] == []
    fields = schemas["FaultBody"]["properties"] | schemas["SettingsBody"]["properties"]
    assert [name for name, field in fields.items() if not field.get("description")] == []


def test_the_page_loads_only_files_of_the_sandbox(sandbox: Sandbox) -> None:
    """`/docs` names no other host, all its files are there, and its policy allows no others."""
    page = request(sandbox, "GET", "/docs")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy.partition("style-src")[0]
    html = page.data.decode()
    assert not re.search(r"<script>|<style| on\w+=|https?://", html)
    types = {"js": "text/javascript", "css": "text/css"}
    files = re.findall(r'(?:src|href)="(/_sandbox/[^"]+)"', html)
    assert len(files) == 3
    for path in files:
        response = request(sandbox, "GET", path)
        assert response.status == 200
        assert response.headers["Content-Type"].startswith(types[path.rpartition(".")[2]])
        assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("name", ["redoc.standalone.js", "docs.html", "..%2Fcore.py", "x"])
def test_no_other_file_is_served(name: str, sandbox: Sandbox) -> None:
    """Only the files of the page are served."""
    assert request(sandbox, "GET", f"/_sandbox/docs/{name}").status == 404
