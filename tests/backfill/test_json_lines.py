"""The reader of JSON Lines files, and the files of rejected rows."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutmeshort.outbox.backfill.files import Row
from cutmeshort.outbox.backfill.json_lines import JsonLinesFile

NOT_AN_OBJECT = "the line is not a JSON object"


def read(folder: Path, content: str) -> JsonLinesFile:
    """Write a file and open it."""
    path = folder / "events.jsonl"
    path.write_bytes(content.encode())
    return JsonLinesFile(path)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"a": 1}\n{"b": "é"}', [Row(1, '{"a": 1}', {"a": 1}), Row(2, '{"b": "é"}', {"b": "é"})]),
        ('\ufeff{}\r\n \n {"a": null}\n', [Row(1, "{}", {}), Row(3, '{"a": null}', {"a": None})]),
        ('{"a": 49.990}', [Row(1, '{"a": 49.990}', {"a": Decimal("49.990")})]),
        ('{"cutmeshort_line": 7, "a": 1}', [Row(1, '{"cutmeshort_line": 7, "a": 1}', {"a": 1})]),
        ("[1]\n", [Row(1, "[1]", {}, NOT_AN_OBJECT)]),
        ('{"a": 1', [Row(1, '{"a": 1', {}, NOT_AN_OBJECT)]),
        ('{"a": NaN}', [Row(1, '{"a": NaN}', {}, NOT_AN_OBJECT)]),
        (
            '{"a": 1e99999999999999999999}',
            [Row(1, '{"a": 1e99999999999999999999}', {}, NOT_AN_OBJECT)],
        ),
    ],
    ids=range(8),
)
def test_a_file_is_read(content: str, expected: Any, tmp_path: Path) -> None:
    """Each line that is not blank is a row, with exact numbers."""
    assert list(read(tmp_path, content).rows()) == expected


def test_deeply_nested_json_is_rejected(tmp_path: Path) -> None:
    """JSON that is nested too deeply for the parser is rejected like any other invalid line."""
    (row,) = read(tmp_path, '{"a":' + "[" * 200_000).rows()
    assert row.error == NOT_AN_OBJECT


def write(file: JsonLinesFile, path: Path, error: str) -> JsonLinesFile:
    """Write all rows as rejected ones, and open the result."""
    with path.open("w", encoding=file.encoding, newline="") as stream:
        file.write(stream, [(row, error) for row in file.rows()])
    return JsonLinesFile(path)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=4,
)


@settings(max_examples=40)
@given(objects=st.lists(st.dictionaries(st.text(max_size=5), VALUES, max_size=3), max_size=3))
def test_rejected_objects_survive(
    objects: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A file of rejected objects has the same values as the input, and so has one of that file."""
    folder = tmp_path_factory.mktemp("json")
    file = read(folder, "".join(json.dumps(each) + "\n" for each in objects))
    for name in ("first", "second"):
        file = write(file, folder / name, 'the "error"')
        lines = [json.loads(line) for line in (folder / name).read_text().splitlines()]
        errors = [(each.pop("cutmeshort_line"), each.pop("cutmeshort_error")) for each in lines]
        assert errors == [(number, 'the "error"') for number in range(1, len(objects) + 1)]
        assert lines == objects


def test_a_number_keeps_its_digits(tmp_path: Path) -> None:
    """An amount with more digits than a float has is the same in the file of rejected rows."""
    amount = "1234567890123456789.1200"
    file = write(read(tmp_path, f'{{"amount": {amount}}}'), tmp_path / "rejected", "")
    assert f'"amount": {amount}' in (tmp_path / "rejected").read_text(encoding="utf-8")
    assert [row.values for row in file.rows()] == [{"amount": Decimal(amount)}]


def test_a_line_that_is_not_json_is_kept(tmp_path: Path) -> None:
    """The text of a line that can't be read is in the file of rejected rows."""
    write(read(tmp_path, '{"a": \n'), tmp_path / "rejected", "why")
    assert json.loads((tmp_path / "rejected").read_text(encoding="utf-8")) == {
        "cutmeshort_line": 1,
        "cutmeshort_error": "why",
        "cutmeshort_text": '{"a":',
    }
