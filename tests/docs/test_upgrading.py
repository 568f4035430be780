"""The tables of "Upgrading from 1.x" are true: old code does what they say, replacements work."""

import builtins
import logging
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydantic
import pytest

import cutmeshort
from cutmeshort.sandbox import Sandbox

from .pages import page

PAGE = page("how-to/upgrading")
LINES = re.findall(r"^\| (?!In 1\.x|---|\*\*)(.*) \|$", PAGE.text, re.MULTILINE)
ROWS = [line.split(" | ") for line in LINES]


def _code(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


OLD = [(code, now) for old, now, _, _ in ROWS for code in _code(old)]
NEW = [code for _, _, new, _ in ROWS for code in _code(new)]


@pytest.fixture
def _logging() -> Iterator[None]:
    """Leave the logger as it was."""
    logger = logging.getLogger("cutmeshort")
    level, handlers = logger.level, list(logger.handlers)
    yield
    logger.setLevel(level)
    for handler in list(logger.handlers):
        if handler not in handlers:
            logger.removeHandler(handler)
            handler.close()


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """A sandbox that all tests of this module share."""
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def run(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, _logging: None
) -> Iterator[Any]:
    """Run code with the names that the page defines; return the value of an expression."""
    names: dict[str, Any] = {}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CMS_HOST", sandbox.url)
    monkeypatch.setenv("CMS_BEARER_TOKEN", sandbox.token)
    sandbox.reset()
    (setup,) = PAGE.blocks("python")
    exec(setup.text, names)

    def evaluate(code: str) -> Any:
        try:
            compiled = compile(code, code, "eval")
        except SyntaxError:
            compiled = compile(code, code, "exec")
        return eval(compiled, names)

    yield evaluate
    names["client"].close()
    names["api_client"].close()


def _categories(now: str) -> tuple[type[BaseException], ...]:
    """The exceptions and warnings that the second column names."""
    places = (builtins, cutmeshort, pydantic)
    found = [getattr(place, name, None) for name in _code(now) for place in places]
    return tuple(each for each in found if isinstance(each, type))


@pytest.mark.parametrize(("code", "now"), OLD)
def test_old_code_does_what_the_table_says(code: str, now: str, run: Any) -> None:
    """An old form raises or warns, returns an error of that type, or works, as the table says."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "cms_python"]:
        del sys.modules[name]
    categories = _categories(now)
    if categories:
        with pytest.raises(categories):  # also of warnings, which are errors in this suite
            run(code)
    elif now.startswith("works"):
        run(code)
    else:
        assert [run(code)["type"]] == _code(now)


@pytest.mark.parametrize("code", NEW)
def test_a_replacement_works(code: str, run: Any) -> None:
    """A replacement neither raises nor warns, and its event is tracked."""
    value = run(code)
    assert not isinstance(value, dict) or value.get("success", True) is True


def test_each_row_has_a_replacement_and_a_reason() -> None:
    """Each row, except that of the versions, has new code or says that there is none."""
    assert [row for row in ROWS if len(row) != 4 or not row[3].endswith(".")] == []
    without = [row for row in ROWS if not _code(row[2])]
    assert [old for old, _, new, _ in without if not re.match("none(: |$)", new)] == [
        "Python 3.8, pydantic 2.0"
    ]


def test_the_first_table_has_all_that_changed_for_the_client() -> None:
    """No row of the second table is about the client only."""
    first, second = PAGE.table("CMSClient"), PAGE.table("Low-level API")
    assert len(first) + len([row for row in second if row["Why"]]) == len(ROWS)
    assert [
        row for row in second if re.search(r"\b(client\.|CMSClient|cms_python)", row["In 1.x"])
    ] == []
