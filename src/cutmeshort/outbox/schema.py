"""The schema of the outbox file, its settings, and the checks before a file is used."""

import sqlite3
from pathlib import Path
from typing import Final

APPLICATION_ID: Final = 0x434D536F  # "CMSo"
VERSION: Final = 1

# The states of an event.
BEHIND: Final = 0  # an earlier event of the customer must be delivered first
READY: Final = 1
DEFERRED: Final = 2  # it failed, and waits; the start of a deliverer makes it ready
DEAD: Final = 3

_TABLES = f"""
CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- in the order of hand-over
    key TEXT NOT NULL UNIQUE,
    customer TEXT NOT NULL,  -- a hash
    operation TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at REAL NOT NULL,
    state INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,  -- noted before each attempt is sent
    may_be_recorded INTEGER NOT NULL,  -- whether the service may have recorded an attempt
    failures INTEGER NOT NULL DEFAULT 0,  -- attempts that ended with a transient error
    reason TEXT,  -- of a dead letter: the type of the result
    message TEXT  -- of a dead letter: why, without event data
);
CREATE INDEX ready ON events (failures, id) WHERE state = {READY};
CREATE INDEX waiting ON events (customer, id) WHERE state <> {DEAD};
CREATE INDEX dead ON events (id) WHERE state = {DEAD};
CREATE TABLE delivered (key TEXT PRIMARY KEY, delivered_at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE purged (key TEXT PRIMARY KEY, purged_at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE delivery (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
INSERT INTO delivery VALUES ('delivered', 0);
"""


_SETTINGS = (
    "journal_mode = TRUNCATE",  # syncs more than DELETE, and leaves no data in the journal
    "synchronous = FULL",
    "fullfsync = ON",  # for macOS
    "secure_delete = ON",
    "temp_store = MEMORY",
)

_MAGIC = b"SQLite format 3\0"
_HEADER_SIZE = 100
_VERSION_AT = 60
_APPLICATION_ID_AT = 68


class NotAnOutbox(sqlite3.DatabaseError):
    """The file belongs to another program, or to a later version of the SDK. It was not changed."""


def check_header(path: str) -> None:
    """
    Check that a file is empty, or an outbox of this version. SQLite might change other files.

    Raises:
        NotAnOutbox: It is not.
        OSError: The file can't be read.
    """
    with Path(path).open("rb") as file:
        header = file.read(_HEADER_SIZE)
    if not header:
        return
    if not header.startswith(_MAGIC) or len(header) < _HEADER_SIZE:
        raise NotAnOutbox("the file is not an outbox: another program created it")
    application, version = (
        int.from_bytes(header[start : start + 4], "big")
        for start in (_APPLICATION_ID_AT, _VERSION_AT)
    )
    _check(application, version)


def prepare(connection: sqlite3.Connection) -> None:
    """
    Set up a connection, and create the tables if the file is empty. On an exception, close it.

    Raises:
        NotAnOutbox: The file is not an outbox of this version.
        sqlite3.Error: The file can't be read or written.
    """
    has_tables = _has_tables(connection)
    for setting in _SETTINGS:
        connection.execute(f"PRAGMA {setting}")
    if has_tables:
        return
    connection.execute("BEGIN IMMEDIATE")
    if not _has_tables(connection):  # another process may have created them
        for statement in _TABLES.split(";\n"):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")


def _has_tables(connection: sqlite3.Connection) -> bool:
    # Read first, because another process may create the tables between two statements.
    schema_version = _read(connection, "schema_version")
    application = _read(connection, "application_id")
    if application == schema_version == 0:
        return False
    _check(application, _read(connection, "user_version"))
    return True


def _check(application: int, version: int) -> None:
    if application != APPLICATION_ID:
        raise NotAnOutbox("the file is not an outbox: another program created it")
    if version > VERSION:
        raise NotAnOutbox("the file is from a later version of the SDK: upgrade this one")


def _read(connection: sqlite3.Connection, name: str) -> int:
    (value,) = connection.execute(f"PRAGMA {name}").fetchone()
    return int(value)
