"""The event commits with the order, and the relay copies it to the outbox: with each database."""

import logging
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, make_url

from cutmeshort import Outcome
from cutmeshort.integrations.relay import MAX_WAIT, PAGE
from cutmeshort.outbox import Outbox

from ..support.events import CUSTOMER, SALE_PAYLOAD, SECRETS
from ..support.postgres import Postgres, postgres
from ..support.timing import LONG, SLACK, Clock, timed
from .databases import DATABASES, EVENTS, Database, Rounds

QUEUED = {
    "success": True,
    "message": "Queued for delivery",
    "data": {"queued": True, "duplicate": False},
}


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """A server of PostgreSQL."""
    with postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> URL:
    """The URL of a database."""
    if request.param == "sqlite":
        return make_url(f"sqlite:///{tmp_path / 'shop.sqlite3'}")
    server: Postgres = request.getfixturevalue("server")
    return make_url(server.url)


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest, url: URL) -> Iterator[Database]:
    """An empty database."""
    database: Database = DATABASES[request.param](url)
    yield database
    database.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The path of the outbox."""
    return tmp_path / "outbox.db"


@pytest.fixture
def outbox(path: Path) -> Iterator[Outbox]:
    """An empty outbox."""
    with Outbox(path) as outbox:
        yield outbox


def waiting(outbox: Outbox) -> list[str]:
    """Deliver the events that are ready, one after the other, and return their invoices."""
    invoices = []
    while True:
        stored = outbox.storage.next(LONG)
        if stored is None:
            return invoices
        payload: Any = stored.event.payload()
        invoices.append(payload.invoice_id)
        outbox.storage.delivered(stored, LONG)


def reject(outbox: Outbox) -> None:
    """Make the next event a dead letter."""
    stored = outbox.storage.next(LONG)
    assert stored is not None
    outbox.storage.dead(stored, "bad_request", "", LONG)


def lose(outbox: Outbox, path: Path) -> None:
    """Delete the file of the outbox."""
    outbox.close()
    path.unlink()


class OrderFailedError(Exception):
    """The shop rolls back."""


def test_an_event_commits_with_the_order(database: Database, outbox: Outbox) -> None:
    """The event of a committed order is delivered, and its row is deleted."""
    with database.transaction():
        assert database.order("inv_1") == QUEUED
    assert database.rows() == 1
    invoices: list[str] = []
    database.run_relay(outbox, lambda: invoices.extend(waiting(outbox)))
    assert (invoices, database.orders()) == (["inv_1"], ["inv_1"])
    database.run_relay(outbox)
    assert database.rows() == 0
    assert waiting(outbox) == []


def test_an_order_that_is_rolled_back_has_no_event(database: Database) -> None:
    """A rolled-back transaction leaves no event, even if the event was inserted first."""
    with suppress(OrderFailedError), database.transaction():
        database.tracker().track_sale("Purchase", "user_42", "inv_0", 1, "USD")
        database.order("inv_1")
        raise OrderFailedError
    assert (database.orders(), database.rows()) == ([], 0)
    with suppress(OrderFailedError), database.transaction():
        database.tracker().track_sale("Purchase", "user_42", "inv_0", 1, "USD")
        raise OrderFailedError
    assert database.rows() == 0


def test_a_savepoint_that_is_rolled_back_has_no_event(database: Database, outbox: Outbox) -> None:
    """Only the events of the part that commits are delivered."""
    with database.transaction():
        database.order("inv_1")
        with suppress(OrderFailedError), database.savepoint():
            database.order("inv_2")
            raise OrderFailedError
        database.order("inv_3")
    database.run_relay(outbox)
    assert waiting(outbox) == database.orders() == ["inv_1", "inv_3"]


def test_a_missing_table_does_not_fail_the_order(database: Database) -> None:
    """If the insert fails, the result says so, and the order commits."""
    database.execute(f"DROP TABLE {EVENTS}")
    with database.transaction():
        result = database.order("inv_1")
    assert (result["type"], result["retryable"]) == ("outbox_error", True)
    assert database.orders() == ["inv_1"]


@pytest.mark.parametrize(
    ("options", "changes", "expected"),
    [
        ({}, {"amount": -1}, "validation_error"),
        ({"enabled": False}, {}, "disabled"),
    ],
)
def test_nothing_is_written_for_an_event_that_is_not_queued(
    options: Any, changes: Any, expected: str, database: Database
) -> None:
    """An invalid event, and any event while tracking is disabled, leaves no row."""
    with database.transaction():
        result: Any = database.tracker(**options).track_sale(**{**SALE_PAYLOAD, **changes})
    assert (result["type"], database.rows()) == (expected, 0)


def test_the_environment_disables_the_tracker(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`CMS_ENABLED=0` applies to events in a transaction, too."""
    monkeypatch.setenv("CMS_ENABLED", "0")
    with database.transaction():
        assert database.order("inv_1")["type"] == "disabled"


