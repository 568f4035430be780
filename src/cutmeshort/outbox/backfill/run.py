"""Backfill: sends the events of a file, in one or more runs."""

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional, Union

from ...client import CMSClient
from ...exceptions import ApiValueError
from ..delivery import Deliverer
from ..events import QueuedEvent
from .csv_file import CsvFile
from .files import BOM, Row, first_bytes
from .json_lines import JsonLinesFile
from .rows import Converter, RowOptions
from .state import TIMEOUT, Counts, State

POLL = 0.1  # seconds between updates of the progress

OnReject = Callable[[int, str], object]


@dataclass(frozen=True)
class Progress:
    """
    The progress of the delivery.

    Attributes:
        total: The number of events to send.
        delivered: The number of events that were delivered, in all runs.
        rejected: The number of rows that are not valid, and of events that the service rejected.
        waiting: The number of events that wait for delivery.
        per_minute: The current rate in events per minute; 0 if it is not known yet.
        pause: Seconds until the next attempt if delivery pauses because of a failure; otherwise 0.
        reason: The `type` of the result that caused the pause; None without a pause.
        is_set_up_wrong: Whether the run ends because a person must correct the set-up.
        rejected_in_a_row: The number of events that the service rejected since it last accepted
            one. If there are too many, the set-up seems to be wrong.
    """

    total: int
    delivered: int
    rejected: int
    waiting: int
    per_minute: float
    pause: float = 0.0
    reason: Optional[str] = None
    is_set_up_wrong: bool = False
    rejected_in_a_row: int = 0

    @property
    def seconds_left(self) -> Optional[float]:
        """Seconds that the waiting events take at this rate; None if it is not known yet."""
        return self.pause + 60 * self.waiting / self.per_minute if self.per_minute else None


class Backfill:
    """
    Sends the events of a CSV or JSON Lines file.

    Args:
        path: The file.
        options: How its rows become events.

    Attributes:
        converter: After the rows were read, it has the ignored columns and the warnings.
        rejects: The path of the file for rejected rows.

    Raises:
        ApiValueError: The file can't be read, or a column is missing.
    """

    def __init__(self, path: Path, options: RowOptions) -> None:
        self.path = path
        self._options = options
        self._file = _open(path)
        self.converter = Converter(options, self._file.columns)
        self.rejects = path.with_name(f"{path.name}.rejected{self._file.suffix}")

    def check(self, on_reject: OnReject) -> Counts:
        """
        Validate every row, and write nothing.

        Args:
            on_reject: Called for each row that is not valid, with its line and the reason.

        Raises:
            ApiValueError: The file can't be read to its end.
        """
        counts, keys = Counts(), set()
        for event in self._events(counts, on_reject):
            counts.add(event, is_duplicate=event.key in keys)
            keys.add(event.key)
        return counts

    def start(self, on_reject: OnReject) -> "Run":
        """
        Import the file, unless an earlier run has done so.

        Raises:
            ApiValueError: The file can't be read to its end, another process runs its backfill, the
                file or the options have changed since an earlier run, no row is valid, or the file
                of rejected rows already exists.
        """
        state = State(self.path, self._options)
        state.lock()
        try:
            counts = state.load()
            is_resumed = counts is not None
            return Run(self, state, counts or self._import(state, on_reject), is_resumed=is_resumed)
        except BaseException:
            state.close()
            raise

    def write_rejects(self, dead: dict[str, str]) -> None:
        """
        Write the rows that are not valid, and those whose event the service rejected.

        Args:
            dead: Why the service rejected events, by key.
        """
        part = self.rejects.with_name(f"{self.rejects.name}.part")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with open(  # noqa: PTH123 - for the mode
            os.open(part, flags, 0o600), "w", encoding=self._file.encoding, newline=""
        ) as file:
            self._file.write(file, self._rejected(dict(dead)))
        part.replace(self.rejects)

    def _import(self, state: State, on_reject: OnReject) -> Counts:
        if self.rejects.exists():
            raise ApiValueError(
                f"{self.rejects.name} already exists, and this run may need to write it: move or "
                "delete it"
            )
        counts = Counts()
        state.create(self._events(counts, on_reject), counts)
        if not counts.total:
            state.remove()
            raise ApiValueError(f"no row of {self.path.name} is valid; nothing was sent")
        return counts

    def _rejected(self, dead: dict[str, str]) -> Iterator[tuple[Row, str]]:
        for row in self._file.rows():
            converted = self.converter.convert(row)
            key = converted.event.key if converted.event else ""
            error = dead.pop(key, "") if key else converted.error
            if error:
                yield row, error

    def _events(self, counts: Counts, on_reject: OnReject) -> Iterator[QueuedEvent]:
        for row in self._file.rows():
            counts.rows += 1
            converted = self.converter.convert(row)
            if converted.event is not None:
                yield converted.event
            else:
                counts.invalid += 1
                on_reject(row.line, converted.error)


