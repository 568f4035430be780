"""The data file: what happened in a sandbox survives restarts and kills."""

import contextlib
import os
import random
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from cutmeshort import ApiValueError, CMSClient
from cutmeshort.sandbox import Sandbox
from cutmeshort.sandbox.state.storage import Storage

from ..support.events import lead
from ..support.forking import forks
from ..support.platforms import linux_only
from ..support.processes import run_program
from ..support.timing import LONG
from .helpers import LEAD, SALE, post
from .test_command_line import command, listening_url

TOKEN = "a-token-that-must-not-be-stored"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The path of a data file, which does not exist yet."""
    return tmp_path / "data.db"


def export(sandbox: Sandbox) -> dict[str, Any]:
    """Export everything except the time of the export."""
    document = sandbox.export()
    del document["exported_at"]
    return document


def customers(sandbox: Sandbox) -> list[str]:
    """Return the customers of the recorded leads."""
    return [each.customer_external_id for each in sandbox.leads]


def sign_up(sandbox: Sandbox, customer: str) -> None:
    """Send a lead of a customer."""
    assert post(sandbox, {**LEAD, "customerExternalId": customer}).status == 200


def test_a_restart_keeps_everything(path: Path) -> None:
    """Requests, events, clicks, settings and counts are the same after a restart."""
    with Sandbox(data=path, token=TOKEN) as sandbox:
        click = sandbox._state.follow_link("newsletter").click_id
        deferred = {**LEAD, "clickId": click, "mode": "deferred"}
        assert post(sandbox, deferred).status == 200
        sandbox.update_settings(duplicate_status=409, rate_limit=7)
        post(sandbox, deferred)
        for body in (SALE, b"\xff", {**SALE, "amount": "49"}):
            post(sandbox, body, "/track/sale")
        sandbox.fail_next(status=429, retry_after=3, recorded=True)
        post(sandbox, {**LEAD, "customerExternalId": "user_43"})
        sandbox.update_settings(response="html")
        post(sandbox, LEAD)
        before, requests, refused = export(sandbox), sandbox.requests, sandbox.refused
        counts = sandbox._state.log.counts()
    with Sandbox(data=str(path), token=TOKEN) as sandbox:
        assert export(sandbox) == before
        assert (sandbox.requests, sandbox.refused) == (requests, refused)
        assert sandbox._state.log.counts() == counts
        assert sandbox.attribution("user_42")[0].click_id == click
        assert [each.link for each in sandbox._state.clicks.all()] == ["newsletter"]
        assert sandbox._state.settings.rate_limit == 7
        sandbox.update_settings(response="message")
        assert post(sandbox, SALE, "/track/sale").status == 409  # still known


def test_the_file_is_private_and_without_the_token(path: Path) -> None:
    """Only the owner can read the file, and no version of it contains a token."""
    with Sandbox(data=path, token=TOKEN) as sandbox:
        post(sandbox, LEAD)
        post(sandbox, LEAD, Authorization="Bearer the-token-of-an-account")
        post(sandbox, LEAD, Authorization="secret")
        content = path.read_bytes() + path.with_name("data.db-journal").read_bytes()
        assert path.stat().st_mode & 0o777 == 0o600
        shown = [dict(each.headers)[b"authorization"] for each in sandbox._state.log.newest()]
    assert shown == [f"Bearer {TOKEN}".encode(), b"Bearer the-token-of-an-account", b"secret"]
    assert content.startswith(b"SQLite format 3")
    for secret in (TOKEN.encode(), b"the-token-of-an-account", b"secret"):
        assert secret not in content
    assert list(path.parent.iterdir()) == [path]
    with Sandbox(data=path, token=TOKEN) as sandbox:
        restored = [dict(each.headers)[b"authorization"] for each in sandbox._state.log.newest()]
        assert [value.decode() for value in restored] == [
            "Bearer ••••ored",
            "Bearer ••••ount",
            "••••",
        ]


def test_only_what_is_kept_is_stored(path: Path) -> None:
    """The file has the newest 1,000 requests, all events, and the counts of all requests."""
    with Sandbox(data=path) as sandbox:
        sign_up(sandbox, "user_1")
        (exchange,) = sandbox._state.log.newest()
        for _ in range(1_000):
            sandbox._state.finish(exchange, sandbox._state.log)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        for table, count in {"requests": 1_000, "events": 1}.items():
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (count,)
    with Sandbox(data=path) as sandbox:
        assert len(sandbox.requests) == 1_000
        assert sandbox._state.log.counts() == {"recorded": 1_001}


def test_an_argument_takes_precedence_over_the_file(path: Path) -> None:
    """A setting is the argument, else the stored one, else the default; only changes are stored."""
    with Sandbox(data=path, rate_limit=5, response="flat") as sandbox:
        sandbox.update_settings(rate_limit=6, duplicate_status=409)
    with Sandbox(data=path, rate_limit=None) as sandbox:
        settings = sandbox._state.settings
        assert (settings.rate_limit, settings.duplicate_status) == (None, 409)
        assert settings.response == "message"
    with Sandbox(data=path, error_status=500) as sandbox:
        assert sandbox._state.settings.rate_limit == 6
        sandbox.reset()
        assert sandbox._state.settings.rate_limit is None
        assert sandbox._state.settings.error_status == 500
    with Sandbox(data=path) as sandbox:
        assert sandbox.export()["settings"] == Sandbox().export()["settings"]


def test_clear_undo_and_reset_are_stored(path: Path) -> None:
    """After a restart, the events are those after the last clear, undo, import or reset."""
    sandbox = Sandbox(data=path)

    def after_restart() -> list[str]:
        sandbox.__exit__()
        with Sandbox(data=path) as other:
            found = customers(other)
            assert len(other.requests) == len(found)
            assert not other._state.undo()
        sandbox.__enter__()
        return found

    with sandbox:
        sign_up(sandbox, "user_1")
        document = sandbox.export()
        sandbox._state.clear()
        sign_up(sandbox, "user_2")
        assert after_restart() == ["user_2"]
        sandbox._state.clear()
        assert after_restart() == []
        sign_up(sandbox, "user_3")
        clicks = [sandbox._state.follow_link("a")]
        sandbox._state.clear()
        assert sandbox._state.undo()
        assert after_restart() == ["user_3"]
        assert sandbox._state.clicks.all() == clicks
        sandbox.import_(document)
        assert after_restart() == ["user_1"]
        sandbox.reset()
        assert after_restart() == []


def test_a_request_that_was_cleared_while_it_ran_is_not_stored(path: Path) -> None:
    """A request that arrived before a clear, and ended after it, is not in the file."""
    with Sandbox(data=path) as sandbox:
        sandbox.fail_next(latency=0.5)
        changed = threading.Event()
        sandbox._state.changes.listen(changed.set)
        request = threading.Thread(target=post, args=(sandbox, LEAD))
        request.start()
        assert changed.wait(LONG)  # the request took the fault
        sandbox._state.clear()
        request.join()
        assert sandbox.requests == []
    with Sandbox(data=path) as sandbox:
        assert sandbox.requests == []


def stored_after_kills(path: Path, rounds: int) -> int:
    """Kill the command while it responds, check the file after each kill, and count events."""
    chance, accepted = random.Random(7), []
    for number in range(rounds):
        with command("--port", "0", "--rate-limit", "0", "--data", str(path)) as process:
            url = listening_url(process, "sandbox-token")
            kill = threading.Timer(chance.uniform(0, 0.2), process.kill)
            last = len(accepted) + chance.randrange(6, 50)
            with CMSClient("sandbox-token", url, max_retries=0) as client:
                while process.poll() is None:
                    if len(accepted) == last and kill.ident is None:
                        kill.start()
                    customer = f"user_{number}_{len(accepted)}"
                    result = client.track_lead("Sign up", customer, "click_1")
                    if result["success"]:
                        accepted.append((customer, result["request_id"]))
            kill.join()
        with Sandbox(data=path) as sandbox:
            kept, logged = customers(sandbox), {each.request_id for each in sandbox.requests}
        assert {customer for customer, _ in accepted} <= set(kept)
        assert len(accepted) <= len(kept) <= len(accepted) + rounds  # responses may get lost
        assert {request_id for _, request_id in accepted[-500:]} <= logged
    return len(accepted)


def test_a_kill_loses_nothing(path: Path) -> None:
    """What the command responded to before it was killed is in the file after each kill."""
    assert stored_after_kills(path, 2) > 10


@pytest.mark.soak
def test_many_kills_lose_nothing(path: Path) -> None:
    """What the command responded to before 60 kills is in the file."""
    print(stored_after_kills(path, 60), "events in 60 kills")


def test_the_command_has_its_own_default(path: Path) -> None:
    """The command's limit of 60 applies unless the file has another one."""
    for limit in ("60", "9"):
        with command("--data", str(path), "--port", "0") as process:
            listening_url(process, "sandbox-token")
            assert process.stdout is not None
            line = next(each for each in process.stdout if each.startswith("Requests per"))
            assert f"Requests per minute: {limit} " in line
            if limit == "60":
                with pytest.raises(OSError, match="in use by another sandbox"), Sandbox(data=path):
                    pytest.fail("it started")
            process.kill()
        with Sandbox(data=path) as sandbox:
            sandbox.update_settings(rate_limit=9)


