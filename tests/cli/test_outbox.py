"""`cutmeshort outbox`: shows and manages the events of a file."""

import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cutmeshort import LeadPayload
from cutmeshort.outbox import Outbox
from cutmeshort.outbox.lock import DeliveryLock

from ..support.timing import LONG
from .conftest import Run


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cms.db"


@pytest.fixture
def outbox(path: Path) -> Iterator[Outbox]:
    """An outbox with a dead letter, and two events that wait, all of the same time."""
    now = time.time()
    with Outbox(path, timeout=LONG) as outbox:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(time, "time", lambda: now)
            for number in range(3):
                event = LeadPayload(event_name="Sign up", customer_external_id=f"user-{number}")
                assert outbox.track(event)["success"]
        stored = outbox.storage.next(LONG)
        assert stored is not None
        outbox.storage.dead(stored, "unprocessable_entity", "The service\nrejected a field.", LONG)
        yield outbox


def test_the_status_is_shown(outbox: Outbox, path: Path, run: Run) -> None:
    """`status` says how many events wait, and what to do if no process delivers them."""
    done = run("outbox", "status", str(path))
    assert (done.code, done.err) == (0, "")
    assert re.sub(r"for \d+ s", "for 0 s", done.out).splitlines() == [
        "waiting    2, the oldest for 0 s",
        "dead       1",
        "delivered  0",
        "delivery   not running: start `cutmeshort deliver`",
        f"size       {outbox.status()['bytes'] / 1e6:.1f} MB",
    ]
    done = run("outbox", "status", "--json", str(path))
    shown = json.loads(done.out)
    assert shown.pop("oldest_age") >= 0
    expected = outbox.status()
    assert shown == {name: value for name, value in expected.items() if name != "oldest_age"}


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        ({"per_minute": 25}, "running, at most 25 per minute"),
        ({"per_minute": None}, "running"),
        ({"pause": 7500, "reason": "unauthorized"}, "pauses for 2 h: unauthorized"),
    ],
)
def test_the_delivery_is_shown(
    report: dict[str, object], expected: str, outbox: Outbox, path: Path, run: Run
) -> None:
    """`status` shows the rate of the delivery, or how long it pauses and why."""
    if "pause" in report:
        report = {"pause_until": time.time() + 7500, "reason": report["reason"]}
    outbox.storage.report(report, LONG)
    lock = DeliveryLock(outbox.storage.path)
    assert lock.acquire()
    assert f"delivery   {expected}\n" in run("outbox", "status", str(path)).out
    lock.release()


def test_an_empty_file_has_no_oldest_event(path: Path, run: Run) -> None:
    """The status of an empty outbox is shown."""
    path.touch()
    assert run("outbox", "status", str(path)).out.startswith("waiting    0\n")


@pytest.mark.parametrize(
    ("age", "shown"), [(0, "0 s"), (90, "2 min"), (7200, "2 h"), (86_400 * 3, "3 d")]
)
def test_the_events_are_listed(
    age: float, shown: str, outbox: Outbox, path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each event has one line with its id, its age and why it was not delivered, and no data."""
    (letter,) = outbox.events(dead=True)
    now = letter["created_at"] + age
    monkeypatch.setattr(time, "time", lambda: now)
    done = run("outbox", "list", str(path))
    assert (done.code, done.err) == (0, "")
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    reason = "unprocessable_entity: The service rejected a field."
    assert lines == [
        "dead letters: 1",
        f"1 track_lead {shown} attempts: 0 {reason}",
        "waiting: 2",
        f"2 track_lead {shown} attempts: 0 It is due.",
        f"3 track_lead {shown} attempts: 0 It is due.",
    ]
    assert "user" not in done.out
    done = run("outbox", "list", str(path), "--limit", "1")
    assert "waiting: 2, of which 1 are shown\n" in done.out
    assert len(done.out.splitlines()) == 4
    document = json.loads(run("outbox", "list", str(path), "--json").out)
    assert (document["dead"], document["waiting"]) == (1, 2)
    assert document["events"] == outbox.events(dead=True) + outbox.events(dead=False)


def test_dead_letters_are_retried(outbox: Outbox, path: Path, run: Run) -> None:
    """The exit code tells whether any dead letter waits again."""
    assert run("outbox", "retry", str(path), "2", "99") == (1, "retried: 0\n", "")
    assert run("outbox", "retry", str(path), "1") == (0, "retried: 1\n", "")
    assert outbox.status()["waiting"] == 3
    assert run("outbox", "retry", "--json", str(path)) == (1, '{"retried": 0}\n', "")


def test_events_are_erased(outbox: Outbox, path: Path, run: Run) -> None:
    """All events of a customer are erased, or all dead letters."""
    assert run("outbox", "purge", str(path), "--customer", "user-1") == (0, "erased: 1\n", "")
    assert run("outbox", "purge", str(path), "--customer", "user-1") == (1, "erased: 0\n", "")
    assert run("outbox", "purge", str(path), "--dead", "--json") == (0, '{"erased": 1}\n', "")
    status = outbox.status()
    assert (status["waiting"], status["dead"]) == (1, 0)


@pytest.mark.parametrize("action", ["status", "list", "retry"])
def test_a_file_that_does_not_exist_is_not_created(action: str, path: Path, run: Run) -> None:
    """A wrong path is an error, as an empty outbox would hide it."""
    done = run("outbox", action, str(path))
    assert (done.code, done.out) == (1, "")
    assert done.err == f"cutmeshort outbox {action}: there is no file {path}\n"
    assert not os.listdir(path.parent)  # noqa: PTH208


def test_another_file_is_an_error(path: Path, run: Run) -> None:
    """A file that is not an outbox is an error, and stays as it is."""
    path.write_bytes(b"customers.csv")
    done = run("outbox", "status", str(path))
    assert (done.code, done.out) == (1, "")
    assert "not an outbox" in done.err
    assert path.read_bytes() == b"customers.csv"


@pytest.mark.parametrize(
    "arguments",
    [
        ["outbox"],
        ["outbox", "status"],
        ["outbox", "show", "FILE"],
        ["outbox", "retry", "FILE", "all"],
        ["outbox", "purge", "FILE"],
        ["outbox", "purge", "FILE", "--dead", "--customer", "user-1"],
        ["outbox", "status", "FILE", "--limit", "1"],
    ],
    ids=" ".join,
)
def test_wrong_usage_has_its_own_exit_code(arguments: list[str], run: Run) -> None:
    """Arguments that the command does not have are a usage error."""
    done = run(*arguments)
    assert (done.code, done.out) == (2, "")
    assert "error: " in done.err


def test_a_disabled_environment_does_not_hide_events(
    outbox: Outbox, path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command works where `CMS_ENABLED` is 0, and needs no token."""
    monkeypatch.setenv("CMS_ENABLED", "0")
    monkeypatch.delenv("CMS_BEARER_TOKEN")
    assert run("outbox", "status", str(path)).out.startswith("waiting    2")
    assert outbox.status()["waiting"] == 2
