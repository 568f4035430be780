"""The pages on the command line show what the command prints, and their tables are complete."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cutmeshort.cli import INTERRUPTED, main, track
from cutmeshort.operations import Operation
from cutmeshort.sandbox import Sandbox

from ..support.operations import each_operation
from ..support.platforms import not_on_windows
from .pages import Block, names, page
from .test_tables import all_names

REFERENCE = page("reference/command-line")
# What differs between runs: ports, ids, the clock, versions.
VARIABLE = re.compile(
    r"(?<=127\.0\.0\.1:)\d+|(?<=port )\d+|req_[0-9a-f]+|\d+ s (ahead of|behind)|\d+\.\d+\.\d+.*"
)


@pytest.fixture
def environment(sandbox: Sandbox, tmp_path: Path) -> dict[str, str]:  # noqa: ARG001 - sets variables
    """The environment of a shell that has the command and a sandbox."""
    # The script may be missing if the tests run in an environment without the package.
    script = tmp_path / "cutmeshort"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cutmeshort "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    return {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}


def _examples(name: str) -> list[tuple[Block, Block]]:
    """Return the blocks of shell commands with the blocks of their output."""
    blocks = page(name).blocks()
    return [
        (block, shown)
        for block, shown in zip(blocks, blocks[1:])
        if block.language == "sh" and shown.language in ("text", "json")
    ]


def _without_versions(document: str) -> Any:
    """Parse JSON, and replace what differs between runs."""
    parsed = json.loads(
        re.sub("req_[0-9a-f]+", "ID", re.sub(r"(?<=127\.0\.0\.1:)\d+", "", document))
    )
    if "versions" in parsed:
        parsed["versions"] = list(parsed["versions"])
    return parsed


@not_on_windows("the blocks are for a POSIX shell")
@pytest.mark.parametrize(("name", "number"), [("how-to/shell", 5), ("reference/command-line", 2)])
def test_the_page_shows_what_the_commands_print(
    name: str, number: int, environment: dict[str, str]
) -> None:
    """The block after a block of commands is their output, except for what differs between runs."""
    examples = _examples(name)
    assert len(examples) == number
    others = set(page(name).blocks("sh")) - {block for block, _ in examples}
    assert all(re.match("export |cutmeshort sandbox", block.text) for block in others)
    for block, shown in examples:
        done = subprocess.run(
            ["sh", "-c", block.text],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == int("failed" in shown.text), done.stdout
        if shown.language == "json":
            assert _without_versions(done.stdout) == _without_versions(shown.text)
        else:
            assert VARIABLE.sub("X", done.stdout) == VARIABLE.sub("X", shown.text)


def _help(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit):
        main([command, "--help"] if command else ["--help"])
    return capsys.readouterr().out


def test_the_table_of_commands_is_complete(capsys: pytest.CaptureFixture[str]) -> None:
    """It has each command."""
    commands = re.findall(r"^    (\w+) ", _help("", capsys), re.MULTILINE)
    assert all_names(REFERENCE.table("Command line")) == commands


@each_operation
def test_the_table_of_arguments_is_complete(
    operation: Operation, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has each argument and option of the command, with the field that it sets."""
    command = operation.event
    text = _help(command, capsys)
    shown = re.findall(r"^  (--[\w-]+|[A-Z]+)\b", text, re.MULTILINE)
    rows = [
        row
        for row in REFERENCE.table("Track an event")
        if row["commands"] == "all" or command in names(row["commands"])
    ]
    assert sorted(all_names(rows)) == sorted(shown)
    fields = {field for row in rows for field in names(row["field or setting"])[:1]}
    assert operation.request_model.model_fields.keys() <= fields
    (usage,) = re.findall(rf"^cutmeshort {command} (.*) \[OPTIONS\]$", REFERENCE.text, re.M)
    assert usage.split() == [name for name in shown if name.isupper() and "-" not in name]


def test_the_table_of_doctors_options_is_complete(capsys: pytest.CaptureFixture[str]) -> None:
    """It has each option of the command."""
    shown = re.findall(r"^  (--[\w-]+)\b", _help("doctor", capsys), re.MULTILINE)
    assert all_names(REFERENCE.table("Doctor")) == shown


def test_the_table_of_checks_is_complete(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has each check, in the order of the report."""
    monkeypatch.setenv("CMS_HOST", "not a URL")
    main(["doctor", "--json"])
    checks = json.loads(capsys.readouterr().out)["checks"]
    assert all_names(REFERENCE.table("Doctor", 1)) == [check["name"] for check in checks]


def test_the_table_of_exit_codes_is_complete() -> None:
    """It has each exit code."""
    codes = {int(row["code"]) for row in REFERENCE.table("Exit codes")}
    own = {track.TRACKED, track.NOT_TRACKED, track.USAGE_ERROR, track.TOKEN_REJECTED}
    assert codes == own | {track.RETRYABLE, INTERRUPTED}
