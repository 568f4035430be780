"""The Deliverer sends the events of a real file to a real server, in fast motion."""

import json
import logging
import math
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any, Callable

import pytest

from cutmeshort import ApiValueError, CMSClient
from cutmeshort.outbox import Outbox
from cutmeshort.outbox import delivery as module
from cutmeshort.outbox.delivery import Deliverer
from cutmeshort.outbox.storage import StoredEvent

from ..support.events import CUSTOMER, SECRETS, TOKEN, client_of, lead, sale
from ..support.logs import lines
from ..support.server import OK, Connection, Server, Step, drop, respond
from ..support.timing import Clock
from .events import take
from .fast import FastStop, dead_letters, deliver, query, waiting

DAY = 86_400.0


def add(outbox: Outbox, number: int, customer: str = "user_42") -> None:
    """Add a sale with the invoice `inv_NUMBER`."""
    result = sale(outbox, invoice_id=f"inv_{number}", customer_external_id=customer)
    assert result["success"], result


def invoices(server: Server) -> list[str]:
    """Return the invoices of all requests, in order."""
    return [request.json["invoiceId"] for request in server.requests]


def by_invoice(**steps: Step) -> Step:
    """Use a step for each invoice, and record all others."""

    def step(connection: Connection) -> bool:
        assert connection.request is not None
        return steps.get(connection.request.json["invoiceId"], OK)(connection)

    return step


def test_events_are_delivered_in_order_and_erased(outbox: Outbox, clock: Clock) -> None:
    """The deliverer sends each event once, as it was handed over, and removes it from the file."""
    for number in range(5):
        add(outbox, number)
    lead(outbox, **CUSTOMER)
    with Server(OK) as server, client_of(server) as client:
        deliver(outbox, client, clock)
        assert [request.target for request in server.requests][4:] == ["/track/sale", "/track/lead"]
        assert server.requests[5].json["customerEmail"] == CUSTOMER["customer_email"]
        assert server.requests[5].json["timestamp"]
    assert query(outbox, "SELECT * FROM events") == []
    assert query(outbox, "SELECT value FROM delivery WHERE name = 'delivered'") == [(6,)]


def test_requests_are_spaced(outbox: Outbox, clock: Clock) -> None:
    """With 50 per minute, eleven events take twelve seconds."""
    for number in range(11):
        add(outbox, number)
    times: list[float] = []

    def step(connection: Connection) -> bool:
        times.append(clock.monotonic())
        return OK(connection)

    with Server(step) as server, client_of(server) as client:
        deliver(outbox, client, clock, per_minute=50)
    assert times == pytest.approx([1.2 * number for number in range(11)])


def test_other_customers_overtake_an_event_that_fails(outbox: Outbox, clock: Clock) -> None:
    """A later event of the same customer waits for one that fails, others do not."""
    add(outbox, 1, "ann")
    add(outbox, 2, "ann")
    add(outbox, 3, "bob")
    responses = iter([respond(503), drop, OK])

    def step(connection: Connection) -> bool:
        return next(responses)(connection)

    with Server(by_invoice(inv_1=step)) as server, client_of(server) as client:
        deliver(outbox, client, clock)
        assert invoices(server) == ["inv_1", "inv_3", "inv_1", "inv_1", "inv_2"]
    assert clock.monotonic() == pytest.approx(15, abs=2)  # 5 and 10 seconds


@pytest.mark.parametrize("status", [401, 429])
def test_a_conflict_after_a_rejected_attempt(outbox: Outbox, clock: Clock, status: int) -> None:
    """After an attempt that the service rejected, a 409 does not show that it has the event."""
    add(outbox, 1)
    with Server(respond(status), respond(409)) as server, client_of(server) as client:
        deliver(outbox, client, clock, seconds=5)
        deliver(outbox, client, clock)
        assert invoices(server) == ["inv_1", "inv_1"]
    assert dead_letters(outbox) == [(1, "conflict")]


