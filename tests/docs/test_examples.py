"""The examples run as they are, and there is one for each operation."""

import pytest

from cutmeshort.operations import Operation
from cutmeshort.sandbox import Sandbox

from ..support.operations import each_operation
from ..support.paths import ROOT
from ..support.processes import run_python
from .pages import README, page

EXAMPLES = ROOT / "examples"


def run(example: str) -> str:
    """Run an example with warnings as errors, and return what it prints, which must be ASCII."""
    return run_python(str(EXAMPLES / f"{example}.py"), PYTHONIOENCODING="ascii:strict")


@pytest.mark.parametrize(
    ("example", "shows"),
    [
        ("quickstart", ["using a sandbox", "tracked: Lead", "validation_error", "sale 'Purchase'"]),
        ("lead_example", ["Standard lead: {'success': True", "Follow-up: {'success': True"]),
        ("sale_example", ["First call: {'success': True", "Sales recorded: 1"]),
        (
            "handle_errors",
            ["Valid lead: done", "fix the arguments", "missing or invalid", "host: send it again"],
        ),
        ("low_level_api", ["Lead: 200", "application/json", "Rejected: 422"]),
    ],
)
def test_an_example_runs_as_it_is(example: str, shows: list[str]) -> None:
    """Each example runs without arguments, prints ASCII only, and shows what it is about."""
    printed = run(example)
    for text in shows:
        assert text in printed


def test_the_tests_of_the_checkout_pass() -> None:
    """Pytest, run as the file says, uses the plugin and needs no token."""
    options = ("-q", "-p", "no:cacheprovider", "examples/test_checkout.py")
    printed = run_python("-m", "pytest", *options, PYTEST_PLUGINS="pytest_cutmeshort")
    assert "3 passed" in printed


def test_an_example_uses_the_service_where_there_is_a_token(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With CMS_BEARER_TOKEN set, the quick start talks to CMS_HOST."""
    with Sandbox(token="mine") as sandbox:
        monkeypatch.setenv("CMS_BEARER_TOKEN", "mine")
        monkeypatch.setenv("CMS_HOST", sandbox.url)
        printed = run("quickstart")
        assert "sandbox" not in printed
        assert (len(sandbox.leads), len(sandbox.sales)) == (3, 1)


def test_every_example_is_tested() -> None:
    """No example is left out above."""
    names = {path.stem for path in EXAMPLES.glob("*.py")}
    assert names == {
        "quickstart",
        "lead_example",
        "sale_example",
        "handle_errors",
        "low_level_api",
        "service",
        "checkout",
        "test_checkout",
    }


@each_operation
def test_every_operation_has_an_example(operation: Operation) -> None:
    """README, tutorial and quick start call each operation, and it has an example of its own."""
    call = f"client.{operation.name}("
    assert call in "".join(block.text for block in README.blocks("python"))
    assert call in "".join(block.text for block in page("tutorial").blocks("python"))
    for example in ("quickstart", f"{operation.name.replace('track_', '')}_example"):
        assert call in (EXAMPLES / f"{example}.py").read_text(encoding="utf-8")
