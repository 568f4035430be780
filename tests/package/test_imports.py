"""Imports between modules run one way, and importing the package loads only what it needs."""

import ast
import re
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


def _module(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].partition(".")[0]


def _imported_modules(path: Path) -> set[str]:
    """Return the other modules that a file imports, except those for type checkers."""
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
        depth = len(path.relative_to(SOURCE).parts)
        if node.level == depth:
            names = [node.module] if node.module else [alias.name for alias in node.names]
            modules.update(name.partition(".")[0] for name in names)
        assert node.level <= depth
    return modules - {_module(path)}


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=str)
def test_imports_run_one_way(path: Path) -> None:
    """A module imports only those below it; the core imports neither the sandbox nor `cli`."""
    assert _imported_modules(path) <= IMPORTS.get(_module(path), set())


def test_the_import_loads_no_extra_and_nothing_heavy() -> None:
    """Importing the package loads no sandbox, no integration, and nothing that few calls need."""
    # Coverage, which measures the tests, loads sqlite3 before.
    code = "import sys; before = {*sys.modules}; import cutmeshort; print(*{*sys.modules} - before)"
    loaded = set(run_python("-c", code).split())
    assert "cutmeshort.client" in loaded
    around = {"cutmeshort.integrations", "cutmeshort.outbox", "cutmeshort.sandbox"}
    assert not loaded & {*around, "celery", "django", "flask", "rich", "sqlalchemy", "sqlite3"}
    assert not loaded & {"fastapi", "starlette", "uvicorn", "urllib.request"}
