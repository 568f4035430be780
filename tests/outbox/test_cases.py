"""What a hand-over does with a file or a disk that can't be used: a table of cases."""

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Callable

import pytest

from cutmeshort import ApiValueError
from cutmeshort.outbox import Outbox
from cutmeshort.outbox.problems import explain

from ..support.paths import ROOT
from ..support.platforms import linux_only
from ..support.timing import SLACK, timed
from .events import deliver_all, is_intact, queued

LATER = "PRAGMA application_id = 0x434D536F; PRAGMA user_version = 99; CREATE TABLE t (x);"
OTHER = "CREATE TABLE t (x); INSERT INTO t VALUES (1);"


def create(path: Path, script: str) -> None:
    """Create a SQLite file."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


def wal(path: Path) -> None:
    """Create the SQLite file of a program that was killed while it used a write-ahead log."""
    source = path.with_suffix(".source")
    with closing(sqlite3.connect(source)) as connection:
        connection.executescript(f"PRAGMA journal_mode = WAL; {OTHER}")
        for suffix in ("", "-wal"):
            shutil.copy(f"{source}{suffix}", f"{path}{suffix}")
    source.unlink()


UNUSABLE: dict[str, tuple[Callable[[Path], object], str]] = {
    "another program's SQLite file": (lambda path: create(path, OTHER), "not an outbox"),
    "another program's log": (wal, "not an outbox"),
    "a later version": (lambda path: create(path, LATER), "later version"),
    "another file": (lambda path: path.write_bytes(b"customers.csv" * 99), "not an outbox"),
    "a short file": (lambda path: path.write_bytes(b"SQLite format 3\0"), "not an outbox"),
    "a directory": (lambda path: path.mkdir(), "directory"),
    "a pipe": (os.mkfifo, "device"),
}


def contents(path: Path) -> dict[str, Any]:
    """Return the names and the bytes of the files in the directory of a file."""
    return {
        each.name: each.read_bytes() if each.is_file() else None for each in path.parent.iterdir()
    }


def hand_over(outbox: Outbox, number: int = 1) -> Any:
    """Hand an event over."""
    return outbox.track(queued(number).payload())


@pytest.mark.parametrize("case", UNUSABLE)
def test_a_file_that_is_not_an_outbox_is_not_changed(case: str, path: Path) -> None:
    """An outbox rejects the file, at its creation and when the file replaces its own later."""
    prepare, message = UNUSABLE[case]
    outbox = Outbox(path)
    for each in list(path.parent.iterdir()):
        each.unlink()
    prepare(path)
    before = contents(path)
    with pytest.raises(ApiValueError, match=message) as caught:
        Outbox(path)
    assert caught.value.argument == "path"
    result = hand_over(outbox)
    assert (result["type"], result["retryable"]) == ("outbox_error", True)
    assert message in result["error"]
    assert contents(path) == before
    outbox.close()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing/cms.db", "No such file or directory"),
        ("a_file/cms.db", "Not a directory"),
        ("x" * 300, "File name too long"),
        ("", "must be the path of a file"),
        ("a\0b", "must be the path of a file"),
    ],
)
def test_a_path_that_can_not_be_used_is_rejected(
    name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An outbox whose path needs a correction raises ApiValueError when it is created."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a_file").touch()
    with pytest.raises(ApiValueError, match=message) as caught:
        Outbox(name)
    assert caught.value.argument == "path"


def test_a_disabled_outbox_does_not_need_its_file(tmp_path: Path) -> None:
    """In development, where the directory does not exist, a disabled outbox can be created."""
    outbox = Outbox(tmp_path / "missing" / "cms.db", enabled=False)
    assert hand_over(outbox)["type"] == "disabled"
    assert list(tmp_path.iterdir()) == []


def test_the_table_of_hand_overs(outbox: Outbox, path: Path) -> None:
    """A locked, moved, deleted or damaged file loses no event that a result reports as queued."""
    assert hand_over(outbox, 1)["success"]
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        result, seconds = timed(lambda: outbox.track(queued(2).payload(), timeout=0.2))
        assert (result["type"], result["retryable"], result["attempts"]) == (
            "outbox_error",
            True,
            0,
        )
        assert "locked" in result["error"]
        assert seconds < SLACK
    path.rename(path.with_suffix(".old"))
    assert hand_over(outbox, 3)["success"]
    path.unlink()
    assert hand_over(outbox, 4)["success"]
    assert deliver_all(outbox.storage) == ["Event 4"]
    outbox.close()
    path.write_bytes(path.read_bytes()[:100] + b"x" * 9000)
    result = hand_over(outbox, 5)
    assert result["type"] == "outbox_error"
    assert "damaged" in result["error"]
    path.unlink()
    path.with_suffix(".old").rename(path)
    assert deliver_all(outbox.storage) == ["Event 1"]


def test_the_largest_size(path: Path) -> None:
    """At its largest size the outbox is full, and a delivery makes space."""
    with Outbox(path, max_bytes=2**16) as outbox:
        number = 0
        while hand_over(outbox, number)["success"]:
            number += 1
        result = hand_over(outbox, number)
        assert (result["type"], result["retryable"]) == ("outbox_full", True)
        assert path.stat().st_size <= 2**16
        assert deliver_all(outbox.storage) == [f"Event {each}" for each in range(number)]
        assert hand_over(outbox, number)["success"]
    with pytest.raises(ApiValueError, match="65536 or more"):
        Outbox(path, max_bytes=2**16 - 1)


@linux_only("changes the mode of a file for another user")
def test_a_file_that_can_not_be_written(path: Path) -> None:
    """Without permission to write, an outbox is not created, and a hand-over says why."""
    outbox = Outbox(path)
    with ExitStack() as stack:
        if os.geteuid() == 0:  # may write to every file
            path.parent.chmod(0o755)
            os.chown(path.parent, 65534, 65534)
            os.chown(path, 65534, 65534)
            os.seteuid(65534)
            stack.callback(os.seteuid, 0)
        path.chmod(0o400)
        stack.callback(path.chmod, 0o600)
        outbox.close()
        for _ in range(2):
            result = hand_over(outbox)
            assert result["type"] == "outbox_error"
            assert "Check the permissions" in result["error"]
        with pytest.raises(ApiValueError, match="Check the permissions"):
            Outbox(path)
        path.with_name("cms.db-journal").unlink()
        path.parent.chmod(0o500)
        stack.callback(path.parent.chmod, 0o700)
        path.chmod(0o600)
        with pytest.raises(ApiValueError, match="its directory"):
            Outbox(path)
        with pytest.raises(ApiValueError, match="Permission denied"):
            Outbox(path.with_name("new.db"))
    outbox.close()


def test_a_clock_that_was_set_back(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events that seem to come from the future are delivered, in order, and their age is 0."""
    now = time.time()
    assert hand_over(outbox, 1)["success"]
    monkeypatch.setattr(time, "time", lambda: now - 40 * 86_400)
    assert hand_over(outbox, 2)["success"]
    assert outbox.status()["oldest_age"] == 0
    assert deliver_all(outbox.storage) == ["Event 1", "Event 2"]
    assert hand_over(outbox, 1)["data"] == {"queued": True, "duplicate": True}


