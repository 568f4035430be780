"""`cutmeshort backfill`: dry runs, deliveries, rejects, and what it prints and exits with."""

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cutmeshort.outbox.lock import DeliveryLock
from cutmeshort.sandbox import Sandbox

from ..cli.conftest import TOKEN, Run
from ..support.platforms import not_on_windows
from ..support.server import OK, Connection, Server, respond
from ..support.timing import LONG, wait_until
from .files import HEADER, SALE, sale_line, write_sales

INVALID = sale_line(90, amount="12.5")
KEPT = "The events that were not sent are kept in {}: run the same command again to continue."


def invoices(sandbox: Sandbox) -> list[str]:
    """Return the invoices that a sandbox has recorded, in the order of arrival."""
    return [sale.invoice_id for sale in sandbox.sales]


def left(folder: Path) -> list[str]:
    """Return the names of the files in a folder."""
    return sorted(path.name for path in folder.iterdir())


# Dry runs


def test_a_dry_run_shows_what_would_be_sent(run: Run, tmp_path: Path) -> None:
    """The command counts, names invalid rows by line, and prints how long sending takes."""
    path = write_sales(tmp_path, range(10_000), sale_line(1), INVALID)
    done = run("backfill", str(path), "--dry-run")
    assert done.code == 1
    assert done.out.splitlines() == [
        "sales.csv: 10,002 rows: 10,000 sales, 1 duplicate of an earlier row, 1 not valid",
        "Sending takes 3 h 20 min at 50 per minute.",
        "Nothing was sent or written.",
    ]
    assert done.err.startswith("sales.csv, line 10003: amount must be a whole number of the ")
    assert len(done.err.splitlines()) == 1
    assert left(tmp_path) == ["sales.csv"]


