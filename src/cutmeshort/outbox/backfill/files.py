"""Opens the file with past events: CSV or JSON Lines."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from ...exceptions import ApiValueError

# The additional columns of a file of rejected rows, which are ignored when it is read.
LINE = "cutmeshort_line"
ERROR = "cutmeshort_error"
TEXT = "cutmeshort_text"
OWN_COLUMNS = frozenset({LINE, ERROR, TEXT})

BOM = b"\xef\xbb\xbf"


class Row(NamedTuple):
    """
    A row of the file.

    Attributes:
        line: The number of its first line in the file, from 1.
        source: Its cells, or its text in JSON Lines, for a file of rejected rows.
        values: Its values by column.
        error: Why it can't be read; empty if it can.
    """

    line: int
    source: Any
    values: dict[str, Any]
    error: str = ""


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """
    Open a file in UTF-8, with or without a byte order mark.

    Raises:
        ApiValueError: The file can't be read, or is not UTF-8.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield file
    except UnicodeDecodeError:
        raise ApiValueError(
            f"{path.name} is not in UTF-8 (line {_undecodable_line(path)}): save it as UTF-8; in a "
            'spreadsheet, as "CSV UTF-8"'
        ) from None
    except OSError as error:
        raise ApiValueError(f"{path.name} can't be read: {error.strerror}") from None


def first_bytes(path: Path) -> bytes:
    """Return the beginning of a file."""
    try:
        with path.open("rb") as file:
            return file.read(4096)
    except OSError as error:
        raise ApiValueError(f"{path.name} can't be read: {error.strerror}") from None


def _undecodable_line(path: Path) -> int:
    with path.open("rb") as file:
        return next(number for number, line in enumerate(file, start=1) if not _is_utf8(line))


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
