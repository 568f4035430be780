"""`cutmeshort backfill`: sends the past events of a CSV or JSON Lines file."""

import argparse
import json
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any, NoReturn, Optional

from pydantic.alias_generators import to_camel

from ..checks import check_count
from ..client import CMSClient
from ..configuration import Configuration
from ..exceptions import ApiValueError
from ..operations import OPERATIONS
from ..outbox.backfill import FIELDS, Backfill, BackfillError, Counts, Progress, RowOptions, Run
from ..outbox.policy import MAX_REJECTED_IN_A_ROW
from ..results import Outcome
from .backfill_display import choose_display, format_seconds
from .output import write

DELIVERED = 0
REJECTED = 1
BAD_INPUT = 2
SET_UP_WRONG = 3
INTERRUPTED = 130

_MAX_SHOWN = 20  # rows, on stderr
_EPILOG = (
    f"Exit codes: {DELIVERED} all events delivered, {REJECTED} some rows rejected, {BAD_INPUT} "
    f"usage error or bad input, nothing sent, {SET_UP_WRONG} set-up wrong, {INTERRUPTED} "
    f"interrupted. After {SET_UP_WRONG} and {INTERRUPTED}, the same command continues. The token "
    "is read from CMS_BEARER_TOKEN."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the file and the options."""
    parser.epilog = _EPILOG
    parser.add_argument(
        "file", metavar="FILE", type=Path, help="CSV with a header, or JSON Lines; in UTF-8."
    )
    parser.add_argument(
        "--map",
        metavar="FIELD=COLUMN",
        action="append",
        default=[],
        help="The column of a field. Default: the column with the field's name.",
    )
    parser.add_argument(
        "--set",
        metavar="FIELD=VALUE",
        action="append",
        default=[],
        help="The value of a field in all rows.",
    )
    parser.add_argument(
        "--event",
        choices=[operation.event for operation in OPERATIONS],
        help="What the rows are. Default: sales if they have an invoice id, an amount or a "
        "currency, else leads.",
    )
    parser.add_argument(
        "--major-units",
        action="store_true",
        help="Amounts are in the major unit, like 49.99 for 49.99 USD. Default: in the minor unit, "
        "like 4999.",
    )
    parser.add_argument(
        "--now",
        action="store_true",
        help="Record events without a timestamp as of today. Default: reject them.",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="Validate every row. Nothing is sent or written."
    )
    parser.add_argument(
        "--per-minute",
        metavar="NUMBER",
        type=int,
        default=50,
        help="The highest number of requests per minute; 0 for no limit. Default: 50. The service "
        "accepts 60 per user.",
    )
    parser.add_argument("--json", action="store_true", help="Print the summary as JSON.")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    command = _Command(arguments)
    try:
        check_count("--per-minute", arguments.per_minute)
        backfill = Backfill(arguments.file, command.row_options())
        if arguments.dry_run:
            return command.check(backfill)
        return command.send(backfill)
    except ApiValueError as error:
        command.fail(BAD_INPUT, str(error))
    except BackfillError as error:
        command.fail(SET_UP_WRONG, str(error))
    except (sqlite3.Error, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        command.fail(SET_UP_WRONG, f"the state of the backfill can't be used: {reason}")


class _Command:
    """One execution of the command."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments = arguments
        self._parser: argparse.ArgumentParser = arguments.parser
        self._name = arguments.file.name
        self._invalid = 0
        self._errors: list[dict[str, Any]] = []
        self._already_recorded = 0

    def fail(self, code: int, message: str) -> NoReturn:
        """Exit with a message."""
        self._parser.exit(code, f"{self._parser.prog}: {message}\n")

    def row_options(self) -> RowOptions:
        """Return the options that say how rows become events."""
        arguments = self._arguments
        columns = self._read_pairs("--map", arguments.map)
        constants = self._read_pairs("--set", arguments.set)
        for name in columns.keys() & constants.keys():
            self._parser.error(f"{name} has both --map and --set")
        return RowOptions(
            columns=columns,
            constants=constants,
            event=arguments.event,
            major_units=arguments.major_units,
            now=arguments.now,
        )

    def check(self, backfill: Backfill) -> int:
        """Validate every row, and print what a run would do."""
        counts = backfill.check(self._note_error)
        seconds = self._estimate(counts.total)
        if self._arguments.json:
            self._print_json(
                {
                    "rows": counts.rows,
                    "events": counts.events,
                    "duplicates": counts.duplicates,
                    "invalid": counts.invalid,
                    "errors": self._errors,
                    "ignored": sorted(backfill.converter.ignored),
                    "warnings": backfill.converter.warnings,
                    "seconds": seconds,
                }
            )
        else:
            self._print_errors()
            self._print_contents(counts, backfill, sys.stdout)
            if seconds is not None:
                rate = f"{self._arguments.per_minute} per minute"
                write(f"Sending takes {format_seconds(seconds)} at {rate}.", sys.stdout)
            write("Nothing was sent or written.", sys.stdout)
        if not counts.total:
            return BAD_INPUT
        return REJECTED if counts.invalid else DELIVERED

    def send(self, backfill: Backfill) -> int:
        """Send the events, and print a summary."""
        started = time.monotonic()
        with self._create_client() as client:
            run = self._start(backfill)
            try:
                with choose_display(self._name) as display:
                    progress = run.deliver(client, self._arguments.per_minute, display.show)
                if progress.is_set_up_wrong:
                    return self._stop(SET_UP_WRONG, _explain(progress, run), run)
                rejects = run.finish()
            except KeyboardInterrupt:
                return self._stop(INTERRUPTED, "interrupted.", run)
            finally:
                run.close()
        self._print_summary(progress, run.counts, rejects, time.monotonic() - started)
        return DELIVERED if rejects is None else REJECTED

    def _start(self, backfill: Backfill) -> Run:
        try:
            run = backfill.start(self._note_error)
        except KeyboardInterrupt:
            self.fail(INTERRUPTED, "interrupted; nothing was sent")
        finally:
            self._print_errors()
        if run.is_resumed:
            write(f"Continues the run that {run.state_file.name} belongs to.", sys.stderr)
        else:
            self._print_contents(run.counts, backfill, sys.stderr)
        return run

    def _create_client(self) -> CMSClient:
        try:
            settings = Configuration()
            if not settings.enabled:
                self.fail(SET_UP_WRONG, "tracking is disabled: remove CMS_ENABLED")
            if settings.access_token is None:  # the client names its arguments
                self.fail(SET_UP_WRONG, "CMS_BEARER_TOKEN is not set")
            return CMSClient(configuration=settings, on_outcome=self._note_outcome)
        except ApiValueError as error:
            self.fail(SET_UP_WRONG, str(error))

    def _note_outcome(self, outcome: Outcome) -> None:
        if outcome.type == "duplicate_event":
            self._already_recorded += 1

    def _note_error(self, line: int, error: str) -> None:
        self._invalid += 1
        if len(self._errors) < _MAX_SHOWN or (self._arguments.json and self._arguments.dry_run):
            self._errors.append({"line": line, "error": error})

    def _print_errors(self) -> None:
        for each in self._errors[:_MAX_SHOWN]:
            write(f"{self._name}, line {each['line']}: {each['error']}", sys.stderr)
        if self._invalid > _MAX_SHOWN:
            write(f"and {self._invalid - _MAX_SHOWN:,} more rows that are not valid", sys.stderr)

    def _print_contents(self, counts: Counts, backfill: Backfill, stream: Any) -> None:
        write(f"{self._name}: {_describe(counts)}", stream)
        if backfill.converter.ignored:
            write(f"Columns that are not used: {_list(backfill.converter.ignored)}", stream)
        for message, number in backfill.converter.warnings.items():
            write(f"Warning, {_plural(number, 'row')}: {message}", stream)

    def _print_summary(
        self, progress: Progress, counts: Counts, rejects: Optional[Path], seconds: float
    ) -> None:
        if self._arguments.json:
            self._print_json(
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

    def _stop(self, code: int, reason: str, run: Run) -> int:
        write(f"{self._parser.prog}: {reason}", sys.stderr)
        write(
            f"The events that were not sent are kept in {run.state_file}: run the same command "
            "again to continue.",
            sys.stderr,
        )
        return code

    def _estimate(self, events: int) -> Optional[float]:
        """Return how many seconds sending takes; None without a limit of the rate."""
        rate = self._arguments.per_minute
        return 60 * events / rate if rate else None

    def _read_pairs(self, option: str, pairs: list[str]) -> dict[str, str]:
        names = {spelling: name for name in FIELDS for spelling in (name, to_camel(name))}
        found: dict[str, str] = {}
        for pair in pairs:
            name, separator, value = pair.partition("=")
            if not separator or name not in names:
                self._parser.error(
                    f"{option} needs FIELD=..., with one of the fields {', '.join(FIELDS)}"
                )
            if names[name] in found:
                self._parser.error(f"{option} has {names[name]} twice")
            found[names[name]] = value
        return found

    def _print_json(self, document: dict[str, Any]) -> None:
        write(json.dumps(document, indent=2), sys.stdout)


def _explain(progress: Progress, run: Run) -> str:
    """Return why the set-up seems to be wrong, and what to do."""
    if progress.rejected_in_a_row >= MAX_REJECTED_IN_A_ROW:
        return (
            f"stopped, as the service rejected {progress.rejected_in_a_row} events in a row, the "
            f"last with {progress.reason}. `cutmeshort outbox list {run.state_file}` shows why."
        )
    return f"stopped: {progress.reason}. `cutmeshort doctor` checks the set-up."


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
