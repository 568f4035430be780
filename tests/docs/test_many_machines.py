"""The page on many machines: its shops work, and the tables of the reference are complete."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from django.core.management import load_command_class
from sqlalchemy import MetaData

from cutmeshort.integrations.django_outbox import DjangoTracker
from cutmeshort.integrations.sqlalchemy import SessionTracker, outbox_table, relay
from cutmeshort.sandbox import Sandbox

from ..integrations import shops  # noqa: F401 - it sets Django up
from ..support.paths import ROOT
from ..support.platforms import not_on_windows
from ..support.processes import run_program
from ..support.timing import LONG
from .pages import names, page
from .test_tables import name, parameters

GUIDE = page("how-to/many-machines")
REFERENCE = page("reference/transactional-outbox")
ORDERS = """
from fastapi.testclient import TestClient
from shop import app

client = TestClient(app)
assert client.post("/checkout?customer=user_1&cents=4999&cms_rf=click_1").json() == {"order": 1}
assert client.post("/checkout?customer=user_2&cents=999").json() == {"order": 2}
"""
ASYNC_ORDER = """
import asyncio
from async_shop import checkout
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

async def main():
    engine = create_async_engine("sqlite+aiosqlite:///shop.sqlite3")
    async with AsyncSession(engine) as session:
        await checkout(session, "user_3", 500, "click_3")
    await engine.dispose()

asyncio.run(main())
"""


def write_files(heading: str, folder: Path, mode: str = "w") -> None:
    """Write the blocks of Python below a heading, whose first line is the path of the file."""
    for block in GUIDE.blocks("python"):
        if block.heading == heading:
            (path,) = re.findall(r"\A# ([\w/]+\.py)\n", block.text)
            with (folder / path).open(mode, encoding="utf-8") as file:
                file.write(block.text)


def deliver(command: list[str], folder: Path, sandbox: Sandbox, sales: int) -> int:
    """Run a worker until the sandbox has some sales, stop it, and return its exit code."""
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + LONG
        while len(sandbox.sales) < sales and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        process.wait(timeout=LONG)
    return process.returncode


@not_on_windows("the blocks are for a POSIX shell")
def test_the_django_shop_of_the_page_works(sandbox: Sandbox, tmp_path: Path) -> None:
    """A reader who runs all commands has a shop whose events commit with the orders."""
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}

    def run(text: str) -> str:
        script = text.replace("django-admin", "python -m django")
        done = subprocess.run(
            ["sh", "-c", script],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == int("fail=True" in text), done.stderr
        return done.stdout

    install, tables, orders, server, worker = (
        block.text for block in GUIDE.blocks("sh") if block.heading == "Django"
    )
    run("\n".join(install.splitlines()[1:]))
    write_files("Django", tmp_path, mode="a")
    run(tables)
    (expected,) = (block.text for block in GUIDE.blocks("text") if block.heading == "Django")
    for line in orders.splitlines():
        assert expected in run(line)
    assert server == "cutmeshort sandbox\n"
    assert worker.endswith("\npython manage.py deliver_tracking\n")
    command = [sys.executable, "manage.py", "deliver_tracking"]
    assert deliver(command, tmp_path, sandbox, 1) == 130
    (sale,) = sandbox.sales
    assert (sale.customer_external_id, sale.amount) == ("user_1", 4999)


@not_on_windows("a signal ends a process on Windows instead of sending a signal")
def test_the_sqlalchemy_shop_of_the_page_works(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The orders of visitors who clicked are delivered, including those of the async shop."""
    write_files("SQLAlchemy", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT}")
    run_program(ORDERS + ASYNC_ORDER)
    deliver([sys.executable, "worker.py"], tmp_path, sandbox, 2)
    customers = [sale.customer_external_id for sale in sandbox.sales]
    assert customers == ["user_1", "user_3"]


def test_the_tables_of_arguments_are_complete() -> None:
    """The tables have each argument of the trackers and of `relay`, with its default."""
    trackers = {**parameters(SessionTracker), **parameters(DjangoTracker)}
    tables: list[tuple[list[dict[str, str]], Any]] = [
        (REFERENCE.table("Trackers", 1), trackers),
        (REFERENCE.table("relay"), parameters(relay)),
    ]
    for rows, accepted in tables:
        assert [name(row) for row in rows] == sorted(
            accepted, key=[name(row) for row in rows].index
        )
        for row in rows:
            value = accepted[name(row)].default
            default = row["default"].strip("`")
            is_required = value is accepted[name(row)].empty
            assert default == "required" if is_required else eval(default) == value


def test_the_table_of_columns_is_complete() -> None:
    """The table has each column, in order."""
    columns = outbox_table(MetaData()).columns
    assert [name(row) for row in REFERENCE.table("outbox_table")] == list(columns.keys())


def test_the_table_of_options_is_complete() -> None:
    """The table has each option of the command, with its default."""
    command = load_command_class("cutmeshort.integrations.django_outbox", "deliver_tracking")
    parser: Any = command.create_parser("manage.py", "deliver_tracking")
    own = {
        action.option_strings[0]: action.default
        for action in parser._actions
        if action.option_strings[0] in ("--outbox", "--per-minute", "--database")
    }
    rows = {name(row): row["default"] for row in REFERENCE.table("manage.py deliver_tracking")}
    assert rows.keys() == own.keys()
    for option, default in own.items():
        assert default is None or names(rows[option]) == [str(default)]
