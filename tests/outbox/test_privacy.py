"""No byte of a customer's data is in a file or in the log after the delivery."""

import random
from pathlib import Path

import pytest

from cutmeshort.outbox import Outbox

from ..support.timing import LONG
from .events import deliver_all, queued

NAME = "Secretson"
MARKER = "zebra"


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
