"""Reads past events from a CSV file, and writes the rejected ones."""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

from ...exceptions import ApiValueError
from .files import BOM, ERROR, LINE, OWN_COLUMNS, Row, first_bytes, open_text

_DELIMITERS = ",;\t"


class CsvFile:
    """
    A CSV file with a header. The delimiter is the one that gives the header the most columns.

    Attributes:
        suffix: The suffix of a file of rejected rows.
        columns: The names in the header, without surrounding white space.

    Raises:
        ApiValueError: The file can't be read, or has no valid header.
    """

    suffix = ".csv"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._encoding = "utf-8-sig" if first_bytes(path).startswith(BOM) else "utf-8"
        self._header: list[str] = []
        for delimiter in _DELIMITERS:
            header = self._read_header(delimiter)
            if len(header) > len(self._header):
                self._header, self._delimiter = header, delimiter
        if not self._header:
            raise ApiValueError(f"{path.name} has no header: its first line must name the columns")
        self.columns = [name.strip() for name in self._header]

    def rows(self) -> Iterator[Row]:
        """
        Read the rows below the header, except those whose cells are all empty.

        Raises:
            ApiValueError: The file is not valid CSV. The message names the line.
        """
        is_header = True
        with open_text(self._path) as file:
            reader = csv.reader(file, delimiter=self._delimiter, strict=True)
            line = 1
            try:
                for cells in reader:
                    if any(cells) and not is_header:
                        yield self._row(line, cells)
                    is_header = is_header and not cells
                    line = reader.line_num + 1
            except csv.Error as error:
                raise ApiValueError(
                    f"{self._path.name} is not valid CSV: check the quotes of the row that begins "
                    f"in line {line} ({error})"
                ) from None

    def write(self, file: TextIO, rejects: Iterable[tuple[Row, str]]) -> None:
        """Write rejected rows, each with its line and its error in the first columns."""
        writer = csv.writer(file, delimiter=self._delimiter)
        writer.writerow([LINE, ERROR, *self._without_own(self._header)])
        for row, error in rejects:
            writer.writerow([row.line, error, *self._without_own(row.source)])

    @property
    def encoding(self) -> str:
        """The encoding of a file of rejected rows: with a byte order mark if this file has one."""
        return self._encoding

    def _read_header(self, delimiter: str) -> list[str]:
        with open_text(self._path) as file:
            try:
                rows = csv.reader(file, delimiter=delimiter, strict=True)
                return next((cells for cells in rows if cells), [])
            except csv.Error:
                return []

    def _row(self, line: int, cells: list[str]) -> Row:
        count, expected = len(cells), len(self.columns)
        error = f"the row has {count} cells, and the header {expected}" if count != expected else ""
        values: dict[str, Any] = dict(zip(self.columns, cells))
        return Row(line, cells, values, error)

    def _without_own(self, cells: list[str]) -> list[str]:
        own = [index for index, name in enumerate(self.columns) if name in OWN_COLUMNS]
        return [cell for index, cell in enumerate(cells) if index not in own]
