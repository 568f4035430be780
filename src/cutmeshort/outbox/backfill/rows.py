"""Turns a row of the file into an event."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Optional

from pydantic.alias_generators import to_camel

from ...arguments import read_arguments
from ...exceptions import ApiValueError
from ...money import to_minor_units
from ...operations import OPERATIONS, Operation
from ...results import make_validation_error
from ..events import QueuedEvent
from .files import OWN_COLUMNS, Row

_REQUIRED = {
    operation.name: [
        name for name, info in operation.request_model.model_fields.items() if info.is_required()
    ]
    for operation in OPERATIONS
}
FIELDS = tuple(
    dict.fromkeys(name for each in OPERATIONS for name in each.request_model.model_fields)
)
_ADVICE = ". With --now, events without a timestamp are recorded as of today"
_NO_CLICK = "click_id: Not set: the service needs it, unless the customer has a deferred lead"
# As shops export it: 2026-01-31 12:00:00 +0100, or with "UTC" at the end.
_SPACED_TIME = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d(?::\d\d(?:\.\d+)?)?) (UTC|[+-]\d\d:?\d\d)")


@dataclass(frozen=True)
class RowOptions:
    """
    How rows become events.

    Attributes:
        columns: The column of a field, by field. Other fields have the column of their own name, in
            snake_case or camelCase.
        constants: The value of a field in all rows, by field.
        event: `lead` or `sale` for all rows; None if each row's fields decide.
        major_units: Whether amounts are in the major unit, such as dollars.
        now: Whether a row without a timestamp gets the current time; otherwise it is rejected.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    event: Optional[str] = None
    major_units: bool = False
    now: bool = False


class Converted(NamedTuple):
    """
    The event of a row, or why there is none.

    Attributes:
        event: The event; None if the row is not valid.
        error: Why the row is not valid, without its values; empty if it is.
    """

    event: Optional[QueuedEvent]
    error: str = ""


class Converter:
    """
    Turns rows into events, and notes what it leaves out.

    Args:
        options: How rows become events.
        columns: The columns of all rows; None if each row has its own.

    Attributes:
        ignored: The names of columns that are not used.
        warnings: How often a field was left out or a timestamp taken as UTC, by message.

    Raises:
        ApiValueError: A column is missing, or exists twice.
    """

    def __init__(self, options: RowOptions, columns: Optional[Sequence[str]]) -> None:
        self._options = options
        self._names = {
            name: [options.columns[name]] if name in options.columns else [name, to_camel(name)]
            for name in FIELDS
            if name not in options.constants
        }
        self._used = {name for names in self._names.values() for name in names} | OWN_COLUMNS
        self.ignored: set[str] = set()
        self.warnings: Counter[str] = Counter()
        if columns is not None:
            self._check(columns)

    def convert(self, row: Row) -> Converted:
        """Return the event of a row, or why the row is not valid."""
        self._note_ignored(row.values)
        if row.error:
            return Converted(None, row.error)
        own = self._read(row.values)
        operation = self._choose(own)
        given = {**own, **self._options.constants}
        values = {name: given.get(name) for name in operation.request_model.model_fields}
        missing = [name for name in self._required(operation) if values[name] in (None, "")]
        if missing:
            return Converted(None, "; ".join(map(_explain_missing, missing)))
        try:
            self._prepare(values)
        except ApiValueError as error:
            return Converted(None, str(error))
        arguments = read_arguments(operation, values, None, None)
        if arguments.payload is None:
            return Converted(None, make_validation_error(arguments.errors)["error"])
        for each in arguments.warnings:
            self.warnings[f"{each['field']}: {each['message']}"] += 1
        if values["click_id"] in (None, ""):
            self.warnings[_NO_CLICK] += 1
        return Converted(QueuedEvent.create(arguments.payload))

    def _check(self, columns: Sequence[str]) -> None:
        shown = ", ".join(filter(None, columns))
        for name, column in self._options.columns.items():
            if column not in columns:
                raise ApiValueError(
                    f"there is no column {column!r} for {name}; the columns are: {shown}"
                )
        twice = [name for name in columns if columns.count(name) > 1 and name in self._used]
        if twice:
            raise ApiValueError(f"there are two columns {twice[0]!r}: rename one of them")
        own = self._read(dict.fromkeys(columns))
        operation = self._choose(own)
        known = own.keys() | self._options.constants.keys()
        missing = [name for name in self._required(operation) if name not in known]
        if missing:
            raise ApiValueError(
                f"no column for {', '.join(missing)}, which a {operation.event} needs: name the "
                f"column with --map {missing[0]}=COLUMN, or set the value of all rows with --set "
                f"{missing[0]}=VALUE{_ADVICE if 'timestamp' in missing else ''}. The columns are: "
                f"{shown}"
            )

    def _read(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields for which a row has a column."""
        return {
            name: values[column]
            for name, columns in self._names.items()
            for column in columns
            if column in values
        }

    def _choose(self, own: Iterable[str]) -> Operation:
        """Return the operation of which the row has most required fields; the first of several."""
        found = set(own)
        chosen = [each for each in OPERATIONS if self._options.event in (each.event, None)]
        return max(chosen, key=lambda each: len(found.intersection(_REQUIRED[each.name])))

    def _required(self, operation: Operation) -> list[str]:
        timestamp = [] if self._options.now else ["timestamp"]
        return [*_REQUIRED[operation.name], *timestamp]

    def _prepare(self, values: dict[str, Any]) -> None:
        """Convert the amount and the timestamp to what the arguments of a call may be."""
        spaced = _SPACED_TIME.fullmatch(str(values["timestamp"]))
        if spaced is not None:
            date, time, offset = spaced.groups()
            values["timestamp"] = f"{date}T{time}{'Z' if offset == 'UTC' else offset}"
        if "amount" not in values:
            return
        amount = values["amount"]
        if self._options.major_units:
            values["amount"] = to_minor_units(amount, values["currency"])
        elif isinstance(amount, str) and re.fullmatch("[0-9]{1,16}", amount):
            values["amount"] = int(amount)
        elif not isinstance(amount, int):
            raise ApiValueError(
                "amount must be a whole number of the currency's minor unit (cents), like 4999; "
                "for amounts like 49.99, use --major-units",
                "amount",
            )

    def _note_ignored(self, values: Iterable[str]) -> None:
        self.ignored.update(name for name in values if name not in self._used)


def _explain_missing(name: str) -> str:
    now = "; --now records the event as of today" if name == "timestamp" else ""
    return f"{name}: a value is required{now}"
