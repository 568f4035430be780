"""Imports run one way, and an import of the package loads nothing that is not needed."""

import ast
from pathlib import Path

import pytest

from ..support.paths import SOURCE
from ..support.processes import run_python

# Which modules and packages each one may import; those not named may import none of cutmeshort.
IMPORTS = {
    "__init__": {
        "_version",
        "api",
        "api_client",
        "api_response",
        "client",
        "configuration",
        "exceptions",
        "models",
        "results",
    },
    "client": {
        "api",
        "api_client",
        "api_response",
        "checks",
        "configuration",
        "exceptions",
        "logs",
        "models",
        "results",
    },
    "results": {"api_response", "exceptions", "models"},
    "api": {"api_client", "api_response", "models", "operations"},
    "operations": {"models"},
    "api_client": {
        "_version",
        "api_response",
        "checks",
        "configuration",
        "exceptions",
        "models",
        "operations",
        "responses",
        "rest",
    },
    "responses": {"api_response", "exceptions", "models", "rest", "retry"},
    "rest": {"configuration", "exceptions", "logs", "proxies", "resolver", "retry"},
    "logs": {"retry"},
    "proxies": {"checks", "configuration"},
    "configuration": {"checks", "exceptions"},
    "checks": {"exceptions"},
    "sandbox": {"_version", "checks", "exceptions", "models"},
}


def _module(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].partition(".")[0]


def _imported_modules(path: Path) -> set[str]:
    """Return which other modules a file imports, those for type checkers left out."""
    tree = ast.parse(path.read_text())
    checked = [
        set(ast.walk(node))
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    modules = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or any(node in nodes for nodes in checked):
            continue
        absolute = (node.module or "").startswith("cutmeshort")
        assert not absolute, "imports within the package are relative"
        depth = len(path.relative_to(SOURCE).parts)
        if node.level == depth:
            modules.add((node.module or "").partition(".")[0])
        assert node.level <= depth
    return modules - {_module(path)}


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=str)
def test_imports_run_one_way(path: Path) -> None:
    """A module imports only those below it; the core never imports the sandbox."""
    assert _imported_modules(path) <= IMPORTS.get(_module(path), set())


def test_the_import_loads_no_extra_and_nothing_heavy() -> None:
    """Importing the package loads neither the sandbox nor what only some calls need."""
    code = "import cutmeshort, sys; print(*sys.modules)"
    loaded = set(run_python("-c", code).split())
    assert "cutmeshort.client" in loaded
    assert not loaded & {"cutmeshort.sandbox", "fastapi", "uvicorn", "dateutil", "urllib.request"}