def test_the_command_ends_if_the_file_is_in_use(path: Path) -> None:
    """A second command on a file ends with code 1 and a message of one line."""
    with Sandbox(data=path), command("--data", str(path), "--port", "0") as process:
        _, errors = process.communicate(timeout=LONG)
    assert process.returncode == 1
    assert errors == (
        f"cutmeshort.sandbox: the data file {path} is in use by another sandbox: stop that one, or "
        "use another file\n"
    )


def write_other_database(path: Path) -> None:
    """Create a SQLite file of another program."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE users (name TEXT)")


def change(statement: str) -> Callable[[Path], None]:
    """Return a function that creates a data file, and executes a statement in it."""

    def prepare(path: Path) -> None:
        with Sandbox(data=path) as sandbox:
            sign_up(sandbox, "user_1")
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute(statement)

    return prepare


def overwrite(path: Path) -> None:
    """Create a data file, and overwrite all but its first page."""
    change("SELECT 1")(path)
    path.write_bytes(path.read_bytes()[:4096] + b"\xff" * 4096 * 8)


def overwrite_a_name(path: Path) -> None:
    """Create a data file, and make the name of a table one that is not UTF-8."""
    change("SELECT 1")(path)
    path.write_bytes(path.read_bytes().replace(b"tableclicks", b"table\xff\xff\xffcks", 1))


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (
            lambda path: path.write_bytes(b"%PDF-1.7 " * 200),
            "not created by a sandbox: use another",
        ),
        (write_other_database, "not created by a sandbox: use another"),
        (change("PRAGMA user_version = 2"), "later version of the SDK: upgrade this one"),
        (change("UPDATE events SET item = '{}'"), "damaged: delete it, or use another"),
        (change("UPDATE requests SET item = '?'"), "damaged: delete it, or use another"),
        (change("INSERT INTO settings VALUES ('response', '1')"), "damaged: delete it"),
        (change("INSERT INTO settings VALUES ('other', '1')"), "damaged: delete it"),
        (change("DROP TABLE clicks"), "damaged: delete it"),
        (change("UPDATE counts SET number = 'many'"), "damaged: delete it"),
        (change("UPDATE counts SET number = 9223372036854775807"), "damaged: delete it"),
        (overwrite_a_name, "damaged: delete it"),
        (overwrite, "damaged: delete it"),
        (lambda path: path.mkdir(), "check that its directory exists, and the permissions"),
    ],
)
def test_a_file_that_can_not_be_used(
    prepare: Callable[[Path], None], message: str, path: Path
) -> None:
    """A file of another program or version, and a damaged one, are reported and not changed."""
    prepare(path)
    start = 100 if "damaged" in message else 0  # the header has a counter
    before = path.read_bytes()[start:] if path.is_file() else None
    for _ in range(2):  # the first error leaves no lock
        with pytest.raises(OSError, match=message) as caught, Sandbox(data=path):
            pytest.fail("it started")
        assert str(caught.value).startswith(f"the data file {path} ")
        assert "\n" not in str(caught.value)
    assert before == (path.read_bytes()[start:] if path.is_file() else None)


def test_a_path_that_can_not_be_used(tmp_path: Path) -> None:
    """A missing directory is reported at the start, and a path that is not one at once."""
    with pytest.raises(OSError, match="check that its directory exists"):
        Sandbox(data=tmp_path / "missing" / "data.db").__enter__()
    wrong: Any = 7
    with pytest.raises(ApiValueError, match="data must be the path of a file"):
        Sandbox(data=wrong)


@linux_only("changes the user")
def test_a_file_without_permission_to_write() -> None:
    """A file that can't be written is reported, and is not changed."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        path = Path(folder, "data.db")
        change("SELECT 1")(path)
        path.chmod(0o400)
        if os.geteuid() == 0:  # may write to every file
            path.parent.chmod(0o755)
            os.chown(path, 65534, 65534)
            os.seteuid(65534)
            stack.callback(os.seteuid, 0)
        with pytest.raises(OSError, match="opened for writing: check that"):
            Sandbox(data=path).__enter__()