def test_on_outcome_reports_what_was_queued(database: Database) -> None:
    """The application's function is called with the outcome of each call."""
    outcomes: list[Outcome] = []
    with database.transaction():
        database.tracker(on_outcome=outcomes.append).track_sale(**SALE_PAYLOAD)
    assert [(each.operation, each.success) for each in outcomes] == [("track_sale", True)]


def queue_many(database: Database, number: int) -> None:
    """Commit many events, without orders."""
    with database.transaction():
        tracker = database.tracker()
        for invoice in range(number):
            tracker.track_sale("Purchase", "user_42", invoice, 1, "USD")


def test_the_order_is_kept(
    database: Database,
    outbox: Outbox,
    path: Path,
    clock: Clock,  # noqa: ARG001 - no second pass is due
) -> None:
    """The outbox has the events in the order of the inserts, even after its file was lost."""
    database.run_relay(outbox, lambda: queue_many(database, PAGE + 3))
    expected = database.execute(f"SELECT key FROM {EVENTS} ORDER BY id")
    assert len(expected) == PAGE + 3
    assert keys(path) == expected
    lose(outbox, path)
    database.run_relay(outbox)
    assert keys(path) == expected


def keys(path: Path) -> list[Any]:
    """Return the keys in the outbox, in the order of hand-over."""
    with closing(sqlite3.connect(path)) as file:
        return file.execute("SELECT key FROM events ORDER BY id").fetchall()


def test_an_event_that_commits_late_is_not_skipped(database: Database, outbox: Outbox) -> None:
    """A row is handed over even if rows with higher ids were handed over before it committed."""
    database.commit("inv_2")
    database.execute(f"UPDATE {EVENTS} SET id = 10")

    def commit_late() -> None:
        with database.transaction():
            database.order("inv_1")
            database.execute(f"UPDATE {EVENTS} SET id = 5 WHERE handed_over_at IS NULL")

    database.run_relay(outbox, commit_late)
    assert waiting(outbox) == ["inv_2", "inv_1"]


def test_a_relay_that_died_continues(database: Database, outbox: Outbox) -> None:
    """An event that the outbox has, but whose row was not marked, is not delivered again."""
    database.commit("inv_1", "inv_2")
    database.run_relay(outbox)
    database.execute(f"UPDATE {EVENTS} SET handed_over_at = NULL")
    database.run_relay(outbox)
    assert waiting(outbox) == ["inv_1", "inv_2"]
    database.execute(f"UPDATE {EVENTS} SET handed_over_at = NULL")
    database.run_relay(outbox)
    assert waiting(outbox) == []
    database.run_relay(outbox)
    assert database.rows() == 0


def test_two_relays_deliver_an_event_once(database: Database, outbox: Outbox) -> None:
    """A second relay with the same outbox adds nothing."""
    database.commit("inv_1")
    database.run_relay(outbox, lambda: database.run_relay(outbox))
    assert waiting(outbox) == ["inv_1"]
    database.run_relay(outbox, lambda: database.run_relay(outbox))
    assert database.rows() == 0


def test_a_lost_outbox_gets_its_events_again(
    database: Database,
    outbox: Outbox,
    path: Path,
    clock: Clock,  # noqa: ARG001 - no pass is due
) -> None:
    """The events of a deleted file are handed over before newer ones, as possibly recorded."""
    database.commit("inv_1", "inv_2")

    def lose_and_commit() -> None:
        lose(outbox, path)
        database.commit("inv_3")

    database.run_relay(outbox, lose_and_commit)
    first = outbox.storage.next(LONG)
    assert first is not None
    assert first.may_be_recorded
    assert waiting(outbox) == ["inv_1", "inv_2", "inv_3"]


def test_a_new_event_has_no_earlier_attempt(database: Database, outbox: Outbox) -> None:
    """An event that is handed over for the first time can't have been recorded."""
    database.commit("inv_1")
    database.run_relay(outbox)
    first = outbox.storage.next(LONG)
    assert first is not None
    assert not first.may_be_recorded


def test_a_dead_letter_keeps_its_row(database: Database, outbox: Outbox, path: Path) -> None:
    """The row stays until the event is delivered after all, and survives the loss of the file."""
    database.commit("inv_1")
    database.run_relay(outbox, lambda: reject(outbox))
    database.run_relay(outbox)
    assert (waiting(outbox), database.rows()) == ([], 1)
    lose(outbox, path)
    database.run_relay(outbox)
    assert waiting(outbox) == ["inv_1"]
    database.run_relay(outbox)
    assert database.rows() == 0


