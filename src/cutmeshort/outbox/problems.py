"""What the exceptions of the outbox file mean, and what to do about them."""

import errno
import sqlite3
from typing import NamedTuple, Union

from ..exceptions import ApiException
from .queue_tracker import outbox_error, outbox_full
from .schema import NotAnOutbox

FileError = Union[sqlite3.Error, OSError]


class Problem(NamedTuple):
    """
    Why the outbox file can't be used.

    Attributes:
        text: The reason, and what to do, in one line without event data.
        is_full: Whether no space is left.
        is_permanent: Whether a person must correct something.
    """

    text: str
    is_full: bool = False
    is_permanent: bool = False

    def to_exception(self) -> ApiException:
        """Create the exception for a call that failed."""
        return outbox_full(self.text) if self.is_full else outbox_error(self.text)


_FULL = Problem(
    "The outbox file has reached its maximum size, or the disk is full. Check that `cutmeshort "
    "deliver` is running, and free disk space.",
    is_full=True,
)
_BUSY = Problem("Other threads or processes locked the outbox file for the whole timeout.")
_READ_ONLY = Problem(
    "The outbox file can't be written. Check the permissions of the file and its directory.",
    is_permanent=True,
)
_FAILED = Problem("The disk of the outbox file failed. Check the disk and its quota.")
_CANT_OPEN = Problem(
    "The outbox file can't be opened. Check that its directory exists and is writable.",
    is_permanent=True,
)
_DAMAGED = Problem(
    "The outbox file is damaged. Move it to another directory, so that a new one is created.",
    is_permanent=True,
)

# By SQLite's result code, which Python has from 3.11 on, or a part of SQLite's message.
_PROBLEMS = (
    (5, "is locked", _BUSY),
    (8, "readonly database", _READ_ONLY),
    (10, "disk I/O error", _FAILED),
    (11, "malformed", _DAMAGED),
    (13, "is full", _FULL),
    (14, "unable to open", _CANT_OPEN),
    (26, "not a database", _DAMAGED),
)

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
_TRANSIENT = (errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM)


def explain(error: FileError) -> Problem:
    """Return the problem that an exception means."""
    if isinstance(error, OSError):
        if error.errno in _NO_SPACE:
            return _FULL
        file = "lock file of the outbox" if str(error.filename).endswith(".lock") else "outbox file"
        text = f"The {file} can't be used: {error.strerror}. Check its path and permissions."
        return Problem(text, is_permanent=error.errno not in _TRANSIENT)
    if isinstance(error, NotAnOutbox):
        return Problem(f"The outbox file can't be used: {error}.", is_permanent=True)
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    for number, message, problem in _PROBLEMS:
        if code == number or message in str(error):
            return problem
    return Problem(f"The outbox file can't be used: {error}.")
