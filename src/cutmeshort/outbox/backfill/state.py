"""The state of a backfill: an outbox file beside the input."""

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any, Optional

from ...exceptions import ApiValueError
from ...operations import OPERATIONS
from ..events import QueuedEvent
from ..lock import DeliveryLock
from ..storage import Storage
from .rows import RowOptions

TIMEOUT = 60.0  # seconds to wait for the file, which only the user's own tools can lock
_MAX_BYTES = 2**40
_BATCH = 10_000  # events per transaction
_EVENT_NAMES = {operation.name: operation.event for operation in OPERATIONS}
_INPUT, _OPTIONS, _COUNTS = "backfill_input", "backfill_options", "backfill_counts"


class BackfillError(Exception):
    """A run can't continue until a person has corrected something; the state is kept."""


@dataclass
class Counts:
    """
    What a file contains.

    Attributes:
        rows: The number of rows.
        invalid: The number of rows that are not valid.
        duplicates: The number of rows whose event is the same as that of an earlier row.
        events: The number of other events, by `lead` or `sale`.
    """

    rows: int = 0
    invalid: int = 0
    duplicates: int = 0
    events: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """The number of events to send."""
        return sum(self.events.values())

    def add(self, event: QueuedEvent, is_duplicate: bool) -> None:
        """Count a valid row."""
        if is_duplicate:
            self.duplicates += 1
        else:
            name = _EVENT_NAMES[event.operation]
            self.events[name] = self.events.get(name, 0) + 1


class State:
    """
    The outbox file of a backfill. It exists from the end of the import to that of the delivery.

    Args:
        path: The input.
        options: How its rows become events.
    """

    def __init__(self, path: Path, options: RowOptions) -> None:
        self._input = path
        self._options = options
        self.path = path.with_name(f"{path.name}.outbox")
        self._part = path.with_name(f"{path.name}.outbox.part")
        self._lock = DeliveryLock(str(self.path))
        self._fingerprint = self._read_fingerprint()
        self.storage = _open(self.path)

    def lock(self) -> None:
        """
        Exclude other processes.

        Raises:
            ApiValueError: Another process runs this backfill, or the directory is not writable.
        """
        try:
            is_locked = self._lock.acquire()
        except OSError as error:
            raise ApiValueError(f"{self.path.name} can't be created: {error.strerror}") from None
        if not is_locked:
            raise ApiValueError(f"another process runs the backfill of {self._input.name}")

    def load(self) -> Optional[Counts]:
        """
        Return what an earlier run imported; None if there was none.

        Raises:
            ApiValueError: The input or the options have changed since that run, or the file is not
                the state of a backfill.
        """
        if not self.path.exists():
            return None
        known = self.storage.summary(TIMEOUT)
        if _COUNTS not in known:
            if not (known["waiting"] or known["dead"] or known["delivered"]):
                self._remove_storage()
                return None
            raise ApiValueError(
                f"{self.path.name} exists, and is not the state of a backfill: move it to another "
                "directory"
            )
        input_hash, options_hash = self._fingerprint
        for changed, name in (
            (known[_INPUT] != input_hash, f"{self._input.name} has changed"),
            (known[_OPTIONS] != options_hash, "the options have changed"),
        ):
            if changed:
                raise ApiValueError(
                    f"{name} since the run that {self.path.name} belongs to. Finish that run with "
                    f"the earlier file and options, or delete {self.path.name} to start again: the "
                    "service deduplicates what was sent"
                )
        return Counts(**json.loads(known[_COUNTS]))

    def summary(self) -> dict[str, Any]:
        """
        Return the summary of the storage.

        Raises:
            BackfillError: The file was deleted or replaced.
        """
        values = self.storage.summary(TIMEOUT)
        if _COUNTS not in values:  # the storage has created a new file
            raise BackfillError(
                f"{self.path.name} was deleted during the run: run the same command again, which "
                "sends all events again; the service deduplicates them"
            )
        return values

    def create(self, events: Iterable[QueuedEvent], counts: Counts) -> None:
        """Import all events. If the process dies meanwhile, the next run begins again."""
        _remove(self._part)
        storage = _open(self._part)
        try:
            source = iter(events)
            while batch := list(islice(source, _BATCH)):
                for event, is_duplicate in zip(batch, storage.put(batch, TIMEOUT)):
                    counts.add(event, is_duplicate)
            input_hash, options_hash = self._fingerprint
            noted = {_INPUT: input_hash, _OPTIONS: options_hash}
            storage.report({**noted, _COUNTS: json.dumps(asdict(counts))}, TIMEOUT)
        except BaseException:
            storage.close()
            _remove(self._part)
            raise
        storage.close()
        self._part.replace(self.path)
        _remove(self._part)

    def check_input(self) -> None:
        """Raise BackfillError if the input has changed since the start."""
        if self._read_fingerprint() != self._fingerprint:
            raise BackfillError(
                f"{self._input.name} was changed during the run: restore it, and run the same "
                "command again"
            )

    def remove(self) -> None:
        """Delete the file and its journal, and close the state."""
        self._remove_storage()
        self.close()

    def close(self) -> None:
        """Close the file and release the lock. The lock file stays only if the state does."""
        self.storage.close()
        if not self.path.exists():
            with suppress(OSError):  # Windows does not delete an open file
                Path(self._lock.path).unlink()
        self._lock.release()

    def _remove_storage(self) -> None:
        self.storage.close()
        _remove(self.path)

    def _read_fingerprint(self) -> tuple[str, str]:
        """Return the hashes of the input and of the options."""
        content = blake2b()
        with self._input.open("rb") as file:
            while block := file.read(2**20):
                content.update(block)
        options = json.dumps(asdict(self._options), sort_keys=True)
        return content.hexdigest(), blake2b(options.encode()).hexdigest()


def _open(path: Path) -> Storage:
    return Storage(str(path), max_bytes=_MAX_BYTES)


def _remove(path: Path) -> None:
    """Delete an outbox file, if it exists, and its journal."""
    for each in (path, path.with_name(f"{path.name}-journal")):
        with suppress(FileNotFoundError):
            each.unlink()