class Run:
    """
    One run of a backfill whose events are imported.

    Attributes:
        counts: What the file contains.
        is_resumed: Whether an earlier run imported them.
        state_file: The path of the state.
    """

    def __init__(
        self, backfill: Backfill, state: State, counts: Counts, *, is_resumed: bool
    ) -> None:
        self._backfill = backfill
        self._state = state
        self.counts = counts
        self.is_resumed = is_resumed
        self.state_file = state.path

    def deliver(
        self, client: CMSClient, per_minute: int, show: Callable[[Progress], object]
    ) -> Progress:
        """
        Send the events until none waits, or until the set-up seems to be wrong.

        Args:
            client: The client that sends them.
            per_minute: The maximum number of requests per minute; 0 for no limit.
            show: Called several times per second.

        Raises:
            BackfillError: The state was deleted during the run.
        """
        deliverer = Deliverer(self._state.storage, client, per_minute=per_minute)
        stop = threading.Event()
        thread = threading.Thread(target=deliverer.run, args=(stop,), daemon=True)
        started, before = time.monotonic(), self._state.summary()["delivered"]
        thread.start()
        try:
            while True:
                looked = time.monotonic()
                progress = self._progress(deliverer, started, before)
                show(progress)
                if not progress.waiting or progress.is_set_up_wrong:
                    break
                # Counting the events of a large file takes a while.
                time.sleep(max(POLL, 10 * (time.monotonic() - looked)))
        finally:
            stop.set()
            thread.join()
        return self._progress(deliverer, started, before)

    def finish(self) -> Optional[Path]:
        """
        Write the rejected rows, and remove the state; return the path of the file of rejected rows.

        Raises:
            BackfillError: The input was changed during the run. The state is kept.
        """
        dead = self._dead()
        if dead or self.counts.invalid:
            self._state.check_input()
            self._backfill.write_rejects(dead)
        self._state.remove()
        return self._backfill.rejects if dead or self.counts.invalid else None

    def close(self) -> None:
        """Close the state, so that the next run can continue with it."""
        self._state.close()

    def _progress(self, deliverer: Deliverer, started: float, before: int) -> Progress:
        summary = self._state.summary()
        now = time.monotonic()
        delivered = summary["delivered"]
        measured = 60 * (delivered - before) / max(now - started, POLL)
        pause = max(0.0, deliverer.pacing.paused_until - now) if deliverer.reason else 0.0
        return Progress(
            total=self.counts.total,
            delivered=delivered,
            rejected=self.counts.invalid + summary["dead"],
            waiting=summary["waiting"],
            per_minute=deliverer.pacing.rate(now) or measured,
            pause=pause,
            reason=deliverer.reason if pause else None,
            is_set_up_wrong=deliverer.is_set_up_wrong and summary["waiting"] > 0,
            rejected_in_a_row=deliverer.streak.rejections,
        )

    def _dead(self) -> dict[str, str]:
        """Return why the service rejected events, by key."""
        dead: dict[str, str] = {}
        last = 0
        while page := self._state.storage.list(TIMEOUT, dead=True, after=last):
            dead.update((each.key, f"{each.reason}: {each.message}") for each in page)
            last = page[-1].id
        return dead


def _open(path: Path) -> Union[CsvFile, JsonLinesFile]:
    """Open a file as JSON Lines if it begins with `{` or has that suffix, otherwise as CSV."""
    beginning = first_bytes(path).removeprefix(BOM).lstrip()
    if not beginning:
        raise ApiValueError(f"{path.name} is empty")
    if beginning.startswith(b"{") or path.suffix in (".jsonl", ".ndjson"):
        return JsonLinesFile(path)
    return CsvFile(path)
