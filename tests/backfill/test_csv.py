"""The reader of CSV files, and the files of rejected rows."""

import csv
import io
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutmeshort import ApiValueError
from cutmeshort.outbox.backfill.csv_file import CsvFile


def read(folder: Path, content: "str | bytes") -> CsvFile:
    """Write a file and open it."""
    path = folder / "sales.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return CsvFile(path)


def rows_of(file: CsvFile) -> list[tuple[int, dict[str, Any], str]]:
    """Return the line, the values and the error of each row."""
    return [(row.line, row.values, row.error) for row in file.rows()]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a,b\n1,2\n", [(2, {"a": "1", "b": "2"}, "")]),
        ("a;b\n1,5;2\n", [(2, {"a": "1,5", "b": "2"}, "")]),
        ("a\tb\n1\t2;3,4\n", [(2, {"a": "1", "b": "2;3,4"}, "")]),
        ("a\n1\n", [(2, {"a": "1"}, "")]),
        ('"a;x";"b"\n1;2\n', [(2, {"a;x": "1", "b": "2"}, "")]),
        ("\ufeffa,b\n1,é\n", [(2, {"a": "1", "b": "é"}, "")]),
        ("a,b\r\n1,2\r\n3,4", [(2, {"a": "1", "b": "2"}, ""), (3, {"a": "3", "b": "4"}, "")]),
        (" a , b\n 1,2 \n", [(2, {"a": " 1", "b": "2 "}, "")]),
        (
            'a,b\n"x\ny\r\nz","1 ""2"""\n3,4\n',
            [(2, {"a": "x\ny\r\nz", "b": '1 "2"'}, ""), (5, {"a": "3", "b": "4"}, "")],
        ),
        ("\n\na,b\n\n1,2\n,\n3,\n", [(5, {"a": "1", "b": "2"}, ""), (7, {"a": "3", "b": ""}, "")]),
        ("a,b\n1\n", [(2, {"a": "1"}, "the row has 1 cells, and the header 2")]),
        ("a,b\n1,2,3\n", [(2, {"a": "1", "b": "2"}, "the row has 3 cells, and the header 2")]),
    ],
    ids=repr,
)
def test_a_file_is_read(content: str, expected: Any, tmp_path: Path) -> None:
    """The reader finds the delimiter, and returns each row with the number of its first line."""
    assert rows_of(read(tmp_path, content)) == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('a,b\n1,2\n"3,4\n', "check the quotes of the row that begins in line 3 (unexpected end"),
        ('a,b\n"1"x,2\n', "check the quotes of the row that begins in line 2 ("),
        ('a,b\n"' + "x" * 140_000, "line 2 (field larger than field limit"),
        (b"a,b\n1,2\n3,\xe9\n", "sales.csv is not in UTF-8 (line 3): save it as UTF-8"),
        ("a,b\n1,2\n".encode("utf-16"), "sales.csv is not in UTF-8 (line 1)"),
        ("\n\n", "sales.csv has no header"),
        ('"a,b\n', "sales.csv has no header"),
    ],
    ids=range(7),
)
def test_a_file_that_is_not_csv_is_rejected(
    content: "str | bytes", message: str, tmp_path: Path
) -> None:
    """The message names the line, and what to do."""
    with pytest.raises(ApiValueError) as caught:
        list(read(tmp_path, content).rows())
    assert message in str(caught.value)


@pytest.mark.parametrize("missing", ["sales.csv", "."])
def test_a_file_that_cannot_be_read_is_reported(missing: str, tmp_path: Path) -> None:
    """A missing file, and a folder, are reported with the reason of the operating system."""
    with pytest.raises(ApiValueError, match=r"can't be read: (No such file|Is a directory)"):
        CsvFile(tmp_path / missing)


def test_a_file_that_disappears_is_reported(tmp_path: Path) -> None:
    """A file that was deleted since the header was read is reported in the same way."""
    file = read(tmp_path, "a\n1\n")
    (tmp_path / "sales.csv").unlink()
    with pytest.raises(ApiValueError, match=r"sales\.csv can't be read: No such file"):
        list(file.rows())


TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12
) | st.text(',;\t"\r\n x', max_size=6)
NAMES = st.lists(
    st.text("abc\"'é \n", min_size=1).filter(str.strip), min_size=2, max_size=4, unique=True
)


@settings(max_examples=40)
@given(
    names=NAMES,
    delimiter=st.sampled_from(",;\t"),
    bom=st.booleans(),
    data=st.data(),
)
def test_rejected_rows_survive(
    names: list[str],
    delimiter: str,
    bom: bool,
    data: st.DataObject,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """A file of rejected rows has the same cells as the input, and so has one of that file."""
    count = st.integers(1, len(names) + 2)
    cells = count.flatmap(lambda size: st.lists(TEXT, min_size=size, max_size=size))
    rows = data.draw(st.lists(cells.filter(any), max_size=4))
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerows([names, *rows])
    folder = tmp_path_factory.mktemp("csv")
    content = text.getvalue().encode()
    file = read(folder, b"\xef\xbb\xbf" + content if bom else content)
    assert [row.source for row in file.rows()] == rows
    errors = [f'error "{row.line}"' for row in file.rows()]
    for _ in range(2):
        path = folder / f"{len(list(folder.iterdir()))}.csv"
        with path.open("w", encoding=file.encoding, newline="") as stream:
            file.write(stream, zip(list(file.rows()), errors))
        assert path.read_bytes().startswith(b"\xef\xbb\xbf") == bom
        file = CsvFile(path)
        assert [row.source[2:] for row in file.rows()] == rows
        assert [row.source[1] for row in file.rows()] == errors
        assert file.columns[2:] == [name.strip() for name in names]


@pytest.mark.skipif(sys.version_info >= (3, 11), reason="later versions read it")
def test_a_null_character_is_rejected(tmp_path: Path) -> None:
    """A null character, which old versions of Python can't read, is reported with its line."""
    with pytest.raises(ApiValueError, match="line 2"):
        list(read(tmp_path, "a,b\n\0,1\n").rows())
