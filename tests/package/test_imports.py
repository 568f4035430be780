"""Imports between modules run one way, and importing the package loads only what it needs."""

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from ..support.paths import SOURCE
from ..support.processes import run_python

# The modules and packages that each module may import; one that is not listed may import none.
IMPORTS = {
    "__init__": {
        "_version",
        "api",
        "api_client",
        "api_response",
        "click_id",
        "client",
        "configuration",
        "exceptions",
        "models",
        "money",
        "request_options",
        "results",
    },
    "client": {
        "api",
        "api_client",
        "api_response",
        "configuration",
        "exceptions",
        "logs",
        "models",
        "operations",
        "results",
        "tracker",
    },
    "tracker": {"arguments", "checks", "exceptions", "logs", "models", "operations", "results"},
    "arguments": {"checks", "exceptions", "models", "operations"},
    "results": {"api_response", "exceptions", "models", "redaction", "responses"},
    "api": {"api_client", "api_response", "models", "operations", "request_options"},
    "api_client": {
        "api_response",
        "checks",
        "configuration",
        "exceptions",
        "headers",
        "models",
        "operations",
        "request_options",
        "responses",
        "rest",
    },
    "operations": {"models"},
    "request_options": {"checks"},
    "headers": {"_version", "configuration"},
    "responses": {
        "api_response",
        "exceptions",
        "models",
        "redaction",
        "rest",
        "retry",
        "strict_json",
    },
    "redaction": {"models"},
    "rest": {"configuration", "exceptions", "logs", "proxies", "resolver", "retry"},
    "logs": {"retry"},
    "proxies": {"checks", "configuration"},
    "resolver": {"checks"},
    "configuration": {"checks", "environment", "exceptions"},
    "environment": {"exceptions"},
    "checks": {"exceptions"},
    "integrations": {
        "checks",
        "click_id",
        "client",
        "exceptions",
        "logs",
        "outbox",
        "results",
    },
    "money": {"exceptions", "models"},
    "outbox": {
        "arguments",
        "checks",
        "client",
        "environment",
        "exceptions",
        "logs",
        "models",
        "money",
        "operations",
        "results",
        "tracker",
    },
    "__main__": {"cli"},
    "cli": {
        "_version",
        "api_client",
        "api_response",
        "checks",
        "client",
        "configuration",
        "environment",
        "exceptions",
        "logs",
        "models",
        "money",
        "operations",
        "outbox",
        "proxies",
        "redaction",
        "resolver",
        "results",
        "sandbox",
    },
    "testing": {
        "api_client",
        "checks",
        "configuration",
        "headers",
        "models",
        "operations",
        "request_options",
        "rest",
    },
    "sandbox": {
        "_version",
        "checks",
        "click_id",
        "client",
        "configuration",
        "exceptions",
        "models",
        "money",
        "operations",
        "rest",
        "results",
        "retry",
        "strict_json",
    },
}

# The same within the sandbox.
SANDBOX = SOURCE / "sandbox"
SANDBOX_IMPORTS = {
    "__init__": {"sandbox", "state"},
    "__main__": {"http", "sandbox", "state"},
    "sandbox": {"comparison", "http", "page_methods", "runner", "state"},
    "page_methods": {"control", "runner", "state"},
    "runner": {"control", "http", "interface", "state", "view"},
    "interface": {"control", "demo", "http", "page", "state"},
    "demo": {"http", "page", "state", "view"},
    "control": {"http", "page", "state", "view"},
    "http": {"state"},
    "view": {"state"},
    "comparison": {"state"},
}


def _module(path: Path, root: Path) -> str:
    return path.relative_to(root).parts[0].partition(".")[0]


def _imported_modules(path: Path, root: Path = SOURCE) -> set[str]:
    """Return the other modules of a package that a file imports, except those for type checkers."""
    text = path.read_text(encoding="utf-8")
    absolute = re.search(r"^ *(import|from) cutmeshort\b", text, re.MULTILINE)
    assert not absolute, "imports within the package are relative"
    tree = ast.parse(text)
    checked = [
        set(ast.walk(node))
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    modules = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or any(node in nodes for nodes in checked):
            continue
        depth = len(path.relative_to(root).parts)
        if node.level == depth:
            names = [node.module] if node.module else [alias.name for alias in node.names]
            modules.update(name.partition(".")[0] for name in names)
        assert node.level <= len(path.relative_to(SOURCE).parts)
    return modules - {_module(path, root)}


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=str)
def test_imports_run_one_way(path: Path) -> None:
    """A module imports only those below it; the core imports neither the sandbox nor `cli`."""
    assert _imported_modules(path) <= IMPORTS.get(_module(path, SOURCE), set())


@pytest.mark.parametrize("path", sorted(SANDBOX.rglob("*.py")), ids=str)
def test_imports_within_the_sandbox_run_one_way(path: Path) -> None:
    """The state knows neither its views nor HTTP, and the operations do not know the page."""
    assert _imported_modules(path, SANDBOX) <= SANDBOX_IMPORTS.get(_module(path, SANDBOX), set())


def test_the_tables_have_no_cycle() -> None:
    """A module that imports another one, directly or not, is not imported by it."""
    for table in (IMPORTS, SANDBOX_IMPORTS):
        TopologicalSorter(table).prepare()  # which raises CycleError


@pytest.mark.parametrize("path", sorted((SANDBOX / "state").rglob("*.py")), ids=str)
def test_the_state_of_the_sandbox_knows_no_http(path: Path) -> None:
    """It imports no web framework and no server."""
    assert not re.search("fastapi|starlette|uvicorn", path.read_text(encoding="utf-8"))


def test_the_import_loads_no_extra_and_nothing_heavy() -> None:
    """Importing the package loads no sandbox, no integration, and nothing that few calls need."""
    # Coverage, which measures the tests, loads sqlite3 before.
    code = "import sys; before = {*sys.modules}; import cutmeshort; print(*{*sys.modules} - before)"
    loaded = set(run_python("-c", code).split())
    assert "cutmeshort.client" in loaded
    around = {"cutmeshort.integrations", "cutmeshort.outbox", "cutmeshort.sandbox"}
    assert not loaded & {*around, "celery", "django", "flask", "rich", "sqlalchemy", "sqlite3"}
    assert not loaded & {"fastapi", "starlette", "uvicorn", "urllib.request"}