@contextlib.contextmanager
def failing_file(path: Path, log: pytest.LogCaptureFixture) -> Iterator[Sandbox]:
    """Run a sandbox whose file fails in the block; it must still respond, and warn once."""
    with Sandbox(data=path) as sandbox:
        sign_up(sandbox, "user_1")
        yield sandbox
        for number in (2, 3):
            sign_up(sandbox, f"user_{number}")
        assert customers(sandbox) == ["user_1", "user_2", "user_3"]
        sandbox._state.follow_link("a")
        sandbox.update_settings(rate_limit=100)
        sandbox.reset()
    (warning,) = [each.getMessage() for each in log.records if each.levelname == "WARNING"]
    assert warning.startswith(f"The data file {path} can't be written (")
    assert warning.endswith("stores nothing. Correct this, and restart it.")


def test_a_deleted_file_stops_nothing(path: Path, log: pytest.LogCaptureFixture) -> None:
    """If the file is deleted while the sandbox runs, the sandbox still responds, and warns once."""
    with failing_file(path, log):
        path.unlink()
    assert list(path.parent.iterdir()) in ([], [path.with_name("data.db-journal")])


def test_a_replaced_file_is_not_changed(path: Path, log: pytest.LogCaptureFixture) -> None:
    """If another file takes the place of the data file, the sandbox does not write to it."""
    with failing_file(path, log):
        path.rename(path.with_name("old.db"))
        path.write_text("other")
    assert path.read_text() == "other"


