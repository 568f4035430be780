"""What `cutmeshort backfill` prints before and after it sends."""

import json
import sys
from pathlib import Path
from typing import Any, Optional

from ..outbox.backfill import Converter, Counts, Progress, Run
from ..outbox.policy import MAX_REJECTED_IN_A_ROW
from ..results import Outcome
from .backfill_display import format_seconds
from .output import write

_MAX_SHOWN = 20  # rows or columns


class Report:
    """
    Prints messages on stderr and summaries on stdout.

    Args:
        name: The name of the file.
        as_json: Whether summaries are JSON.
    """

    def __init__(self, name: str, as_json: bool) -> None:
        self._name = name
        self._as_json = as_json
        self._errors: list[dict[str, Any]] = []
        self._invalid = 0
        self._already_recorded = 0

    def note_error(self, line: int, error: str) -> None:
        """Note a row that is not valid. Only JSON shows all of them."""
        self._invalid += 1
        if self._as_json or len(self._errors) < _MAX_SHOWN:
            self._errors.append({"line": line, "error": error})

    def note_outcome(self, outcome: Outcome) -> None:
        """Note an event that the service had recorded before."""
        if outcome.type == "duplicate_event":
            self._already_recorded += 1

    def print_errors(self) -> None:
        """Print the first rows that are not valid, and the number of the others."""
        for each in self._errors[:_MAX_SHOWN]:
            write(f"{self._name}, line {each['line']}: {each['error']}", sys.stderr)
        if self._invalid > _MAX_SHOWN:
            write(f"and {self._invalid - _MAX_SHOWN:,} more rows that are not valid", sys.stderr)

    def print_check(self, counts: Counts, converter: Converter, per_minute: int) -> None:
        """Print the summary of a dry run."""
        seconds = 60 * counts.total / per_minute if per_minute else None
        if self._as_json:
            _print_json(
                {
                    "rows": counts.rows,
                    "events": counts.events,
                    "duplicates": counts.duplicates,
                    "invalid": counts.invalid,
                    "errors": self._errors,
                    "ignored": sorted(converter.ignored),
                    "warnings": converter.warnings,
                    "seconds": seconds,
                }
            )
            return
        self.print_errors()
        self._print_contents(counts, converter, sys.stdout)
        if seconds is not None:
            time = format_seconds(seconds)
            write(f"Sending takes {time} at {per_minute} per minute.", sys.stdout)
        write("Nothing was sent or written.", sys.stdout)

    def print_start(self, run: Run, converter: Converter) -> None:
        """Print what will be sent."""
        if run.is_resumed:
            write(f"Continuing the earlier run in {run.state_file.name}.", sys.stderr)
        else:
            self._print_contents(run.counts, converter, sys.stderr)

    def print_set_up_wrong(self, progress: Progress, state_file: Path) -> None:
        """Print why the set-up seems to be wrong, and what to do."""
        reason = f"stopped: {progress.reason}. `cutmeshort doctor` checks the set-up."
        if progress.rejected_in_a_row >= MAX_REJECTED_IN_A_ROW:
            reason = (
                f"stopped: the service rejected {progress.rejected_in_a_row} events in a row, the "
                f"last with {progress.reason}. `cutmeshort outbox list {state_file}` shows why."
            )
        self.print_stop(reason, state_file)

    def print_stop(self, reason: str, state_file: Path) -> None:
        """Print why the run ends before all events were sent, and how to continue."""
        write(
            f"cutmeshort backfill: {reason}\nThe events that were not sent are kept in "
            f"{state_file}: run the same command again to continue.",
            sys.stderr,
        )

    def print_summary(
        self, progress: Progress, counts: Counts, rejects: Optional[Path], seconds: float
    ) -> None:
        """Print the summary of a run that has sent all events."""
        if self._as_json:
            _print_json(
                {
                    "delivered": progress.delivered,
                    "already_recorded": self._already_recorded,
                    "duplicates": counts.duplicates,
                    "rejected": progress.rejected,
                    "rejects": None if rejects is None else str(rejects),
                    "seconds": round(seconds, 1),
                }
            )
            return
        known = f" ({self._already_recorded:,} recorded before)" if self._already_recorded else ""
        delivered = f"{_plural(progress.delivered, 'event')} delivered{known}"
        lines = [f"{delivered}; this run took {format_seconds(seconds)}."]
        if counts.duplicates:
            lines.append(f"{_plural(counts.duplicates, 'duplicate row')} skipped.")
        if rejects is not None:
            lines.append(
                f"{_plural(progress.rejected, 'row')} rejected: correct them in {rejects}, and "
                "run the same command with that file."
            )
        write("\n".join(lines), sys.stdout)

    def _print_contents(self, counts: Counts, converter: Converter, stream: Any) -> None:
        write(f"{self._name}: {_describe(counts)}", stream)
        if converter.ignored:
            write(f"Columns that are not used: {_list(converter.ignored)}", stream)
        for message, number in converter.warnings.items():
            write(f"Warning, {_plural(number, 'row')}: {message}", stream)


def _print_json(document: dict[str, Any]) -> None:
    write(json.dumps(document, indent=2), sys.stdout)


def _describe(counts: Counts) -> str:
    parts = [_plural(number, name) for name, number in counts.events.items()]
    if counts.duplicates:
        parts.append(f"{_plural(counts.duplicates, 'duplicate')} of an earlier row")
    if counts.invalid:
        parts.append(f"{counts.invalid:,} not valid")
    return f"{_plural(counts.rows, 'row')}: {', '.join(parts)}" if parts else "no rows"


def _list(names: set[str]) -> str:
    """Return the first names in one line."""
    shown = sorted(names)[:_MAX_SHOWN]
    more = f" and {len(names) - len(shown):,} more" if len(names) > len(shown) else ""
    return ", ".join(map(repr, shown)) + more


def _plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
