"""`cutmeshort backfill`: sends the past events of a CSV or JSON Lines file."""

import argparse
import sqlite3
import time
from pathlib import Path
from typing import NoReturn

from pydantic.alias_generators import to_camel

from ..checks import check_count
from ..client import CMSClient
from ..configuration import Configuration
from ..exceptions import ApiValueError
from ..operations import OPERATIONS
from ..outbox.backfill import FIELDS, Backfill, BackfillError, RowOptions, Run
from ..outbox.policy import PER_MINUTE
from .backfill_display import choose_display
from .backfill_report import Report

DELIVERED = 0
REJECTED = 1
BAD_INPUT = 2
SET_UP_WRONG = 3
INTERRUPTED = 130

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
        "currency, otherwise leads.",
    )
    parser.add_argument(
        "--major-units",
        action="store_true",
        help="Amounts are in the major unit: 49.99 for 49.99 USD. Default: in the minor unit: "
        "4999.",
    )
    parser.add_argument(
        "--now",
        action="store_true",
        help="Record events without a timestamp as of today. Default: reject them.",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="Validate every row, and send and write nothing."
    )
    parser.add_argument(
        "--per-minute",
        metavar="NUMBER",
        type=int,
        default=PER_MINUTE,
        help="The maximum number of requests per minute; 0 for no limit. Default: %(default)s. The "
        "service accepts 60 per user.",
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
        self._per_minute: int = arguments.per_minute
        self._report = Report(arguments.file.name, arguments.json)

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
        """Validate every row, and print the summary of a dry run."""
        counts = backfill.check(self._report.note_error)
        self._report.print_check(counts, backfill.converter, self._per_minute)
        if not counts.total:
            return BAD_INPUT
        return REJECTED if counts.invalid else DELIVERED

    def send(self, backfill: Backfill) -> int:
        """Send the events, and print a summary."""
        started = time.monotonic()
        with self._create_client() as client:
            run = self._start(backfill)
            try:
                with choose_display(backfill.path.name) as display:
                    progress = run.deliver(client, self._per_minute, display.show)
                if progress.is_set_up_wrong:
                    self._report.print_set_up_wrong(progress, run.state_file)
                    return SET_UP_WRONG
                rejects = run.finish()
            except KeyboardInterrupt:
                self._report.print_stop("interrupted.", run.state_file)
                return INTERRUPTED
            finally:
                run.close()
        self._report.print_summary(progress, run.counts, rejects, time.monotonic() - started)
        return DELIVERED if rejects is None else REJECTED

    def _start(self, backfill: Backfill) -> Run:
        try:
            run = backfill.start(self._report.note_error)
        except KeyboardInterrupt:
            self.fail(INTERRUPTED, "interrupted; nothing was sent")
        finally:
            self._report.print_errors()
        self._report.print_start(run, backfill.converter)
        return run

    def _create_client(self) -> CMSClient:
        try:
            settings = Configuration()
            if not settings.enabled:
                self.fail(SET_UP_WRONG, "tracking is disabled: remove CMS_ENABLED")
            if settings.access_token is None:  # the error of the client would name its arguments
                self.fail(SET_UP_WRONG, "CMS_BEARER_TOKEN is not set")
            return CMSClient(configuration=settings, on_outcome=self._report.note_outcome)
        except ApiValueError as error:
            self.fail(SET_UP_WRONG, str(error))

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
