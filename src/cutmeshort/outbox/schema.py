"""The schema of the outbox file, and the checks before a file is used."""

import sqlite3
from typing import Final

from ..exceptions import ApiValueError

APPLICATION_ID: Final = 0x434D536F  # "CMSo"
VERSION: Final = 1

# The states of an event.
BEHIND: Final = 0  # an earlier event of the customer must be delivered first
READY: Final = 1
DEFERRED: Final = 2  # it failed, and waits; the next start makes it ready
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
    attempts INTEGER NOT NULL,  -- noted before each attempt is sent
    failures INTEGER NOT NULL DEFAULT 0,  -- attempts that ended with a transient error
    reason TEXT,  -- of a dead letter: the type of the result
    message TEXT,  -- of a dead letter: why, without event data
    dead_at REAL
);
CREATE INDEX ready ON events (id) WHERE state = {READY};
CREATE INDEX waiting ON events (customer, id) WHERE state <> {DEAD};
CREATE INDEX dead ON events (id) WHERE state = {DEAD};
CREATE TABLE delivered (key TEXT PRIMARY KEY, delivered_at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE delivery (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
INSERT INTO delivery VALUES ('delivered', 0);
"""


def prepare(connection: sqlite3.Connection) -> None:
    """
    Create the tables in an empty file, or check that the file is an outbox of this version.

    Raises:
        ApiValueError: The file belongs to another program, or to a later version of the SDK. It was
            not changed.
        sqlite3.Error: The file can't be read or written.
    """
    if _check(connection):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        if not _check(connection):  # another process may have created the tables
            for statement in _TABLES.split(";\n"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise


def _check(connection: sqlite3.Connection) -> bool:
    """Return whether the file has the tables; False if it is empty."""
    application = _read(connection, "PRAGMA application_id")
    version = _read(connection, "PRAGMA user_version")
    if application == 0 and not version and not _read(connection, "PRAGMA schema_version"):
        return False
    if application != APPLICATION_ID:
        raise ApiValueError("the file is not an outbox: another program created it", "path")
    if version > VERSION:
        raise ApiValueError("the file was created by a later version of the SDK", "path")
    return True


def _read(connection: sqlite3.Connection, statement: str) -> int:
    (value,) = connection.execute(statement).fetchone()
    return int(value)