def test_a_rate_limit_stops_all_events(
    outbox: Outbox, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """After a 429, nothing is sent for Retry-After, and then the same event is first."""
    caplog.set_level(logging.INFO)
    add(outbox, 1, "ann")
    add(outbox, 2, "bob")
    steps = [respond(429, headers={"Retry-After": "30"}), OK]
    with Server(*steps) as server, client_of(server) as client:
        deliver(outbox, client, clock, seconds=29)
        assert invoices(server) == ["inv_1"]
        deliver(outbox, client, clock, per_minute=50)
        assert invoices(server) == ["inv_1", "inv_1", "inv_2"]


def test_the_pause_is_reported(outbox: Outbox, clock: Clock) -> None:
    """During a pause, the file says why delivery pauses, until when, and at which rate."""
    add(outbox, 1)
    steps = [respond(429, headers={"Retry-After": "30"}), OK]
    with Server(*steps) as server, client_of(server) as client:
        before = time.time()
        deliver(outbox, client, clock, seconds=1, per_minute=50)
        report = dict(query(outbox, "SELECT * FROM delivery"))
        assert report["reason"] == "rate_limit_exceeded"
        assert report["per_minute"] == 25
        assert before + 29 < report["pause_until"] < time.time() + 39
        deliver(outbox, client, clock, per_minute=50)
    report = dict(query(outbox, "SELECT * FROM delivery"))
    assert (report["reason"], report["pause_until"], report["per_minute"]) == (None, None, 50)


def test_an_idle_deliverer_writes_nothing(outbox: Outbox, clock: Clock) -> None:
    """While no event waits, the deliverer does not write to the file."""
    versions = []
    with closing(sqlite3.connect(outbox.storage.path)) as other, CMSClient(TOKEN) as client:

        def is_enough() -> bool:
            versions.extend(other.execute("PRAGMA data_version").fetchone())
            return len(versions) == 10

        Deliverer(outbox.storage, client).run(FastStop(clock, is_enough))
    assert len(set(versions)) == 1


def test_a_rejected_event_becomes_a_dead_letter(
    outbox: Outbox, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """The log warns of a dead letter without event data, and the customer's next event is sent."""
    caplog.set_level(logging.DEBUG)
    sale(outbox, **CUSTOMER)
    sale(outbox, **CUSTOMER, invoice_id="inv_2")
    error = respond(422, json={"error": f"bad {CUSTOMER['customer_email']}", "type": "bad_amount"})
    with Server(error, OK) as server, client_of(server) as client:
        deliver(outbox, client, clock)
        assert invoices(server) == ["inv_1", "inv_2"]
    assert dead_letters(outbox) == [(1, "bad_amount")]
    warnings = [each for each in lines(caplog, logging.WARNING) if "dead letter" in each]
    assert warnings == [
        "Event 1 (track_sale) is a dead letter: bad_amount. `cutmeshort outbox list` shows why"
    ]
    assert not [secret for secret in SECRETS if secret in caplog.text]


def test_an_interrupted_attempt_counts(outbox: Outbox, clock: Clock) -> None:
    """After a process died during an attempt, a 409 means that the service has the event."""
    add(outbox, 1)
    outbox.storage.note_attempt(take(outbox.storage), 1.0)
    with Server(respond(409)) as server, client_of(server) as client:
        deliver(outbox, client, clock)
    assert (waiting(outbox), dead_letters(outbox)) == (0, [])


@pytest.mark.parametrize(
    ("first", "is_recorded"),
    [
        (respond(401), False),
        (respond(425), False),
        (respond(429), False),
        (respond(422), False),
        (respond(409), False),
        (respond(200, json={"success": False}), False),
        (respond(200, b"<html>"), True),
        (respond(503), True),
        (drop, True),
    ],
    ids=["401", "425", "429", "422", "409", "not successful", "page", "503", "closed"],
)
def test_a_conflict_after_an_error(
    outbox: Outbox, clock: Clock, first: Step, is_recorded: bool
) -> None:
    """A 409 means that the service has the event if an earlier attempt may have been recorded."""
    add(outbox, 1)
    with Server(first, respond(409)) as server, client_of(server) as client:
        deliver(outbox, client, clock)
        outbox.retry()
        deliver(outbox, client, clock)
        assert len(server.requests) > 1
    assert dead_letters(outbox) == ([] if is_recorded else [(1, "conflict")])


def test_an_expired_event_was_not_sent(
    outbox: Outbox, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No attempt is counted for an event that expires."""
    add(outbox, 1)
    wall = time.time
    monkeypatch.setattr(time, "time", lambda: wall() + 31 * DAY)
    with Server(respond(409)) as server, client_of(server) as client:
        deliver(outbox, client, clock)
        assert query(outbox, "SELECT attempts FROM events") == [(0,)]
        outbox.retry()
        deliver(outbox, client, clock)
    assert dead_letters(outbox) == [(1, "conflict")]


def test_an_event_that_was_purged_is_not_sent(
    outbox: Outbox, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event that is removed after the deliverer has read it is not sent."""
    add(outbox, 1)
    note_attempt = outbox.storage.note_attempt

    def purge_first(stored: StoredEvent, timeout: float) -> bool:
        with sqlite3.connect(outbox.storage.path) as connection:
            connection.execute("DELETE FROM events")
        connection.close()
        return note_attempt(stored, timeout)

    monkeypatch.setattr(outbox.storage, "note_attempt", purge_first)
    with Server(OK) as server, client_of(server) as client:
        deliver(outbox, client, clock)
        assert not server.requests


def change(outbox: Outbox, assignment: str, *values: object) -> None:
    """Change all events in the file."""
    connection = sqlite3.connect(outbox.storage.path)
    with connection:
        connection.execute(f"UPDATE events SET {assignment}", values)
    connection.close()


def test_an_event_of_another_version_becomes_a_dead_letter(outbox: Outbox, clock: Clock) -> None:
    """An event that is not valid in this version is not sent, and keeps its data."""
    add(outbox, 1)
    body = json.dumps({"eventName": "Purchase", "newField": 1})
    change(outbox, "body = ?", body)
    with Server(OK) as server, client_of(server) as client:
        deliver(outbox, client, clock)
        assert not server.requests
    assert dead_letters(outbox) == [(1, "validation_error")]
    assert query(outbox, "SELECT body FROM events") == [(body,)]


@pytest.mark.parametrize(("days", "expired"), [(-400, False), (29.9, False), (30.1, True)], ids=str)
def test_the_wall_clock(
    outbox: Outbox, clock: Clock, monkeypatch: pytest.MonkeyPatch, days: float, expired: bool
) -> None:
    """After 30 days an event is not sent; a clock that was set back changes nothing."""
    add(outbox, 1)
    wall = time.time
    monkeypatch.setattr(time, "time", lambda: wall() + days * DAY)
    with Server(OK) as server, client_of(server) as client:
        deliver(outbox, client, clock)
        assert len(server.requests) == (not expired)
    assert dead_letters(outbox) == ([(1, "expired")] if expired else [])


def test_a_wrong_token_stops_delivery(
    outbox: Outbox, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """With a wrong token, one event is tried every five minutes, and the log has one error."""
    caplog.set_level(logging.INFO)
    for number in range(3):
        add(outbox, number, f"user_{number}")
    steps = [respond(401, json={"error": TOKEN})] * 5
    with Server(*steps, OK) as server, client_of(server) as client:
        deliver(outbox, client, clock, seconds=700)
        assert invoices(server) == ["inv_0", "inv_1", "inv_2"]
        deliver(outbox, client, clock, seconds=350)
        assert invoices(server)[3:] == ["inv_0", "inv_1"]  # at once after a start
        assert query(outbox, "SELECT failures FROM events") == [(0,)] * 3
        deliver(outbox, client, clock)
    assert waiting(outbox) == 0
    errors = lines(caplog, logging.ERROR)
    assert [each.partition(". ")[0] for each in errors] == [
        "Delivery stops: unauthorized",
    ] * 2
    assert "cutmeshort doctor" in errors[0]


def test_delivery_resumes_when_the_set_up_is_right(
    outbox: Outbox, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """When an event is tracked again, the log says so, and a later error is logged again."""
    caplog.set_level(logging.INFO)
    for number in range(3):
        add(outbox, number, f"user_{number}")
    steps = [respond(403), respond(403), OK, respond(404), OK]
    with Server(*steps) as server, client_of(server) as client:
        deliver(outbox, client, clock)
    log = [each[:20] for each in lines(caplog, logging.INFO) if each.startswith("Delivery")]
    assert log == [
        "Delivery stops: forb",
        "Delivery pauses for ",
        "Delivery resumes",
        "Delivery stops: not_",
        "Delivery resumes",
    ]


def test_an_event_that_always_fails_does_not_stop_others(outbox: Outbox, clock: Clock) -> None:
    """If a firewall rejects one event with 403, the others are still delivered."""
    for number in range(4):
        add(outbox, number, f"user_{number}")
    with Server(by_invoice(inv_0=respond(403))) as server, client_of(server) as client:
        deliver(outbox, client, clock, seconds=3600)
        assert invoices(server)[:4] == ["inv_0", "inv_1", "inv_2", "inv_3"]
    assert waiting(outbox) == 1


@pytest.mark.parametrize(("status", "number"), [(403, 4), (422, 24), (500, 15)])
def test_events_that_always_fail_do_not_stop_others(
    outbox: Outbox, clock: Clock, status: int, number: int
) -> None:
    """If the oldest events always fail, the deliverer sends the others after each has failed."""
    for each in range(number + 10):
        add(outbox, each, f"user_{each}")
    steps = {f"inv_{each}": respond(status) for each in range(number)}
    with Server(by_invoice(**steps)) as server, client_of(server) as client:
        deliver(outbox, client, clock, seconds=4 * 3600, per_minute=50)
        expected = [f"inv_{each}" for each in range(number + 10)]
        assert invoices(server)[: number + 10] == expected
    assert query(outbox, "SELECT value FROM delivery WHERE name = 'delivered'") == [(10,)]


def test_many_rejections_stop_delivery(
    outbox: Outbox, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """After 20 rejections in a row, no other event becomes a dead letter until one is tracked."""
    for number in range(25):
        add(outbox, number, f"user_{number}")
    steps = [respond(422)] * 22 + [OK]
    with Server(*steps) as server, client_of(server) as client:
        deliver(outbox, client, clock)
    assert len(dead_letters(outbox)) == 20
    assert query(outbox, "SELECT value FROM delivery WHERE name = 'delivered'") == [(5,)]
    assert len(lines(caplog, logging.ERROR)) == 1


def _locked(path: str) -> Callable[[], None]:
    """Lock the file, as a hanging process does; return a function that releases the lock."""
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    return other.close


def _full(_path: str) -> Callable[[], None]:
    """Limit the size of files, as a full disk does; return a function that ends the limit."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, hard))
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("make_fault", [_locked, _full])
def test_an_outcome_that_can_not_be_recorded(
    outbox: Outbox,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    make_fault: Callable[[str], Callable[[], None]],
) -> None:
    """If the file can't be written after an event was sent, it is recorded later, and sent once."""
    monkeypatch.setattr(module, "STORAGE_TIMEOUT", 0.05)
    caplog.set_level(logging.INFO)
    add(outbox, 1)
    add(outbox, 2)
    ends: list[Callable[[], None]] = []

    def step(connection: Connection) -> bool:
        if not ends:
            ends.append(make_fault(outbox.storage.path))
        return OK(connection)

    waits = 0

    class Stop(threading.Event):
        def wait(self, timeout: Any = None) -> bool:
            nonlocal waits
            clock.advance(timeout)
            waits += 1
            if waits == 3:
                ends[0]()
            elif waits > 3 and not waiting(outbox):
                self.set()
            return self.is_set()

    with Server(step) as server, client_of(server) as client:
        Deliverer(outbox.storage, client, per_minute=0).run(Stop())
        assert invoices(server) == ["inv_1", "inv_2"]
    log = [each for each in lines(caplog, logging.INFO) if "file" in each]
    assert [each.partition(", ")[0] for each in log] == [
        "Delivery can't use the outbox file",
        "Delivery can use the outbox file again",
    ]


def test_a_bug_does_not_end_delivery(
    outbox: Outbox, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """An unexpected exception is logged once, without its text, and the event is tried again."""
    failures = [RuntimeError(TOKEN), RuntimeError(TOKEN)]

    class Client(CMSClient):
        def track(self, *arguments: Any, **options: Any) -> Any:
            if failures:
                raise failures.pop()
            return super().track(*arguments, **options)

    add(outbox, 1)
    with Server(OK) as server, Client(TOKEN, server.url) as client:
        deliver(outbox, client, clock)
    assert waiting(outbox) == 0
    (error,) = lines(caplog, logging.ERROR)
    assert error.startswith("RuntimeError in the delivery")
    assert TOKEN not in error


def test_a_full_outbox_is_delivered(path: Path, clock: Clock) -> None:
    """An outbox at its size limit accepts no event, but its events are delivered."""
    number = 0
    with Outbox(path, max_bytes=65_536) as outbox:
        while sale(outbox, invoice_id=number, customer_name="x" * 250)["success"]:
            number += 1
        assert number > 20
        with Server(OK) as server, client_of(server) as client:
            deliver(outbox, client, clock)
            assert len(server.requests) == number
        assert sale(outbox, invoice_id=number)["success"]


@pytest.mark.parametrize("remove", [Path.unlink, lambda path: path.rename(f"{path}.old")])
def test_the_file_is_replaced_during_a_call(
    outbox: Outbox, clock: Clock, path: Path, remove: Callable[[Path], object]
) -> None:
    """If the file is deleted or moved during a call, an event in the new file is also delivered."""

    def step(connection: Connection) -> bool:
        remove(path)
        add(outbox, 2)
        return OK(connection)

    add(outbox, 1)
    with Server(step, OK) as server, client_of(server) as client:
        deliver(outbox, client, clock)
        assert invoices(server) == ["inv_1", "inv_2"]


def test_a_file_that_was_moved_comes_back(outbox: Outbox, clock: Clock, path: Path) -> None:
    """An event that failed is delivered, too, if its file was away when its wait ended."""
    add(outbox, 1)
    moved = path.with_suffix(".old")
    actions = iter([lambda: path.rename(moved), lambda: moved.replace(path)])
    times = iter([2, 100])
    next_time = next(times)

    def until() -> bool:
        nonlocal next_time
        if clock.monotonic() > next_time:
            next(actions)()
            next_time = next(times, math.inf)
        return clock.monotonic() > 200

    with Server(respond(503), OK) as server, client_of(server) as client:
        Deliverer(outbox.storage, client, per_minute=0).run(FastStop(clock, until))
        assert invoices(server) == ["inv_1", "inv_1"]
    assert waiting(outbox) == 0


@pytest.mark.parametrize("value", [-1, 1.5, "50", None])
def test_an_invalid_rate(outbox: Outbox, value: Any) -> None:
    """A rate that is not a whole number of 0 or more is rejected at once."""
    with pytest.raises(ApiValueError, match="per_minute"):
        outbox.delivering(per_minute=value)
