"""DeliveryLock: at most one process delivers the events of a file."""

import os
import sys
import weakref
from typing import Optional

if sys.platform == "win32":  # pragma: no cover
    import msvcrt
else:
    import fcntl


class DeliveryLock:
    """
    An operating system lock, which ends with the process that holds it.

    It is on a separate file, `<path>.lock`, because closing the outbox file would release SQLite's
    own locks. The lock file is created with mode 0600, and stays. A forked child does not hold the
    lock.

    Args:
        path: The outbox file.
    """

    def __init__(self, path: str) -> None:
        self.path = _lock_path(path)
        self._descriptor: Optional[int] = None
        _locks.add(self)

    def acquire(self) -> bool:
        """
        Try to acquire the lock, without waiting; return whether this object holds it now.

        Raises:
            OSError: The file can't be created or opened.
        """
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        if _lock(descriptor, exclusive=True) and _is_at(descriptor, self.path):
            self._descriptor = descriptor
            return True
        os.close(descriptor)
        return False

    def is_held(self) -> bool:
        """Return whether this object holds the lock, and its file was not removed."""
        return self._descriptor is not None and _is_at(self._descriptor, self.path)

    def release(self) -> None:
        """Release the lock, if this object holds it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def is_locked(path: str) -> bool:
    """
    Return whether a process delivers the events of an outbox file.

    Raises:
        OSError: The lock file can't be opened.
    """
    try:
        descriptor = os.open(_lock_path(path), os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        return not _lock(descriptor, exclusive=False)
    finally:
        os.close(descriptor)


def _lock_path(path: str) -> str:
    """Return the path of the lock file, which is the same for all symbolic links to a file."""
    return os.path.realpath(path) + ".lock"


def _is_at(descriptor: int, path: str) -> bool:
    """Return whether a path still leads to an open file: another process may have removed it."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))  # noqa: PTH116
    except OSError:
        return False


def _lock(descriptor: int, *, exclusive: bool) -> bool:
    try:
        if sys.platform == "win32":  # pragma: no cover - it has only exclusive locks
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            mode = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
            fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


_locks: "weakref.WeakSet[DeliveryLock]" = weakref.WeakSet()


def _release_inherited() -> None:
    """Close a forked child's copies of the descriptors; the parent still holds the locks."""
    for lock in list(_locks):
        lock.release()


if hasattr(os, "register_at_fork"):  # pragma: no branch - not on Windows
    os.register_at_fork(after_in_child=_release_inherited)
