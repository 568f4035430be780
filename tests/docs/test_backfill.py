"""The page on past events: its commands work in their order, and print what it shows."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cutmeshort.cli import backfill, main
from cutmeshort.outbox.backfill import FIELDS
from cutmeshort.sandbox import Sandbox

from ..support.platforms import not_on_windows
from .pages import names, page
from .test_tables import all_names

PAGE = page("how-to/backfill")
REFERENCE = page("reference/command-line")
TOOK = re.compile(r"(?<=this run took )\d+ s")


@not_on_windows("the blocks are for a POSIX shell")
def test_the_commands_print_what_the_page_shows(sandbox: Sandbox, tmp_path: Path) -> None:
    """A reader who pastes all blocks into a shell gets the output that the page shows."""
    script = tmp_path / "bin" / "cutmeshort"
    script.parent.mkdir()
    # Without the limit of the rate, except in a dry run, which shows it.
    script.write_text(
        '#!/bin/sh\ncase "$*" in *--dry-run*) rate=50;; *) rate=0;; esac\n'
        f'exec "{sys.executable}" -m cutmeshort "$@" --per-minute $rate\n',
        encoding="utf-8",
    )
    python = script.with_name("python")
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    python.chmod(0o755)
    environment = {**os.environ, "PATH": f"{script.parent}{os.pathsep}{os.environ['PATH']}"}
    blocks = PAGE.blocks()
    for block, shown in zip(blocks, [*blocks[1:], None]):
        if block.language != "sh" or re.match("export |cutmeshort sandbox", block.text):
            continue
        done = subprocess.run(
            ["sh", "-c", f"{block.text}wait"],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=60,
        )
        expected = shown.text if shown is not None and shown.language == "text" else ""
        assert TOOK.sub("", done.stdout.replace("\r", "")) == TOOK.sub("", expected)
    assert [sale.invoice_id for sale in sandbox.sales] == ["1001", "1002", "1003", "1005"]
    assert len(sandbox.leads) == 1
    assert "orders.csv.rejected.csv" in (tmp_path / "backfill.log").read_text(encoding="utf-8")


def test_the_page_has_each_field() -> None:
    """The page names each field that a column can have."""
    assert set(FIELDS) <= set(re.findall(r"`(\w+)`", PAGE.prose))


def test_the_table_of_exit_codes_is_complete() -> None:
    """The reference has each exit code of the command."""
    rows = REFERENCE.table("Backfill", 1)
    assert {int(row["code"]) for row in rows} == {
        *(backfill.DELIVERED, backfill.REJECTED, backfill.BAD_INPUT, backfill.SET_UP_WRONG),
        backfill.INTERRUPTED,
    }


def test_the_table_of_options_is_complete(capsys: pytest.CaptureFixture[str]) -> None:
    """The reference has each option of the command."""
    with pytest.raises(SystemExit):
        main(["backfill", "--help"])
    shown = re.findall(r"^  (--[\w-]+)\b", capsys.readouterr().out, re.MULTILINE)
    documented = [name.split()[0] for name in all_names(REFERENCE.table("Backfill"))]
    assert documented == ["FILE", *shown]


@pytest.mark.parametrize(("where", "options"), [("run", ()), ("dry run", ("--dry-run",))])
def test_the_table_of_keys_is_complete(
    where: str,
    options: tuple[str, ...],
    sandbox: Sandbox,  # noqa: ARG001 - sets variables
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The reference has each key of the summaries."""
    path = tmp_path / "events.jsonl"
    event = {"event_name": "Sign up", "customer_external_id": 1, "click_id": "c"}
    path.write_text(json.dumps({**event, "timestamp": "2026-01-31"}), encoding="utf-8")
    assert main(["backfill", str(path), "--json", *options]) == 0
    rows = REFERENCE.table("Backfill", 2)
    documented = {names(row["key"])[0] for row in rows if row["in"] in ("both", where)}
    assert json.loads(capsys.readouterr().out).keys() == documented