def test_a_dry_run_needs_no_token(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a token, a dry run of a valid file exits with 0."""
    path = write_sales(tmp_path, range(3))
    monkeypatch.delenv("CMS_BEARER_TOKEN")
    done = run("backfill", str(path), "--dry-run", "--per-minute", "0")
    assert done == (0, "sales.csv: 3 rows: 3 sales\nNothing was sent or written.\n", "")


def test_long_lists_are_shortened(run: Run, tmp_path: Path) -> None:
    """The command names at most 20 rows and 20 columns, and counts the others."""
    names = [f"x{number:02}" for number in range(25)]
    path = tmp_path / "sales.csv"
    rows = [f"{INVALID},{',' * 24}"] * 22
    path.write_text("\n".join([f"{HEADER},{','.join(names)}", *rows]), encoding="utf-8")
    done = run("backfill", str(path), "--dry-run")
    assert done.code == 2
    assert done.err.count("sales.csv, line ") == 20
    assert done.err.endswith("and 2 more rows that are not valid\n")
    assert f"Columns that are not used: {', '.join(map(repr, names[:20]))} and 5 more\n" in done.out


def test_a_dry_run_prints_json(run: Run, tmp_path: Path) -> None:
    """With `--json`, the summary of a dry run is one document, which has all invalid rows."""
    lead = {"event_name": "Sign up", "customer_external_id": 1, "timestamp": "2026-01-31"}
    lines = [json.dumps(lead), *["no JSON"] * 30, json.dumps({**SALE, "amount": 1, "note": ""})]
    path = tmp_path / "events.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    done = run("backfill", str(path), "--dry-run", "--json")
    assert (done.code, done.err) == (1, "")
    document = json.loads(done.out)
    assert [each["line"] for each in document.pop("errors")] == list(range(2, 32))
    assert len(document.pop("warnings")) == 2
    assert document == {
        "rows": 32,
        "events": {"lead": 1, "sale": 1},
        "duplicates": 0,
        "invalid": 30,
        "ignored": ["note"],
        "seconds": 2.4,
    }


@pytest.mark.parametrize("dry_run", [(), ("--dry-run",)])
@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (None, (), "sales.csv can't be read: No such file or directory"),
        ("", (), "sales.csv is empty"),
        ("a,b\n1,2\n", (), "no column for event_name, customer_external_id, timestamp"),
        (f"{HEADER}\n", (), ""),
        (f"{HEADER}\n{INVALID}\n", (), ""),
        (f'{HEADER}\n{sale_line(1)}\n"', (), "row that begins in line 3"),
        (f"{HEADER}\n", ("--map", "email=x"), "--map needs FIELD=..., with one of the fields"),
        (f"{HEADER}\n", ("--set", "currency"), "--set needs FIELD=..., with one of the fields"),
        (f"{HEADER}\n", ("--set", "mode=x", "--set", "mode=y"), "--set has mode twice"),
        (f"{HEADER}\n", ("--per-minute", "-1"), "--per-minute must be a whole number, 0 or more"),
        (f"{HEADER}\n", ("--set", "clickId=x", "--map", "click_id=y"), "both --map and --set"),
    ],
    ids=str,
)
def test_bad_input_exits_with_2(
    content: Any,
    options: Any,
    message: str,
    dry_run: Any,
    run: Run,
    sandbox: Sandbox,
    tmp_path: Path,
) -> None:
    """Bad input is reported on stderr; nothing is sent, and no file is left behind."""
    path = tmp_path / "sales.csv"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    done = run("backfill", str(path), *options, *dry_run)
    assert done.code == 2
    assert message in done.err
    assert not sandbox.requests
    assert left(tmp_path) == ([] if content is None else ["sales.csv"])


# Deliveries


def test_events_are_delivered_in_order(run: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    """The command sends all events in the order of the file, and removes its state."""
    path = write_sales(tmp_path, range(20))
    done = run("backfill", str(path), "--per-minute", "0")
    assert done.code == 0
    assert done.err == "sales.csv: 20 rows: 20 sales\n"
    assert done.out.startswith("20 events delivered; this run took ")
    assert invoices(sandbox) == [f"inv_{number}" for number in range(20)]
    assert sandbox.sales[0].timestamp is not None
    assert left(tmp_path) == ["sales.csv"]


def test_options_map_an_export(run: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    """`--map`, `--set` and `--major-units` turn the columns of a shop into events."""
    path = tmp_path / "orders.csv"
    path.write_text(
        'Order;Total;Buyer;Created at;Click\n"A-1";49.99;7;2026-01-31 12:00:00 +0100;c\n',
        encoding="utf-8-sig",
    )
    columns = {
        "invoiceId": "Order",
        "amount": "Total",
        "customer_external_id": "Buyer",
        "timestamp": "Created at",
        "click_id": "Click",
    }
    options = [f"--map={field}={column}" for field, column in columns.items()]
    constants = ["--set=currency=EUR", "--set=event_name=Purchase"]
    assert run("backfill", str(path), *options, *constants, "--major-units").code == 0
    sandbox.assert_sale(
        event_name="Purchase",
        customer_external_id=7,
        invoice_id="A-1",
        amount=4999,
        currency="EUR",
        timestamp="2026-01-31T12:00:00+01:00",
    )


def test_rejected_rows_can_be_corrected(run: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    """Rows that are not valid, or that the service rejects, are in a file that can be run again."""
    more = [INVALID, sale_line(3, click_id=""), sale_line(1), sale_line(4), sale_line(3)]
    path = write_sales(tmp_path, range(3), *more)
    done = run("backfill", str(path), "--per-minute", "0")
    assert done.code == 1
    rejects = tmp_path / "sales.csv.rejected.csv"
    assert done.out.splitlines()[0].startswith("4 events delivered; ")
    assert done.out.splitlines()[1:] == [
        "2 duplicate rows skipped.",
        f"2 rows rejected: correct them in {rejects}, and run the same command with that file.",
    ]
    assert "Warning, 1 row: click_id: Not set" in done.err
    _, first, second = csv.reader(rejects.read_text(encoding="utf-8").splitlines())
    assert (first[0], second[0]) == ("5", "6")
    assert first[1].startswith("amount must be a whole number")
    assert ",".join(first[2:]) == INVALID
    assert second[1].startswith("unprocessable_entity: clickId is required")
    assert rejects.stat().st_mode & 0o777 == 0o600 or sys.platform == "win32"
    assert left(tmp_path) == ["sales.csv", "sales.csv.rejected.csv"]
    mended = rejects.read_text(encoding="utf-8").replace("12.5", "1250")
    rejects.write_text(mended.replace("00Z,", "00Z,click_9"), encoding="utf-8")
    done = run("backfill", str(rejects), "--per-minute", "0", "--json")
    assert done.code == 0
    document = json.loads(done.out)
    assert document.pop("seconds") > 0
    assert document == {
        "delivered": 2,
        "already_recorded": 0,
        "duplicates": 0,
        "rejected": 0,
        "rejects": None,
    }
    assert sorted(invoices(sandbox)) == [f"inv_{number}" for number in (0, 1, 2, 3, 4, 90)]


def test_rejects_of_json_lines_are_json_lines(run: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    """The file of rejected objects of a JSON Lines file is also JSON Lines."""
    path = tmp_path / "events.jsonl"
    sale = {**SALE, "amount": 1}
    path.write_text(
        f"{json.dumps(sale)}\n{json.dumps({**sale, 'amount': 1.5})}\n", encoding="utf-8"
    )
    assert run("backfill", str(path), "--json").code == 1
    rejects = tmp_path / "events.jsonl.rejected.jsonl"
    rejected = json.loads(rejects.read_text(encoding="utf-8"))
    assert (rejected["cutmeshort_line"], rejected["amount"]) == (2, 1.5)
    assert invoices(sandbox) == ["inv_1"]


def test_a_file_of_rejected_rows_is_not_overwritten(
    run: Run, sandbox: Sandbox, tmp_path: Path
) -> None:
    """An existing file of rejected rows is reported, and not overwritten."""
    path = write_sales(tmp_path, range(3))
    (tmp_path / "sales.csv.rejected.csv").write_text("mine", encoding="utf-8")
    done = run("backfill", str(path))
    assert done.code == 2
    assert "sales.csv.rejected.csv already exists" in done.err
    assert (tmp_path / "sales.csv.rejected.csv").read_text(encoding="utf-8") == "mine"
    assert not sandbox.requests


def test_events_that_were_recorded_before_are_delivered(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event that the service reports as a duplicate counts as delivered, and is shown."""
    path = write_sales(tmp_path, range(3))
    with Sandbox(token=TOKEN, duplicate_status=409) as sandbox:
        monkeypatch.setenv("CMS_HOST", sandbox.url)
        for _ in range(2):
            done = run("backfill", str(path), "--per-minute", "0")
            assert done.code == 0
        assert len(sandbox.sales) == 3
    assert done.out.startswith("3 events delivered (3 recorded before); ")


# Interruptions


def test_a_rejected_token_stops_the_run(
    run: Run, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong set-up exits with 3 and keeps all events, and the same command continues."""
    path = write_sales(tmp_path, range(5))
    monkeypatch.setenv("CMS_BEARER_TOKEN", "wrong")
    done = run("backfill", str(path), "--per-minute", "0")
    assert (done.code, done.out) == (3, "")
    state = tmp_path / "sales.csv.outbox"
    assert done.err.splitlines()[1:] == [
        "cutmeshort backfill: stopped: unauthorized. `cutmeshort doctor` checks the set-up.",
        KEPT.format(state),
    ]
    assert state.stat().st_mode & 0o777 == 0o600 or sys.platform == "win32"
    monkeypatch.setenv("CMS_BEARER_TOKEN", TOKEN)
    done = run("backfill", str(path), "--per-minute", "0")
    assert done.code == 0
    assert done.err == "Continuing the earlier run in sales.csv.outbox.\n"
    assert len(invoices(sandbox)) == 5
    assert left(tmp_path) == ["sales.csv"]


@pytest.mark.usefixtures("sandbox")
def test_many_rejections_stop_the_run(run: Run, tmp_path: Path) -> None:
    """If the service rejects 20 events in a row, the run stops, and says how to see the reasons."""
    path = write_sales(tmp_path, [], *(sale_line(number, click_id="") for number in range(25)))
    done = run("backfill", str(path), "--per-minute", "0")
    assert done.code == 3
    assert (
        "stopped: the service rejected 20 events in a row, the last with unprocessable_entity. "
        f"`cutmeshort outbox list {tmp_path / 'sales.csv.outbox'}` shows why."
    ) in done.err


def test_a_rejected_token_after_rejected_events_is_named(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the reason that stopped the run, and not earlier rejections."""
    path = write_sales(tmp_path, range(3))
    with Server(respond(422), respond(401)) as server:
        monkeypatch.setenv("CMS_HOST", server.url)
        done = run("backfill", str(path), "--per-minute", "0")
    assert done.code == 3
    assert "stopped: unauthorized." in done.err


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("CMS_BEARER_TOKEN", "", "CMS_BEARER_TOKEN is not set"),
        ("CMS_ENABLED", "0", "tracking is disabled: remove CMS_ENABLED"),
        ("CMS_TIMEOUT", "soon", "CMS_TIMEOUT must be a number of seconds"),
    ],
)
def test_a_wrong_setting_is_reported_at_once(
    name: str, value: str, message: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A setting that is missing or invalid exits with 3 before the file is imported."""
    path = write_sales(tmp_path, range(3))
    monkeypatch.setenv(name, value)
    done = run("backfill", str(path))
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith(f"cutmeshort backfill: {message}")
    assert left(tmp_path) == ["sales.csv"]


def stopped(run: Run, path: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> None:
    """Begin a run that a rejected token stops."""
    monkeypatch.setenv("CMS_BEARER_TOKEN", "wrong")
    assert run("backfill", str(path), *options, "--per-minute", "0").code == 3
    monkeypatch.setenv("CMS_BEARER_TOKEN", TOKEN)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "sales.csv has changed since the run that sales.csv.outbox belongs to"),
        (("--now",), "the options have changed since the run that sales.csv.outbox belongs to"),
    ],
)
def test_a_changed_input_is_rejected(
    options: Any,
    message: str,
    run: Run,
    sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A run does not continue with another input or other options, and says what to do."""
    path = write_sales(tmp_path, range(3))
    stopped(run, path, monkeypatch)
    if not options:
        write_sales(tmp_path, range(4))
    done = run("backfill", str(path), *options)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    (tmp_path / "sales.csv.outbox").unlink()
    assert run("backfill", str(path), *options, "--per-minute", "0").code == 0
    assert sandbox.sales


def test_an_input_that_changes_during_the_run_is_reported(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the input changes during the run, no rejected rows are written, and the state is kept."""
    path = write_sales(tmp_path, range(1), INVALID)

    def change(connection: Connection) -> bool:
        path.write_text("changed", encoding="utf-8")
        return OK(connection)

    with Server(change) as server:
        monkeypatch.setenv("CMS_HOST", server.url)
        done = run("backfill", str(path), "--per-minute", "0")
    assert done.code == 3
    assert "sales.csv was changed during the run: restore it" in done.err
    assert {"sales.csv", "sales.csv.outbox"} <= set(left(tmp_path))
    assert not (tmp_path / "sales.csv.rejected.csv").exists()


@pytest.mark.usefixtures("sandbox")
def test_another_process_is_excluded(run: Run, tmp_path: Path) -> None:
    """A second process that runs the same backfill exits with 2."""
    path = write_sales(tmp_path, range(3))
    lock = DeliveryLock(str(tmp_path / "sales.csv.outbox"))
    assert lock.acquire()
    done = run("backfill", str(path))
    lock.release()
    assert (done.code, done.out) == (2, "")
    assert "another process runs the backfill of sales.csv" in done.err


@pytest.mark.usefixtures("sandbox")
def test_a_file_that_is_not_a_state_is_kept(run: Run, tmp_path: Path) -> None:
    """A file that has the name of the state, but is not a state, is reported and kept."""
    path = write_sales(tmp_path, range(3))
    state = tmp_path / "sales.csv.outbox"
    state.write_bytes(b"another program's data" * 100)
    done = run("backfill", str(path))
    assert done.code == 3
    assert "the state of the backfill can't be used: " in done.err
    assert state.read_bytes() == b"another program's data" * 100


def start(path: Path, host: str) -> "subprocess.Popen[str]":
    """Start the command in a process."""
    return subprocess.Popen(
        [*(sys.executable, "-W", "error", "-m", "cutmeshort"), "backfill", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "CMS_BEARER_TOKEN": TOKEN, "CMS_HOST": host},
    )


@not_on_windows("sends SIGINT")
def test_ctrl_c_keeps_the_state(run: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    """Ctrl-C exits with 130 and says how to continue; the same command then sends the others."""
    path = write_sales(tmp_path, range(5))
    with start(path, sandbox.url) as process:
        wait_until(lambda: bool(sandbox.sales))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=LONG)
    assert (process.returncode, out) == (130, "")
    assert f"cutmeshort backfill: interrupted.\n{KEPT.format(f'{path}.outbox')}\n" in err
    assert len(sandbox.sales) < 5
    assert run("backfill", str(path), "--per-minute", "0").code == 0
    assert invoices(sandbox) == [f"inv_{number}" for number in range(5)]


@not_on_windows("sends SIGINT")
def test_ctrl_c_during_the_import_leaves_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    """Ctrl-C during the import exits with 130, and removes what was imported."""
    path = write_sales(tmp_path, range(100_000))
    with start(path, sandbox.url) as process:
        wait_until((tmp_path / "sales.csv.outbox.part").exists)
        process.send_signal(signal.SIGINT)
        done = process.communicate(timeout=LONG)
    assert process.returncode == 130
    assert done == ("", "cutmeshort backfill: interrupted; nothing was sent\n")
    assert left(tmp_path) == ["sales.csv"]
    assert not sandbox.requests
