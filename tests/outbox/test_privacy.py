"""No byte of a customer's data is in a file or in the log after the delivery."""

import random
import re
from pathlib import Path
from sqlite3 import Connection, OperationalError

import pytest

from cutmeshort.outbox import Outbox, QueuedEvent
from cutmeshort.outbox import storage as module
from cutmeshort.outbox.storage import Storage, StoredEvent

from ..support.timing import LONG
from .events import deliver_all, name_of, open_storage, put, queued, take

NAME = "Secretson"
MARKER = "zebra"


def numbers_in(path: Path) -> set[int]:
    """Return the numbers of the events of which a file has data."""
    return {int(number) for number in re.findall(rb"zebra(\d+);", path.read_bytes())}


@pytest.mark.parametrize("last", ["delivered", "purge", "purge dead letters"])
def test_erased_events_leave_no_data_beside_others(last: str, path: Path) -> None:
    """After an hour or a purge, nothing is left of erased events next to those that remain."""
    for seed in range(10):
        chooser = random.Random(seed)
        storage = open_storage(path)
        stored: list[StoredEvent] = []
        for number in range(60):
            avatar = f"https://a/{'zebra' * chooser.choice((1, 20, 100, 300))}{number};"
            payload = queued(number).payload().model_copy(update={"customer_avatar": avatar})
            put(storage, QueuedEvent.create(payload))
            stored.append(take(storage))
            storage.defer(stored[-1], 1, LONG)
        chooser.shuffle(stored)
        for event in stored[:40]:
            storage.delivered(event, LONG)
        storage.dead(stored[40], "not_valid", "", LONG)
        if last == "delivered":
            storage.close()
            storage = open_storage(path)
            storage.delivered(stored[40], LONG)
        elif last == "purge":
            assert storage.purge(stored[40].event.customer, LONG) == 1
        else:
            assert storage.purge(None, LONG) == 1
        kept = [int(name_of(each.event).split()[1]) for each in stored[41:]]
        assert numbers_in(path) == set(kept)
        assert deliver_all(storage) == [f"Event {number}" for number in sorted(kept)]
        storage.close()
        path.unlink()


def test_the_delivery_does_not_need_the_space_to_overwrite(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk without space for it, or a file with many events, does not hinder the delivery."""
    put(storage, *(queued(number) for number in range(3)))

    def fail(_connection: Connection) -> None:
        raise OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(module, "_scrub", fail)
        storage.delivered(take(storage), LONG)
    monkeypatch.setattr(module, "_MAX_SCRUBBED", 0)
    storage.purge(take(storage).event.customer, LONG)
    assert deliver_all(storage) == ["Event 2"]


@pytest.mark.parametrize("seed", range(5))
def test_delivered_events_leave_no_data(
    seed: int, path: Path, log: pytest.LogCaptureFixture
) -> None:
    """Whatever the sizes of the bodies and the order of calls, nothing is left, not even a part."""
    chooser = random.Random(seed)
    with Outbox(path) as outbox:
        storage = outbox.storage
        for number in range(150):
            event = queued(number, f"{MARKER}_{NAME}_{chooser.randrange(9)}")
            avatar = f"https://{MARKER}/{MARKER * chooser.choice((1, 50, 200, 400))}"
            changes = {"customer_name": f"{MARKER} {NAME}", "customer_avatar": avatar}
            assert outbox.track(event.payload().model_copy(update=changes))["success"]
            stored = storage.next(LONG)
            if stored is not None and chooser.random() < 0.7:
                storage.note_attempt(stored, LONG)
                outcome = chooser.randrange(3)
                if outcome == 0:
                    storage.delivered(stored, LONG)
                elif outcome == 1:
                    storage.dead(stored, "not_valid", "", LONG)
                else:
                    storage.defer(stored, 1, LONG)
            if number % 50 == 0:
                storage.retry(None, LONG)
        assert path.read_bytes().count(MARKER.encode()) > 100
        assert outbox.events(dead=True)
        storage.retry(None, LONG)
        assert deliver_all(storage)
        assert outbox.status()["waiting"] == 0
        # While the file is open, and after that.
        for _ in range(2):
            for file in path.parent.iterdir():
                found = file.read_bytes()
                assert not any(part in found for part in (b"zebra", b"ebraz", b"Secret", b"https"))
            outbox.close()
    assert log.records
    for record in log.records:
        assert MARKER not in str(vars(record))
        assert NAME not in str(vars(record))
