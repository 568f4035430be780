"""The page on outages: its shop, its commands and its worker work, and its logs are real."""

import ast
import configparser
import logging
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cutmeshort.cli import _make_parser, main
from cutmeshort.outbox import Outbox
from cutmeshort.sandbox import Sandbox

from ..outbox.fast import deliver
from ..support.events import client_of, sale
from ..support.logs import lines
from ..support.platforms import not_on_windows
from ..support.processes import run_program
from ..support.server import OK, Server, respond
from ..support.timing import LONG, Clock, wait_until
from .pages import page

PAGE = page("how-to/service-down")
BUY = """
from shop import app

with app.test_client() as http:
    for user in ("user_44", "user_45"):
        assert http.post("/checkout?cms_rf=click_1", data={"user": user}).json["invoice"]
    assert http.post("/checkout", data={"user": "user_46"}).json["invoice"]
"""
GUNICORN = """
import time
import gunicorn_conf
from shop import tracking

gunicorn_conf.post_worker_init(None)
end = time.monotonic() + 30
while tracking.status()["waiting"] and time.monotonic() < end:
    time.sleep(0.02)
gunicorn_conf.worker_exit(None, None)
print(tracking.status()["is_delivering"])
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shop of the page, with three sales. In its outbox are those of visitors who clicked."""
    for block in PAGE.blocks("python"):
        file = re.match(r"# (\w+\.py)\n", block.text)
        if file is not None:
            (tmp_path / file[1]).write_text(block.text, encoding="utf-8")
    script = tmp_path / "cutmeshort"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cutmeshort "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.setenv("SHOP_OUTBOX", str(tmp_path / "cms.db"))
    run_program(BUY)
    return tmp_path


@not_on_windows("the blocks are for a POSIX shell")
def test_the_shop_survives_an_outage(
    folder: Path, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """The worker of the page delivers what the shop queued, and the commands show it."""
    path = str(folder / "cms.db")
    with subprocess.Popen(
        ["sh", "-c", PAGE.block("sh", "export")],
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as worker:
        with Outbox(path) as outbox:
            wait_until(lambda: outbox.status()["delivered"] == 2)
        assert main(["outbox", "status", path]) == 0
        os.killpg(worker.pid, signal.SIGTERM)
        _, log = worker.communicate(timeout=LONG)
    assert "Delivery ends" in log
    assert {sale.customer_external_id for sale in sandbox.sales} == {"user_44", "user_45"}
    shown = re.sub(r"\d+, the oldest for \d+ s|\d+", "0", PAGE.block("text", "waiting"))
    assert re.sub(r"\d+", "0", capsys.readouterr().out) == shown
    for start in ("cutmeshort outbox list", "cutmeshort outbox purge"):
        for command in PAGE.block("sh", start).splitlines():
            assert subprocess.run(["sh", "-c", command], check=False).returncode in (0, 1)


@not_on_windows("gunicorn does not run there")
@pytest.mark.usefixtures("folder")
def test_gunicorn_delivers(sandbox: Sandbox) -> None:
    """The hooks of gunicorn start a thread that delivers, and end it."""
    assert run_program(GUNICORN) == "False\n"
    assert len(sandbox.sales) == 2


def test_the_result_is_as_shown(tmp_path: Path) -> None:
    """A call of the outbox returns the dict of the page."""
    with Outbox(tmp_path / "cms.db") as outbox:
        assert sale(outbox) == ast.literal_eval(PAGE.block("python", "{"))


def test_the_logs_are_as_shown(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """In an outage, and with a wrong token, the worker logs the lines of the page."""
    caplog.set_level(logging.INFO)
    _, *outage = PAGE.block("text", "INFO: Delivery of").splitlines()
    (wrong,) = PAGE.block("text", "ERROR: Delivery stops").splitlines()
    steps = [respond(503)] * 3 + [OK] * 3 + [respond(401), OK]
    outbox = Outbox(tmp_path / "cms.db")
    with outbox, Server(*steps) as server, client_of(server) as client:
        for number in range(4):
            sale(outbox, invoice_id=number, customer_external_id=number)
        deliver(outbox, client, clock)
    logged = [
        f"{record.levelname}: {record.getMessage()}"
        for record in caplog.records
        if record.getMessage() in lines(caplog) and record.getMessage().startswith("Delivery")
    ]
    assert logged == [*outage, wrong, "INFO: Delivery resumes"]


def test_the_service_files_start_the_worker() -> None:
    """The commands for systemd, a Procfile, a container and cron are valid."""
    unit = configparser.ConfigParser()
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(PAGE.block("text", "# /etc/systemd"))
    assert unit.getint("Service", "TimeoutStopSec") > 10  # the timeout of a call
    commands = [unit["Service"]["ExecStart"], *re.findall(r"cutmeshort deliver [/\w.]+", PAGE.text)]
    assert len(commands) == 5
    for command in commands:
        arguments = shlex.split(command)[1:]
        parsed = _make_parser("deliver").parse_args(arguments)
        assert (parsed.file, parsed.per_minute) == ("/var/lib/shop/cms.db", 50)