def test_a_full_disk_stops_nothing(path: Path, log: pytest.LogCaptureFixture) -> None:
    """If the disk is full, the sandbox still responds, warns once, and keeps what it stored."""
    with failing_file(path, log) as sandbox:
        storage: Any = sandbox._state._storage
        (pages,) = storage._connection.execute("PRAGMA page_count").fetchone()
        storage._connection.execute(f"PRAGMA max_page_count = {pages}")
        while storage._stores:
            storage.add_event(sandbox._state.service.newest())
    with Sandbox(data=path) as sandbox:
        assert customers(sandbox) == ["user_1"]


@linux_only("limits the size of files")
def test_a_limited_file_keeps_what_was_stored(path: Path) -> None:
    """If the system rejects a write, the sandbox responds, and a restart has what was stored."""
    program = f"""
import logging.handlers, resource
from cutmeshort import CMSClient
from cutmeshort.sandbox import Sandbox
from cutmeshort.sandbox.http.logs import LOGGER

log = logging.handlers.BufferingHandler(9)
LOGGER.addHandler(log)
with Sandbox(data={str(path)!r}) as sandbox, CMSClient(sandbox.token, sandbox.url) as client:
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
    for number in range(200):
        assert client.track_lead("Sign up", number, "click_1")["success"]
    print(len(sandbox.leads), [each.getMessage().partition(" (")[2] for each in log.buffer])
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
"""
    assert run_program(program).startswith("200 ['disk I/O error): from now on, the sandbox ")
    with Sandbox(data=path) as sandbox:
        kept = customers(sandbox)
    assert kept == [str(number) for number in range(len(kept))]
    assert 10 < len(kept) < 200


@forks
def test_a_forked_child_leaves_the_file_to_its_parent(path: Path) -> None:
    """A child that uses and leaves the sandbox changes neither the file nor the parent's lock."""
    program = f"""
import os
from cutmeshort import CMSClient
from cutmeshort.sandbox import Sandbox

sandbox = Sandbox(data={str(path)!r})
with sandbox:
    with CMSClient(sandbox.token, sandbox.url) as client:
        assert client.track_lead("Sign up", "user_1", "click_1")["success"]
        child = os.fork()
        if child == 0:
            sandbox.reset()
        else:
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
            assert client.track_lead("Sign up", "user_2", "click_1")["success"]
            try:
                Sandbox(data={str(path)!r}).__enter__()
            except OSError as error:
                print("in use" in str(error))
            os.kill(os.getpid(), 9) if os.environ.get("KILL") else None
"""
    assert run_program(program) == "True\n"
    with Sandbox(data=path) as sandbox:
        assert customers(sandbox) == ["user_1", "user_2"]


def test_nothing_is_stored_without_a_file() -> None:
    """A sandbox without a data file opens no file to write, and does not import sqlite3."""
    program = """
import sys

def hook(event, arguments):
    if event == "open" and (arguments[2] or 0) & 3 or event.startswith(("sqlite3", "os.mkdir")):
        opened.append((event, arguments))

opened = []
sys.modules.pop("sqlite3", None)  # coverage has loaded it
from cutmeshort import CMSClient
from cutmeshort.sandbox import Sandbox
sys.addaudithook(hook)
with Sandbox() as sandbox, CMSClient(sandbox.token, sandbox.url) as client:
    assert client.track_lead("Sign up", "user_42", "click_1")["success"]
    sandbox.import_(sandbox.export())
    sandbox.update_settings(duplicate_status=409)
    sandbox.reset()
print([each for each in opened if "coverage" not in str(each)], "sqlite3" in sys.modules)
"""
    assert run_program(program) == "[] False\n"


def test_storage_ignores_changes_after_its_end(path: Path) -> None:
    """A sandbox that has stopped no longer stores its changes, and can start again."""
    sandbox = Sandbox(data=path)
    with sandbox, CMSClient(sandbox.token, sandbox.url) as client:
        lead(client)
    sandbox.reset()
    with sandbox:
        assert customers(sandbox) == ["user_42"]
    storage = Storage(str(path), pytest.fail)
    storage.close()
    storage.set_settings({"rate_limit": 1})
    with Sandbox(data=path) as sandbox:
        assert sandbox._state.settings.rate_limit is None