FULL_DISK = """
import sys
from pathlib import Path
from cutmeshort.outbox import Outbox
from tests.outbox.events import deliver_all, queued

path = Path(sys.argv[1]) / "cms.db"
outbox = Outbox(path)
for number in range(100):
    assert outbox.track(queued(number, size=200).payload())["success"]
rest = path.with_name("rest")
with rest.open("wb", buffering=0) as file:
    try:
        while True:
            file.write(b"x" * 1000)
    except OSError:
        pass
for attempt in range(20):
    result = outbox.track(queued(100 + attempt).payload())
assert result["type"] == "outbox_full", result
rest.unlink()
assert deliver_all(outbox.storage) == [f"Event {each}" for each in range(100)]
assert outbox.track(queued(1000).payload())["success"]
outbox.close()
path.unlink()
path.with_name("cms.db-journal").unlink()
names = 0
try:
    while True:
        path.with_name(f"file_{names}").touch()
        names += 1
except OSError:
    pass
assert Outbox(path).track(queued(1).payload())["type"] == "outbox_full"
print("done")
"""


def _may_mount() -> bool:
    command = ["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"]
    return (
        bool(shutil.which("unshare"))
        and not subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode
    )


@pytest.mark.skipif(not _may_mount(), reason="needs a user namespace")
def test_a_full_disk(tmp_path: Path) -> None:
    """On a full disk, results have the type `outbox_full`; with space again, nothing is lost."""
    mount = f"mount -t tmpfs -o size=400k,nr_inodes=40 none {tmp_path}"
    command = f'{mount} && exec "$0" -W error -c "$1" {tmp_path}'
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", command, sys.executable, FULL_DISK],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("done\n", "")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (sqlite3.OperationalError("database is locked"), "outbox_error: Other threads"),
        (sqlite3.OperationalError("attempt to write a readonly database"), "outbox_error: The"),
        (sqlite3.OperationalError("disk I/O error"), "outbox_error: The disk of the outbox"),
        (
            sqlite3.DatabaseError("database disk image is malformed"),
            "outbox_error: The outbox file",
        ),
        (sqlite3.OperationalError("database or disk is full"), "outbox_full: The outbox file has"),
        (sqlite3.OperationalError("unable to open database file"), "outbox_error: The outbox file"),
        (sqlite3.DatabaseError("file is not a database"), "outbox_error: The outbox file is dama"),
        (sqlite3.Error("something else"), "outbox_error: The outbox file can't be used: something"),
        (OSError(28, "No space left on device"), "outbox_full: The outbox file has reached"),
        (OSError(5, "Input/output error"), "outbox_error: The outbox file can't be used: Input"),
    ],
    ids=str,
)
def test_each_error_of_the_file_has_a_type(error: Any, expected: str) -> None:
    """Exceptions of SQLite and of the operating system become one of the two types."""
    exception = explain(error).to_exception()
    assert f"{exception.type}: {exception.message}".startswith(expected)
    assert exception.retryable


def test_the_code_of_an_error_takes_precedence_over_its_text() -> None:
    """SQLite's result code, which Python 3.11 added, is enough."""
    error = sqlite3.OperationalError("translated")
    vars(error)["sqlite_errorcode"] = 1032
    assert "can't be written" in explain(error).text


def test_a_locked_file_does_not_prevent_the_start(path: Path) -> None:
    """An outbox can be created while another process locks the file, as waiting solves that."""
    Outbox(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        outbox, seconds = timed(lambda: Outbox(path, timeout=0.1))
        assert seconds < SLACK
        other.execute("ROLLBACK")
    assert hand_over(outbox)["success"]
    outbox.close()
    assert is_intact(path)
