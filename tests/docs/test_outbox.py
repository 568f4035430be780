"""The tables of the page on the outbox, and of its command, agree with the code."""

import re
from pathlib import Path
from typing import Any

import pytest

from cutmeshort import ApiException
from cutmeshort.cli import main
from cutmeshort.outbox import EventInfo, Outbox, OutboxStatus
from cutmeshort.outbox.queue_tracker import outbox_error, outbox_full

from .pages import page
from .test_tables import all_names, default_of, name, parameters

OUTBOX = page("reference/outbox")
COMMAND_LINE = page("reference/command-line")


def test_the_table_of_arguments_is_complete() -> None:
    """The table has each argument with its default, and the page shows the signature."""
    rows = OUTBOX.table("Outbox arguments")
    expected = parameters(Outbox)
    assert [name(row) for row in rows] == list(expected)
    for row in rows:
        if row["default"] != "required" and name(row) != "on_outcome":
            assert str(default_of(row)) == str(expected[name(row)].default)
    shown = re.search(r"^`Outbox\((.*)\)`$", OUTBOX.prose, re.MULTILINE)
    assert shown is not None
    written = dict(part.partition("=")[::2] for part in shown[1].split(", ") if part != "*")
    defaults = {key: value.default for key, value in expected.items() if key != "path"}
    assert written == {"path": "", **{key: str(value) for key, value in defaults.items()}}


def test_the_table_of_types_says_which_are_retryable() -> None:
    """The table has the outbox's two types, which are retryable, and two of the client."""
    rows = {name(row): row["retryable"] for row in OUTBOX.table("Queue an event")}
    own: list[ApiException] = [outbox_full(""), outbox_error("")]
    expected = {error.type: "yes" if error.retryable else "no" for error in own}
    assert rows == {"validation_error": "no", **expected, "disabled": "no"}


def test_the_table_of_methods_is_complete() -> None:
    """The table has each public method."""
    public = {each for each in vars(Outbox) if not each.startswith("_")}
    shown = set(all_names(OUTBOX.table("Methods")))
    assert shown == public | {"track_lead", "track_sale", "track"}


@pytest.mark.parametrize(
    ("heading", "document"), [("Status", OutboxStatus), ("Events in the file", EventInfo)]
)
def test_the_tables_of_keys_are_complete(heading: str, document: Any) -> None:
    """The tables have each key of the dict, in order."""
    assert all_names(OUTBOX.table(heading)) == list(document.__annotations__)


def test_the_size_of_an_event_is_the_one_on_the_page(tmp_path: Path) -> None:
    """An event takes about as much space as the page says."""
    found = re.search(r"takes about ([\d.]+) KB", OUTBOX.prose)
    assert found is not None
    with Outbox(tmp_path / "cms.db") as outbox:
        empty = outbox.status()["bytes"]
        for number in range(300):
            customer = {"customer_name": "Ann Lee", "customer_email": "ann@example.com"}
            event = ("Purchase", f"user_{number}", f"inv_{number}", 4999, "USD", "click_1")
            assert outbox.track_sale(*event, **customer)["success"]
        size = (outbox.status()["bytes"] - empty) / 300 / 1000
    assert size == pytest.approx(float(found[1]), rel=0.2)


def test_the_usage_of_the_command_is_the_one_on_the_page(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The usage has each action, with its arguments and options."""
    usages = re.findall(r"^cutmeshort outbox (\w+) FILE (.*)$", COMMAND_LINE.text, re.MULTILINE)
    assert [action for action, _ in usages] == all_names(COMMAND_LINE.table("Outbox"))
    for action, usage in usages:
        with pytest.raises(SystemExit):
            main(["outbox", action, "--help"])
        options = set(re.findall(r"^  (--[\w-]+)\b", capsys.readouterr().out, re.MULTILINE))
        assert set(re.findall(r"--\w+", usage)) == options
    codes = [row["code"] for row in COMMAND_LINE.table("Outbox", 1)]
    assert codes == ["0", "1", "2"]
