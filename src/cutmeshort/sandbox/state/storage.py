"""Storage: the SQLite file in which a sandbox keeps what happened across restarts."""

import json
import os
import sqlite3
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Callable, Optional

from pydantic import ConfigDict, TypeAdapter

from .clicks import MAX_CLICKS, Click
from .content import Content
from .exchanges import MAX_REQUESTS, Exchange, ExchangeLog, Outcome
from .items import ClickItem, Count, EventItem, RequestItem
from .service import Recorded
from .settings import SettingOptions, Settings

_APPLICATION_ID = 0x434D5373  # "CMSs"
_VERSION = 1
_ITEMS = ("clicks", "events", "requests")
_TABLES = (
    *(f"CREATE TABLE {name} (id INTEGER PRIMARY KEY, item TEXT NOT NULL)" for name in _ITEMS),
    "CREATE TABLE counts (outcome TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    f"PRAGMA application_id = {_APPLICATION_ID}",
)

_COUNTS = TypeAdapter(dict[Outcome, Count], config=ConfigDict(strict=True))

_NOT_OURS = "was not created by a sandbox: use another file"
_DAMAGED = "is damaged: delete it, or use another file"

# By a part of SQLite's message.
_PROBLEMS = {
    "is locked": "is in use by another sandbox: stop that one, or use another file",
    "not a database": _NOT_OURS,
    "malformed": _DAMAGED,
}
_NO_ACCESS = "can't be opened for writing: check that its directory exists, and the permissions"

# One for all files, so that no thread uses SQLite while another one forks.
_lock = threading.RLock()


class Storage:
    """
    The data file of a running sandbox.

    The file is locked until `close`, or until the process ends. A method returns when the change
    is committed, so the end of the process loses nothing; a power failure may. If a change can't
    be stored, no later one is either. Threads can share an object; a forked child stores nothing.

    Args:
        path: The file, which is created with mode 0600 if it does not exist.
        warn: Called with a message of one line if a change can't be stored.

    Raises:
        OSError: The file can't be used; the message says what to do.
    """

    def __init__(self, path: str, warn: Callable[[str], object]) -> None:
        self._path = os.path.realpath(path)
        self._warn = warn
        self._process = os.getpid()
        self._stores = True
        try:
            with suppress(FileExistsError):
                os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            self._connection = _connect(self._path)
            self._file = os.stat(self._path)  # noqa: PTH116 - as in _check_file
        except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
            raise self._explain(error) from None

    def load(self) -> tuple[Content, SettingOptions]:
        """
        Return the content of the file, and the settings that were changed.

        Raises:
            OSError: The file is damaged.
        """
        try:
            with _lock:
                return _read(self._connection)
        except (sqlite3.Error, TypeError, ValueError) as error:
            raise self._explain(_UnusableError(_DAMAGED)) from error

    def add_click(self, click: Click) -> None:
        """Store a click, and delete those that are no longer kept."""
        self._write(lambda connection: _add_click(connection, click))

    def add_event(self, recorded: Recorded) -> None:
        """Store a recorded event."""
        self._write(lambda connection: _add_event(connection, recorded))

    def add_exchange(self, exchange: Exchange, counts: Mapping[str, int]) -> None:
        """Store an exchange and the counts of all, and delete those that are no longer kept."""

        def work(connection: sqlite3.Connection) -> None:
            _add_exchange(connection, exchange)
            _set_counts(connection, counts)

        self._write(work)

    def set_settings(self, settings: SettingOptions) -> None:
        """Store the settings that were changed, and delete all others."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM settings")
            rows = [(name, json.dumps(value)) for name, value in settings.items()]
            connection.executemany("INSERT INTO settings VALUES (?, ?)", rows)

        self._write(work)

    def replace(self, content: Content) -> None:
        """Replace all clicks, events and exchanges."""

        def work(connection: sqlite3.Connection) -> None:
            for table in (*_ITEMS, "counts"):
                connection.execute(f"DELETE FROM {table}")
            for click in content.clicks:
                _add_click(connection, click)
            for recorded in content.recorded:
                _add_event(connection, recorded)
            for exchange in content.log.newest():
                _add_exchange(connection, exchange)
            _set_counts(connection, content.log.counts())

        self._write(work)

    def close(self) -> None:
        """Close and unlock the file."""
        with _lock, suppress(sqlite3.Error):
            if self._stores and os.getpid() == self._process:
                self._connection.execute("PRAGMA journal_mode = DELETE")  # which deletes it now
            self._stores = False
            self._connection.close()

    def _write(self, work: Callable[[sqlite3.Connection], object]) -> None:
        """Run a function in a transaction; after a failure, do nothing any more."""
        if os.getpid() != self._process:
            return
        with _lock:
            if not self._stores:
                return
            try:
                self._check_file()
                self._connection.execute("BEGIN")
                work(self._connection)
                self._connection.execute("COMMIT")
            except (sqlite3.Error, OSError) as error:
                self._stores = False
                self.close()
                self._warn(
                    f"The data file {self._path} can't be written ({error}): from now on, the "
                    "sandbox stores nothing. Correct this, and restart it."
                )

    def _check_file(self) -> None:
        """
        Check that the path is still that of the open file.

        Raises:
            OSError: It is not.
        """
        if not os.path.samestat(self._file, os.stat(self._path)):  # noqa: PTH116 - fast
            raise FileNotFoundError("it was replaced")

    def _explain(self, error: Exception) -> OSError:
        text = str(error)
        if isinstance(error, UnicodeDecodeError) or not text:  # SQLite's message is not UTF-8
            text = _DAMAGED
        elif not isinstance(error, _UnusableError):
            text = next((_PROBLEMS[part] for part in _PROBLEMS if part in text), _NO_ACCESS)
        return OSError(f"the data file {self._path} {text}")


class _UnusableError(sqlite3.Error):
    """The file can't be used; the message says what to do."""