def test_a_purged_event_loses_its_row(database: Database, outbox: Outbox) -> None:
    """The relay deletes the row of an event that was erased, which can be queued again."""
    database.commit("inv_1", customer="user_1")
    database.commit("inv_2", customer="user_2")
    database.run_relay(outbox, lambda: outbox.purge(customer="user_1"))
    database.run_relay(outbox)
    assert (database.rows(), waiting(outbox)) == (1, ["inv_2"])
    with database.transaction():
        database.tracker().track_sale("Purchase", "user_1", "inv_1", 1000, "USD")
    database.run_relay(outbox)
    assert waiting(outbox) == ["inv_1"]


def test_a_corrected_event_replaces_the_dead_letter(database: Database, outbox: Outbox) -> None:
    """An event with the key of a dead letter is delivered, and both rows are deleted."""
    database.commit("inv_1")
    database.run_relay(outbox, lambda: reject(outbox))
    with database.transaction():
        database.tracker().track_sale("Purchase", "user_42", "inv_1", 1000, "USD")
    database.run_relay(outbox)
    assert waiting(outbox) == ["inv_1"]
    database.run_relay(outbox)
    assert database.rows() == 0


def test_a_failure_is_logged_once_and_the_relay_continues(
    database: Database, outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    """The relay waits longer after each failure, and reports when it works again."""
    caplog.set_level(logging.INFO)
    with database.transaction():
        database.tracker().track_sale(**{**SALE_PAYLOAD, **CUSTOMER})
    database.execute(f"ALTER TABLE {EVENTS} RENAME TO away")
    stop = Rounds(
        *[lambda: None] * 20, lambda: database.execute(f"ALTER TABLE away RENAME TO {EVENTS}")
    )
    database.relay(outbox, stop, 1.0)
    assert stop.waits == [*[min(2.0**n, MAX_WAIT) for n in range(1, 11)], *[MAX_WAIT] * 11, 1.0]
    levels = [record.levelname for record in caplog.records if record.name == "cutmeshort"]
    assert levels == ["ERROR", "INFO"]
    assert not [secret for secret in SECRETS if secret in caplog.text]
    assert len(waiting(outbox)) == 1


def test_a_full_outbox_is_reported(
    database: Database, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Events stay in the table while the outbox has no space."""
    caplog.set_level(logging.ERROR)
    with Outbox(path, max_bytes=64 * 1024) as outbox:
        queue_many(database, 200)
        database.run_relay(outbox)
        assert outbox.storage.next(LONG) is None
    assert "disk is full" in caplog.text
    with Outbox(path) as outbox:
        database.run_relay(outbox)
        assert outbox.storage.next(LONG) is not None


def test_passes_over_a_large_table_are_rare(
    database: Database, outbox: Outbox, clock: Clock
) -> None:
    """A relay uses a small part of its time for passes; new events do not wait for one."""
    database.commit("inv_1")
    former, states = outbox.storage.states, 0

    def slow_states(keys: Any, timeout: float) -> Any:
        nonlocal states
        states += len(keys) > 1
        clock.advance(5.0 if len(keys) > 1 else 0.0)
        return former(keys, timeout)

    database.commit("inv_2")
    outbox.storage.states = slow_states  # type: ignore[method-assign]
    seen: list[int] = []

    def second() -> None:
        seen.append(states)
        clock.advance(240.0)
        database.commit("inv_3")

    def third() -> None:
        seen.append(states)
        clock.advance(10.0)

    database.run_relay(outbox, second, third, lambda: seen.append(states))
    assert seen == [1, 1, 2]
    assert waiting(outbox) == ["inv_1", "inv_2", "inv_3"]


def test_the_relay_stops_promptly(database: Database, outbox: Outbox) -> None:
    """Setting the event ends a relay that waits."""
    stop = threading.Event()
    thread = threading.Thread(target=database.relay, args=(outbox, stop, 3600.0))
    thread.start()
    database.commit("inv_1")
    stop.set()
    _, seconds = timed(lambda: thread.join(LONG))
    assert not thread.is_alive()
    assert seconds < SLACK


def test_the_relay_stops_between_two_pages(database: Database, path: Path) -> None:
    """Setting the event ends a relay that has many rows to hand over."""
    stop = threading.Event()

    class StoppingOutbox(Outbox):
        def put(self, *arguments: Any, **options: Any) -> list[bool]:
            duplicates = super().put(*arguments, **options)
            stop.set()
            return duplicates

    queue_many(database, PAGE + 3)
    with StoppingOutbox(path) as outbox:
        database.relay(outbox, stop, 1.0)
    assert len(keys(path)) == PAGE


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
@pytest.mark.services
def test_the_relay_survives_a_restart_of_the_database(
    database: Database, server: Postgres, outbox: Outbox
) -> None:
    """A connection that the database closed is replaced after one failure."""

    def commit_and_restart() -> None:
        database.commit("inv_2")
        server.restart()

    database.commit("inv_1")
    database.run_relay(outbox, commit_and_restart, lambda: None)
    assert waiting(outbox) == ["inv_1", "inv_2"]
