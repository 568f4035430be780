"""Reads past events from a JSON Lines file, and writes the rejected ones."""

import json
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn, Optional, TextIO

from .files import ERROR, LINE, OWN_COLUMNS, TEXT, Row, open_text


class JsonLinesFile:
    """
    A file with one JSON object per line.

    Attributes:
        suffix: The suffix of a file of rejected rows.
        columns: None, as each object has keys of its own.
        encoding: The encoding of a file of rejected rows.
    """

    suffix = ".jsonl"
    columns: Optional[list[str]] = None
    encoding = "utf-8"

    def __init__(self, path: Path) -> None:
        self._path = path

    def rows(self) -> Iterator[Row]:
        """
        Read the objects. Lines that contain only white space are skipped.

        Raises:
            ApiValueError: The file can't be read, or is not UTF-8.
        """
        with open_text(self._path) as file:
            for number, text in enumerate(file, start=1):
                if text.strip():
                    yield _read(number, text)

    def write(self, file: TextIO, rejects: Iterable[tuple[Row, str]]) -> None:
        """Write rejected objects, each with its line and its error."""
        for row, error in rejects:
            values = {**row.values, LINE: row.line, ERROR: error}
            if row.error:
                values[TEXT] = row.source
            members = (f"{json.dumps(name)}: {_dump(value)}" for name, value in values.items())
            file.write("{" + ", ".join(members) + "}\n")


def _read(number: int, text: str) -> Row:
    source = text.strip()
    try:
        values = json.loads(source, parse_float=Decimal, parse_constant=_reject)
    except (ValueError, ArithmeticError, RecursionError):
        values = None
    if not isinstance(values, dict):
        return Row(number, source, {}, "the line is not a JSON object")
    own = {name: value for name, value in values.items() if name not in OWN_COLUMNS}
    return Row(number, source, own)


def _dump(value: Any) -> str:
    """Return JSON, in which a number of the row keeps all its digits."""
    return str(value) if isinstance(value, Decimal) else json.dumps(value, default=float)


def _reject(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not valid JSON")
