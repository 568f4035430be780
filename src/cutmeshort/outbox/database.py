"""Database: the connection to the outbox file. It survives forks, signals and a moved file."""

import os
import sqlite3
import stat
import threading
import time
import weakref
from typing import Any, Callable, Optional, TypeVar

from .schema import NotAnOutbox, check_header, prepare

_T = TypeVar("_T")
Work = Callable[[sqlite3.Connection], _T]

_MAX_PAGES = 2**30 - 1  # the limit of SQLite
_FORK_WAIT = 5.0  # seconds; much longer than the calls of other threads take


class Database:
    """
    The connection to the outbox file. Thread-safe and fork-safe.

    A method runs a function in a transaction, which is rolled back if the function raises. If the
    file is moved, deleted or replaced meanwhile, the function runs again, in the new file.

    The methods raise sqlite3.Error, or OSError, if the file can't be used. They return within
    `timeout` seconds, except that no limit applies to a disk that hangs.

    Args:
        path: The file, which is created with mode 0600 if it does not exist.
        max_bytes: The maximum size of the file for transactions that are `limited`.

    Attributes:
        path: The absolute path of the file, without symbolic links.
        file: The identity of the file that the latest connection has opened; None before.
    """

    _connection: Optional[sqlite3.Connection] = None

    def __init__(self, path: str, max_bytes: int) -> None:
        self.path = os.path.realpath(path)
        self._max_bytes = max_bytes
        self._max_pages = 0
        self._lock: Any = threading.RLock()
        self.file: Optional[tuple[int, int]] = None
        _databases[id(self)] = self

    def read(self, work: Work[_T], timeout: float) -> _T:
        """Run a function that only reads, and return its result."""
        return self._run(work, timeout, "BEGIN", limited=False)

    def write(self, work: Work[_T], timeout: float, *, limited: bool = False) -> _T:
        """Run a function, and return its result when the changes are on disk."""
        return self._run(work, timeout, "BEGIN IMMEDIATE", limited=limited)

    def close(self) -> None:
        """Close the connection. The next call opens another one."""
        with self._lock:
            self._close()

    def __del__(self) -> None:
        self._close()

    def _run(self, work: Work[_T], timeout: float, begin: str, *, limited: bool) -> _T:
        deadline = time.monotonic() + timeout
        lock = self._lock  # a fork replaces it in the child
        if lock._is_owned():  # noqa: SLF001 - as in threading.Condition
            raise sqlite3.OperationalError("a signal handler used the outbox during another call")
        # A signal handler may raise anywhere, even in the first `finally`.
        try:
            try:
                if not lock.acquire(timeout=timeout):
                    raise sqlite3.OperationalError("database is locked by other threads")
                return self._run_locked(work, deadline, begin, limited)
            finally:
                self._release(lock)
        finally:
            self._release(lock)

    def _run_locked(self, work: Work[_T], deadline: float, begin: str, limited: bool) -> _T:
        for _ in range(2):
            connection = self._open(deadline)
            try:
                result = self._transact(connection, work, deadline, begin, limited)
            except sqlite3.Error:
                if self._is_current():
                    raise
            else:
                if self._is_current():
                    return result
            self._close()
        raise sqlite3.OperationalError("the file was moved or deleted twice during one call")

    def _transact(
        self,
        connection: sqlite3.Connection,
        work: Work[_T],
        deadline: float,
        begin: str,
        limited: bool,
    ) -> _T:
        """Run a function in a transaction, which `_release` rolls back if there is an exception."""
        _wait_until(connection, deadline)
        connection.execute(begin)
        if begin != "BEGIN":
            pages = self._max_pages if limited else _MAX_PAGES
            connection.execute(f"PRAGMA max_page_count = {pages}")
        result = work(connection)
        _wait_until(connection, deadline)
        connection.execute("COMMIT")
        return result

    def _release(self, lock: Any) -> None:
        """End the transaction, and release the lock, if this thread has it."""
        if not lock._is_owned():  # noqa: SLF001
            return
        try:
            if self._connection is not None:
                self._connection.rollback()
        except sqlite3.Error:
            self._close()
        lock.release()

    def _open(self, deadline: float) -> sqlite3.Connection:
        if self._connection is not None and not self._is_current():
            self._close()
        if self._connection is None:
            connection, self.file = _connect(self.path)
            try:
                _wait_until(connection, deadline)
                prepare(connection)
                (page_size,) = connection.execute("PRAGMA page_size").fetchone()
            except BaseException:
                connection.close()
                raise
            self._connection = connection
            self._max_pages = self._max_bytes // page_size
        return self._connection

    def _is_current(self) -> bool:
        """Return whether the path is still that of the file that the connection has open."""
        try:
            return _identify(self.path) == self.file
        except (OSError, NotAnOutbox):
            return False

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def before_fork(self) -> bool:
        """Close the connection, so that the child has none; return whether that was possible."""
        acquired: bool = self._lock.acquire(timeout=_FORK_WAIT)
        if acquired:
            # If a signal handler forks during a call of this thread, that call fails.
            self._close()
        return acquired

    def after_fork_in_parent(self) -> None:
        """Continue."""
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """Start without the locks of other threads, which the child does not have."""
        self._lock = threading.RLock()
        if self._connection is not None:  # the disk hangs; to close it would disturb the parent
            _abandoned.append(self._connection)
            self._connection = None


def _identify(path: str) -> tuple[int, int]:
    found = os.stat(path)  # noqa: PTH116 - much faster than with Path
    if not stat.S_ISREG(found.st_mode):
        raise NotAnOutbox("the path is that of a directory or a device")
    return found.st_dev, found.st_ino


def _connect(path: str) -> tuple[sqlite3.Connection, tuple[int, int]]:
    """
    Create the file if it does not exist, check that it is an outbox, and connect to it.

    When a process closes a file, it loses all its locks on it. So this closes no file that a
    connection of this process may have open.

    Returns:
        The connection, and the identity of the file.
    """
    with _connecting:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            file = _identify(path)
            if file not in _checked:
                check_header(path)
        else:
            os.close(descriptor)
            file = _identify(path)
        _checked.add(file)
        return sqlite3.connect(path, isolation_level=None, check_same_thread=False), file


def _wait_until(connection: sqlite3.Connection, deadline: float) -> None:
    """Let statements wait for the locks of other processes until the deadline."""
    milliseconds = max(0, int(1000 * (deadline - time.monotonic())))
    connection.execute(f"PRAGMA busy_timeout = {milliseconds}")


_databases: "weakref.WeakValueDictionary[int, Database]" = weakref.WeakValueDictionary()
_checked: set[tuple[int, int]] = set()
_connecting = threading.RLock()  # a signal handler may use another outbox
_forking: dict[int, list[Database]] = {}  # those that a thread locks while it forks
_abandoned: list[sqlite3.Connection] = []


def _all_databases() -> list[Database]:
    references = _databases.valuerefs()  # other threads can't change this list
    return [database for reference in references if (database := reference()) is not None]


def _before_fork() -> None:
    _forking[threading.get_ident()] = [each for each in _all_databases() if each.before_fork()]


def _after_fork_in_parent() -> None:
    for database in _forking.pop(threading.get_ident(), ()):
        database.after_fork_in_parent()


def _after_fork_in_child() -> None:
    global _connecting  # noqa: PLW0603
    _connecting = threading.RLock()
    _forking.clear()
    for database in _all_databases():
        database.after_fork_in_child()


if hasattr(os, "register_at_fork"):  # pragma: no branch - not on Windows
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
