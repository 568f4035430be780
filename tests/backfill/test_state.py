"""The state of a backfill: when it is created, checked and removed."""

import sqlite3
from pathlib import Path

import pytest

from cutmeshort import ApiValueError, CMSClient
from cutmeshort.outbox import Outbox
from cutmeshort.outbox.backfill import Backfill, BackfillError, Progress, RowOptions
from cutmeshort.sandbox import Sandbox

from ..cli.conftest import Run
from .files import SALE, write_sales

OPTIONS = RowOptions()


def ignore(_line: int, _error: str) -> None:
    """Ignore an invalid row."""


def test_an_unfinished_import_is_started_again(run: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    """A run replaces the files of a run that died during the import."""
    path = write_sales(tmp_path, range(3))
    part = tmp_path / "sales.csv.outbox.part"
    with Outbox(part) as outbox:
        assert outbox.track_sale("Purchase", 1, "inv_other", 1, "EUR")["success"]
    assert run("backfill", str(path), "--per-minute", "0").code == 0
    assert len(sandbox.sales) == 3
    assert list(tmp_path.iterdir()) == [path]


def test_an_outbox_of_the_application_is_kept(run: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    """An outbox that is not the state of a backfill is neither delivered nor deleted."""
    path = write_sales(tmp_path, range(3))
    with Outbox(tmp_path / "sales.csv.outbox") as outbox:
        assert outbox.track_sale("Purchase", 1, "inv_other", 1, "EUR")["success"]
        done = run("backfill", str(path))
        assert (done.code, done.out) == (2, "")
        assert "sales.csv.outbox exists, and is not the state of a backfill" in done.err
        assert outbox.storage.summary(1)["waiting"] == 1
    assert not sandbox.requests


def test_a_state_that_is_deleted_during_the_run_is_noticed(
    run: Run, sandbox: Sandbox, tmp_path: Path
) -> None:
    """The command does not report events as delivered whose state was deleted."""
    path = write_sales(tmp_path, range(3))
    backfill = Backfill(path, OPTIONS)
    first = backfill.start(ignore)
    (tmp_path / "sales.csv.outbox").unlink()
    with pytest.raises(BackfillError, match="deleted during the run"):
        first.deliver(None, 0, ignore)  # type: ignore[arg-type]
    first.close()
    assert (tmp_path / "sales.csv.outbox").exists()  # a new one, which is empty
    assert run("backfill", str(path), "--per-minute", "0").code == 0
    assert len(sandbox.sales) == 3


def test_the_events_are_on_disk_before_the_first_is_sent(tmp_path: Path) -> None:
    """After the import, the state has all events and remembers what the file contains."""
    path = write_sales(tmp_path, range(3), ",".join({**SALE, "amount": "x"}.values()))
    run = Backfill(path, OPTIONS).start(ignore)
    run.close()
    with sqlite3.connect(tmp_path / "sales.csv.outbox") as connection:
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (3,)
    connection.close()
    again = Backfill(path, OPTIONS).start(ignore)
    again.close()
    assert (run.is_resumed, again.is_resumed) == (False, True)
    assert again.counts == run.counts
    assert (again.counts.invalid, again.counts.total) == (1, 3)


def test_a_folder_that_is_not_writable_is_reported(tmp_path: Path) -> None:
    """If the lock can't be created, the reason is that of the operating system."""
    path = write_sales(tmp_path, range(3))
    (tmp_path / "sales.csv.outbox.lock").mkdir()
    with pytest.raises(ApiValueError, match=r"sales\.csv\.outbox can't be created: Is a directory"):
        Backfill(path, OPTIONS).start(ignore)


def test_the_progress_shows_a_pause(tmp_path: Path) -> None:
    """While the service limits the rate, the progress has the pause and its reason."""
    path = write_sales(tmp_path, range(3))
    seen: list[Progress] = []

    def show(progress: Progress) -> None:
        seen.append(progress)
        if progress.pause:
            raise KeyboardInterrupt

    run = Backfill(path, OPTIONS).start(ignore)
    with Sandbox() as sandbox, CMSClient(sandbox.token, sandbox.url) as client:
        sandbox.fail_next(status=429, retry_after=30)
        with pytest.raises(KeyboardInterrupt):
            run.deliver(client, 50, show)
    run.close()
    assert (seen[0].reason, seen[0].per_minute, seen[0].seconds_left) == (None, 50, 3.6)
    assert seen[-1].reason == "rate_limit_exceeded"
    assert 20 < seen[-1].pause < 40
    assert seen[-1].per_minute == pytest.approx(25, abs=1)
    assert (seen[-1].delivered, seen[-1].waiting, seen[-1].total) == (0, 3, 3)
