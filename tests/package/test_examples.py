"""The examples run without changes."""

import pytest

from ..support.paths import ROOT
from ..support.processes import run_python


@pytest.mark.parametrize(
    ("example", "shows"),
    [
        ("quickstart", ["using a sandbox", "'success': True", "validation_error", "→ sale 'Purch"]),
        ("lead_example", ["Standard lead: {'success': True", "Follow-up: {'success': True"]),
        ("sale_example", ["First call: {'success': True", "Sales recorded: 1"]),
        (
            "handle_errors",
            ["All well: done", "fix the caller", "missing or unknown", "Nobody there: queue it"],
        ),
        ("low_level_api", ["Lead: 200", "application/json", "Refused: 422"]),
    ],
)
def test_an_example_runs_without_changes(example: str, shows: list[str]) -> None:
    """Each example runs without arguments and prints what it demonstrates."""
    printed = run_python(str(ROOT / "examples" / f"{example}.py"))
    for text in shows:
        assert text in printed


def test_an_example_uses_the_service_where_there_is_a_token(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With CMS_BEARER_TOKEN set, the quick start sends its events to CMS_HOST."""
    from cutmeshort.sandbox import Sandbox

    with Sandbox(token="mine") as sandbox:
        monkeypatch.setenv("CMS_BEARER_TOKEN", "mine")
        monkeypatch.setenv("CMS_HOST", sandbox.url)
        printed = run_python(str(ROOT / "examples" / "quickstart.py"))
        assert "sandbox" not in printed
        assert (len(sandbox.leads), len(sandbox.sales)) == (3, 1)


def test_every_example_is_tested() -> None:
    """No example is left out above."""
    names = {path.stem for path in (ROOT / "examples").glob("*.py")}
    assert names == {
        "quickstart",
        "lead_example",
        "sale_example",
        "handle_errors",
        "low_level_api",
        "service",
    }