def _connect(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")  # which changes nothing in another program's file
        _prepare(connection)
        connection.execute("COMMIT")
        # A forked child that closes its copy would delete the journal of its parent.
        connection.execute("PRAGMA journal_mode = TRUNCATE")
        # The system writes the file even if the process is killed. Without this, each event would
        # wait for the disk.
        connection.execute("PRAGMA synchronous = OFF")
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    """Check that the file is one of a sandbox, and create the tables if it is empty."""
    application, version, tables = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("application_id", "user_version", "schema_version")
    )
    if tables and application != _APPLICATION_ID:
        raise _UnusableError(_NOT_OURS)
    if version > _VERSION:
        raise _UnusableError("is from a later version of the SDK: upgrade this one")
    if not tables:
        for statement in _TABLES:
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {_VERSION}")  # fails if the file is read-only


def _read(connection: sqlite3.Connection) -> tuple[Content, SettingOptions]:
    rows = connection.execute("SELECT name, value FROM settings")
    settings: Any = {name: json.loads(value) for name, value in rows}
    Settings(**settings)  # which checks them
    rows = connection.execute("SELECT outcome, number FROM counts")
    counts = _COUNTS.validate_python(dict(rows.fetchall()))
    models: tuple[Any, ...] = (ClickItem, EventItem, RequestItem)
    clicks, events, requests = (
        [
            model.model_validate_json(item).restore()
            for (item,) in connection.execute(f"SELECT item FROM {name} ORDER BY id")
        ]
        for name, model in zip(_ITEMS, models)
    )
    return Content(clicks, events, ExchangeLog.restore(requests, counts)), settings


def _add_click(connection: sqlite3.Connection, click: Click) -> None:
    _insert(connection, "clicks", ClickItem.of(click), MAX_CLICKS)


def _add_event(connection: sqlite3.Connection, recorded: Recorded) -> None:
    _insert(connection, "events", EventItem.of(recorded))


def _add_exchange(connection: sqlite3.Connection, exchange: Exchange) -> None:
    _insert(connection, "requests", RequestItem.of(exchange), MAX_REQUESTS)


def _insert(
    connection: sqlite3.Connection, table: str, item: Any, kept: Optional[int] = None
) -> None:
    """Insert an item, and keep only the newest ones."""
    text = item.model_dump_json()
    connection.execute(f"INSERT INTO {table} (item) VALUES (?)", [text])
    if kept is not None:
        connection.execute(f"DELETE FROM {table} WHERE id <= last_insert_rowid() - ?", [kept])


def _set_counts(connection: sqlite3.Connection, counts: Mapping[str, int]) -> None:
    connection.executemany("REPLACE INTO counts VALUES (?, ?)", list(counts.items()))


if hasattr(os, "register_at_fork"):  # pragma: no branch - not on Windows
    os.register_at_fork(
        before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
    )
