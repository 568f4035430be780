"""The package's shape: its names, the direction of its imports, its former name."""

import ast
import importlib
import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pytest

import cutmeshort

from ..support.paths import SOURCE

PUBLIC = {
    "ApiAttributeError",
    "ApiClient",
    "ApiException",
    "ApiKeyError",
    "ApiResponse",
    "ApiTypeError",
    "ApiValueError",
    "BadRequestException",
    "CMSClient",
    "Configuration",
    "ConflictException",
    "ErrorResponse",
    "ForbiddenException",
    "LeadPayload",
    "NotFoundException",
    "OpenApiException",
    "Outcome",
    "RequestOptions",
    "SalePayload",
    "ServiceException",
    "TooManyRequestsException",
    "TrackError",
    "TrackResponse",
    "TrackResult",
    "TrackSuccess",
    "TrackingApi",
    "UnauthorizedException",
    "UnprocessableEntityException",
    "__version__",
}

# What each room may import; rooms that aren't named may import nothing of the package.
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
        "request_options",
        "results",
    },
    "client": {
        "api",
        "api_client",
        "api_response",
        "arguments",
        "configuration",
        "exceptions",
        "logs",
        "models",
        "operations",
        "results",
    },
    "arguments": {"checks", "exceptions", "models"},
    "results": {"api_response", "exceptions", "models", "redaction"},
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
    "configuration": {"checks", "environment", "exceptions"},
    "environment": {"exceptions"},
    "checks": {"exceptions"},
    "sandbox": {"_version", "checks", "exceptions", "models", "operations", "strict_json"},
}


def run(*arguments: str) -> str:
    """Run Python with warnings as errors and return what it prints."""
    command = [sys.executable, "-W", "error", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_the_public_names_are_these() -> None:
    """No public name comes or goes unnoticed, and each can be imported."""
    assert set(cutmeshort.__all__) == PUBLIC
    assert all(hasattr(cutmeshort, name) for name in PUBLIC)


def _room(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].partition(".")[0]


def _imported_rooms(path: Path) -> set[str]:
    """Tell which other rooms a file imports when it runs, type checkers' imports left out."""
    tree = ast.parse(path.read_text())
    checked = [
        set(ast.walk(node))
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    rooms = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or any(node in nodes for nodes in checked):
            continue
        assert not (node.module or "").startswith("cutmeshort"), "imports of rooms are relative"
        depth = len(path.relative_to(SOURCE).parts)
        if node.level == depth:
            rooms.add((node.module or "").partition(".")[0])
        assert node.level <= depth
    return rooms - {_room(path)}


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=str)
def test_imports_run_one_way(path: Path) -> None:
    """A room imports only the rooms below it; the core never imports the sandbox."""
    assert _imported_rooms(path) <= IMPORTS.get(_room(path), set())


def test_the_import_loads_no_extra_and_nothing_heavy() -> None:
    """Importing the package loads neither the sandbox nor what only some calls need."""
    code = "import cutmeshort, sys; print(*sys.modules)"
    loaded = set(run("-c", code).split())
    assert "cutmeshort.client" in loaded
    assert not loaded & {"cutmeshort.sandbox", "fastapi", "uvicorn", "urllib.request"}


def test_the_former_name_works_and_warns() -> None:
    """`cms_python` has the same names and says what to write instead."""
    sys.modules.pop("cms_python", None)
    with pytest.warns(DeprecationWarning, match="now called cutmeshort") as caught:
        import cms_python
    assert caught[0].filename == __file__
    assert cms_python.__all__ == cutmeshort.__all__
    for name in PUBLIC:
        assert getattr(cms_python, name) is getattr(cutmeshort, name)


def test_the_former_names_of_modules_work_and_warn() -> None:
    """`cms_python.models` and its siblings are the modules of `cutmeshort`."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "cms_python"]:
        del sys.modules[name]
    with pytest.warns(DeprecationWarning, match="now called cutmeshort") as caught:
        from cms_python.models import LeadPayload
    assert caught[0].filename == __file__
    import cms_python

    assert LeadPayload is cms_python.models.LeadPayload is cutmeshort.LeadPayload
    for name in (
        *("api", "api.tracking_api", "api_client", "api_response", "client", "configuration"),
        *("exceptions", "models", "models.error_response", "models.lead_payload"),
        *("models.sale_payload", "models.track_response", "rest"),
    ):
        module = importlib.import_module(f"cutmeshort.{name}")
        former = importlib.import_module(f"cms_python.{name}")
        public = [each for each in vars(module) if not each.startswith("_")]
        for each in getattr(module, "__all__", public):
            assert getattr(former, each) is getattr(module, each)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("lead_payload", "LeadPayload"),
        ("sale_payload", "SalePayload"),
        ("track_response", "TrackResponse"),
        ("error_response", "ErrorResponse"),
    ],
)
def test_a_model_is_in_the_module_of_its_name(module: str, name: str) -> None:
    """The modules are those that the generator makes."""
    model = getattr(importlib.import_module(f"cutmeshort.models.{module}"), name)
    assert model is getattr(cutmeshort, name)
    assert model.__module__ == f"cutmeshort.models.{module}"


def test_the_version_is_said_once() -> None:
    """The installed package and `__version__` agree."""
    assert importlib.metadata.version("cutmeshort") == cutmeshort.__version__ == "2.0.0"


def test_the_core_depends_on_four_packages() -> None:
    """Everything beyond the four dependencies is an extra."""
    requirements = importlib.metadata.requires("cutmeshort") or []
    core = {re.split(r"[<>=]", item)[0] for item in requirements if "extra ==" not in item}
    assert core == {"urllib3", "pydantic", "python-dateutil", "typing-extensions"}
