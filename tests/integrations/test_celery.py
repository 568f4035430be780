"""CeleryTracker: what it queues, what its task does, and how long a call takes."""

import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any, Callable

import pytest

pytest.importorskip("celery")

from celery import Celery
from celery.app.task import Context
from celery.exceptions import Reject
from celery.signals import before_task_publish, worker_ready
from dateutil.parser import isoparse

from cutmeshort import ApiException, ApiValueError, LeadPayload, SalePayload
from cutmeshort.integrations import celery as module
from cutmeshort.integrations.broker import Publisher
from cutmeshort.integrations.celery import FOLLOW_UP_WAITS, TASK, CeleryTracker
from cutmeshort.outbox import QueuedEvent
from cutmeshort.sandbox import Sandbox

from ..support.addresses import needs_unresponsive_address, unresponsive_address
from ..support.events import CUSTOMER, PAYLOAD, SALE_PAYLOAD, SECRETS, TOKEN, client_of
from ..support.forking import forks
from ..support.logs import FailingHandler, handler, lines
from ..support.server import Server, respond
from ..support.timing import SLACK, Clock, timed

DEAD = "cutmeshort.dead"
FOLLOW_UP = {**PAYLOAD, **CUSTOMER, "click_id": None}
QUEUED = {
    "success": True,
    "message": "Queued for delivery",
    "data": {"queued": True, "duplicate": False},
}


class Shop:
    """
    A Celery application with a tracker, and a broker in memory.

    Args:
        options: Arguments of the tracker.
    """

    def __init__(self, **options: Any) -> None:
        self.app = Celery("shop", broker="memory://", set_as_current=False)
        self.tracker = CeleryTracker(self.app, **options)
        self.purge()

    def purge(self) -> None:
        """Empty the queues, which all brokers in memory of a process share."""
        for queue in ("cutmeshort", DEAD):
            self.take(queue)

    def take(self, queue: str = "cutmeshort") -> list[Any]:
        """Take all messages from a queue."""
        with self.app.connection_for_read() as connection, connection.channel() as channel:
            bound = self.app.amqp.queues[queue](channel)
            bound.declare()
            return list(iter(lambda: bound.get(no_ack=True, accept=["json"]), None))

    def work(self, *arguments: Any, redelivered: bool = False) -> None:
        """Run the task as a worker does."""
        task = self.app.tasks[TASK]
        delivery_info = {"redelivered": redelivered}
        task.request_stack.push(Context(delivery_info=delivery_info, is_eager=False))
        try:
            task.run(*arguments)
        finally:
            task.request_stack.pop()


def message(model: Any = LeadPayload, **fields: Any) -> str:
    """Create the message of an event."""
    base = SALE_PAYLOAD if model is SalePayload else PAYLOAD
    return QueuedEvent.create(model.from_dict({**base, **fields})).to_json()


def arguments_of(letter: Any) -> list[Any]:
    """Return the arguments of a task message."""
    arguments: list[Any] = letter.payload[0]
    return arguments


def is_due_in(low: float, high: float, letter: Any, since: datetime) -> bool:
    """
    Return whether a task message may run at a time from `low` to `high` seconds after it was sent.

    Args:
        low: Seconds; not included.
        high: Seconds.
        letter: The task message.
        since: A time before the message was sent.
    """
    due = isoparse(letter.headers["eta"])
    latest = datetime.now(timezone.utc) + timedelta(seconds=high)
    return since + timedelta(seconds=low) < due <= latest


# The call


def test_a_call_queues_the_event() -> None:
    """The message has the event and is durable, and its description has no event data."""
    shop = Shop()
    assert shop.tracker.track_lead(**{**PAYLOAD, **CUSTOMER}) == QUEUED
    (letter,) = shop.take()
    event = QueuedEvent.from_json(arguments_of(letter)[0])
    assert event.payload().customer_external_id == CUSTOMER["customer_external_id"]
    assert letter.properties["delivery_mode"] == 2
    assert letter.headers["task"] == TASK
    assert not [value for value in SECRETS if value in str(letter.headers)]


def test_the_worker_delivers_what_was_queued(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client of the worker is created from the environment, at the first event."""
    shop = Shop()
    shop.tracker.track_sale(**SALE_PAYLOAD)
    with Sandbox() as sandbox:
        monkeypatch.setenv("CMS_HOST", sandbox.url)
        monkeypatch.setenv("CMS_BEARER_TOKEN", sandbox.token)
        for letter in shop.take():
            shop.work(*arguments_of(letter))
        sandbox.assert_sale(invoice_id="inv_1")
    assert shop.take() == shop.take(DEAD) == []


def test_the_task_survives_a_killed_worker() -> None:
    """The task is acknowledged late, requeued if its process dies, and limited in rate."""
    shop = Shop(per_minute=30)
    task = shop.app.tasks[TASK]
    assert (task.acks_late, task.reject_on_worker_lost, task.ignore_result) == (True, True, True)
    assert task.rate_limit == "30/m"
    assert Shop(per_minute=0).app.tasks[TASK].rate_limit is None


def test_an_eager_application_delivers_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """With task_always_eager, as in tests, the call delivers the event, or drops it."""
    shop = Shop()
    shop.app.conf.task_always_eager = True
    with Sandbox() as sandbox:
        monkeypatch.setenv("CMS_HOST", sandbox.url)
        monkeypatch.setenv("CMS_BEARER_TOKEN", sandbox.token)
        assert shop.tracker.track_sale(**SALE_PAYLOAD) == QUEUED
        sandbox.assert_sale(invoice_id="inv_1")
        with sandbox.outage():
            assert shop.tracker.track_sale(**{**SALE_PAYLOAD, "invoice_id": "inv_2"}) == QUEUED
    assert shop.take() == []


def test_a_disabled_tracker_queues_nothing() -> None:
    """The result has the type `disabled`."""
    shop = Shop(enabled=False)
    assert shop.tracker.track_lead(**PAYLOAD)["type"] == "disabled"
    assert shop.take() == []


def test_a_queue_that_the_settings_do_not_allow_is_an_error() -> None:
    """Without task_create_missing_queues, the queue must be in the settings."""
    shop = Shop()
    shop.app.conf.task_create_missing_queues = False
    del shop.app.amqp.queues
    assert shop.tracker.track_lead(**PAYLOAD)["type"] == "outbox_error"


@pytest.mark.parametrize("option", [{"per_minute": -1}, {"timeout": 0}, {"enabled": 1}], ids=str)
def test_a_setting_is_checked(option: dict[str, Any]) -> None:
    """An invalid setting raises an error when the tracker is created."""
    with pytest.raises(ApiValueError):
        Shop(**option)


# A broker that does not respond


@contextmanager
def broker(behave: Callable[[socket.socket], object]) -> Iterator[int]:
    """Accept connections, let a function use each of them, and yield the port."""
    connections: list[socket.socket] = []
    threads: list[threading.Thread] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                connection = listener.accept()[0]
            except OSError:
                return
            connections.append(connection)
            threads.append(threading.Thread(target=behave, args=(connection,)))
            threads[-1].start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join()
        for connection in connections:
            connection.close()
        for thread in threads:
            thread.join()


def send_heartbeats(connection: socket.socket) -> None:
    """Send AMQP frames, without ever opening the connection."""
    try:
        connection.recv(8)  # the protocol's header
        while True:
            connection.sendall(b"\x08\x00\x00\x00\x00\x00\x00\xce")
            time.sleep(0.05)
    except OSError:
        pass


def tracker_of(url: str, **options: Any) -> CeleryTracker:
    """Create a tracker with a short timeout."""
    app = Celery("shop", broker=url, set_as_current=False)
    return CeleryTracker(app, **{"timeout": 0.3, **options})


@pytest.mark.parametrize("scheme", ["amqp", "amqps", "redis"])
def test_a_silent_broker_does_not_hold_a_call(scheme: str) -> None:
    """A broker that accepts connections and sends nothing costs the call its timeout."""
    with broker(lambda _: None) as port:
        tracker = tracker_of(f"{scheme}://127.0.0.1:{port}")
        result, seconds = timed(lambda: tracker.track_lead(**PAYLOAD))
    assert (result["type"], result["retryable"]) == ("outbox_error", True)
    assert 0.2 < seconds < 0.3 + SLACK


def test_a_slow_broker_does_not_hold_a_call() -> None:
    """A broker that sends frames without opening the connection costs the call its timeout."""
    with broker(send_heartbeats) as port:
        tracker = tracker_of(f"amqp://127.0.0.1:{port}")
        result, seconds = timed(lambda: tracker.track_lead(**PAYLOAD, timeout=0.5))
    assert result["type"] == "outbox_error"
    assert 0.4 < seconds < 0.5 + SLACK


@needs_unresponsive_address
def test_an_unresponsive_address_does_not_hold_a_call() -> None:
    """A broker that does not accept the connection costs the call its timeout."""
    with unresponsive_address() as (_, port):
        tracker = tracker_of(f"amqp://127.0.0.1:{port}")
        result, seconds = timed(lambda: tracker.track_lead(**PAYLOAD))
    assert result["type"] == "outbox_error"
    assert seconds < 0.3 + SLACK


def test_a_broker_that_is_down_is_an_error() -> None:
    """A refused connection is reported at once."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    result, seconds = timed(lambda: tracker_of(f"amqp://127.0.0.1:{port}").track_lead(**PAYLOAD))
    assert result["type"] == "outbox_error"
    assert seconds < SLACK


def test_calls_of_several_threads_end_in_time() -> None:
    """While one thread waits for a silent broker, the calls of the others also end in time."""
    results: list[Any] = []
    with broker(lambda _: None) as port:
        tracker = tracker_of(f"amqp://127.0.0.1:{port}")
        call = lambda: results.append(timed(lambda: tracker.track_lead(**PAYLOAD)))  # noqa: E731
        threads = [threading.Thread(target=call) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert {result["type"] for result, _ in results} == {"outbox_error"}
    assert max(seconds for _, seconds in results) < 0.3 + SLACK


# The connection


def publisher() -> Publisher:
    """Create a publisher of a broker in memory."""
    return Publisher(Celery("shop", broker="memory://", set_as_current=False), lambda _: None)


def test_a_connection_that_was_closed_meanwhile_is_opened_again() -> None:
    """The second message fails on the first connection, and is sent on a new one."""
    used: list[Any] = []

    def send(connection: Any) -> None:
        used.append(connection)
        if len(used) == 3:
            raise ConnectionResetError

    sender = publisher()
    for _ in range(3):
        sender.run(5, send)
    assert len({id(each) for each in used}) == 2
    assert used[0] is used[1] is used[2] is not used[3]


class SlowLock:
    """
    A lock that another thread holds for two more seconds.

    Args:
        clock: The clock.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def acquire(self, timeout: float) -> bool:
        """Wait for the other thread."""
        self._clock.advance(2)
        return timeout > 2

    def release(self) -> None:
        """Do nothing."""


def test_the_wait_for_another_thread_is_a_part_of_the_timeout(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message has only the time that the message of another thread has left."""
    sender = publisher()
    left: list[float] = []
    monkeypatch.setattr(sender, "_lock", SlowLock(clock))
    sender.run(5, lambda _: left.append(sender._deadline.left()))
    assert left == [3]


def test_no_message_is_sent_after_the_timeout() -> None:
    """A failure at the end of the timeout is not retried."""
    calls: list[Any] = []

    def send(_: Any) -> None:
        calls.append(1)
        if len(calls) > 1:
            time.sleep(0.1)
            raise ConnectionResetError

    sender = publisher()
    sender.run(5, send)
    with pytest.raises(ApiException) as caught:
        sender.run(0.05, send)
    assert (caught.value.type, len(calls)) == ("outbox_error", 2)


def test_an_exception_of_a_signal_handler_passes_through() -> None:
    """An exception of the application ends the call, and the connection is not used again."""

    class TimeLimit(Exception):  # noqa: N818
        pass

    def send(_: Any) -> None:
        raise TimeLimit

    sender = publisher()
    with pytest.raises(TimeLimit):
        sender.run(5, send)
    assert sender.run(5, lambda _: "sent") == "sent"


@forks
def test_a_forked_process_opens_its_own_connection() -> None:
    """A forked child of the process that opened the connection can also queue events."""
    shop = Shop()
    assert shop.tracker.track_lead(**PAYLOAD)["success"]
    child = os.fork()
    if child == 0:
        os._exit(0 if shop.tracker.track_lead(**PAYLOAD)["success"] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert shop.tracker.track_lead(**PAYLOAD)["success"]
    shop.purge()


def test_a_closed_tracker_opens_its_connection_again() -> None:
    """A call after the end of the `with` block queues its event."""
    shop = Shop()
    with shop.tracker as tracker:
        assert tracker.track_lead(**PAYLOAD)["success"]
    shop.tracker.close()
    assert shop.tracker.track_lead(**PAYLOAD)["success"]
    assert len(shop.take()) == 2


# The task


def in_seconds(low: float, high: float, *counts: int) -> Any:
    """Expect that the event is queued again, with these counts, to run after some seconds."""
    return SimpleNamespace(low=low, high=high, counts=list(counts))


LEAD, SALE, LATER = message(), message(SalePayload), message(**FOLLOW_UP)


@pytest.mark.parametrize(
    ("text", "response", "counts", "expected"),
    [
        (LEAD, respond(200), (), None),
        (LEAD, respond(500), (), in_seconds(4, 5, 1, 1, 0)),
        (LEAD, respond(500), (3, 2), in_seconds(18, 20, 4, 3, 0)),
        (LEAD, respond(500), (99, 99), in_seconds(598, 600, 100, 100, 0)),
        (LEAD, respond(429, headers={"Retry-After": "30"}), (), in_seconds(29, 38, 0, 0, 0)),
        (LEAD, respond(429, headers={"Retry-After": "3600"}), (), in_seconds(598, 600, 0, 0, 0)),
        (LEAD, respond(401), (), in_seconds(299, 300, 0, 0, 0)),
        (LEAD, respond(422), (2,), "unprocessable_entity"),
        (SALE, respond(409), (), "conflict"),
        (SALE, respond(409), (1,), None),
        (LEAD, respond(409), (1,), "conflict"),
        (LEAD, respond(409, json={"type": "duplicate_event"}), (), None),
        (LATER, respond(422), (), in_seconds(9, 10, 0, 0, 1)),
        (LATER, respond(422, json={"type": "validation_error"}), (), in_seconds(9, 10, 0, 0, 1)),
        (LATER, respond(422), (1, 0, 1), in_seconds(59, 60, 1, 0, 2)),
        (LATER, respond(422), (4, 0, len(FOLLOW_UP_WAITS)), "unprocessable_entity"),
        ("{}", respond(200), (), "validation_error"),
        (LEAD.replace("track_lead", "track_refund"), respond(200), (), "validation_error"),
    ],
    # Not the message, whose time differs between the processes of a run.
    ids=lambda value: "message" if isinstance(value, str) and "{" in value else None,
)
def test_the_task_does_what_the_policy_says(
    text: str, response: Any, counts: tuple[int, ...], expected: Any
) -> None:
    """After an attempt, the event is done, queued again, or a dead letter with its reason."""
    with Server(response) as server, client_of(server) as client:
        shop = Shop(client=client)
        begin = datetime.now(timezone.utc)
        shop.work(text, *counts)
    queued, dead = shop.take(), shop.take(DEAD)
    if isinstance(expected, str):
        assert [letter.headers["cms_reason"] for letter in dead] == [expected]
        assert arguments_of(dead[0])[0] == text
    elif expected is not None:
        (letter,) = queued
        assert arguments_of(letter) == [text, *expected.counts]
        assert is_due_in(expected.low, expected.high, letter, begin)
    assert len(queued) + len(dead) == (expected is not None)


def test_a_redelivered_message_counts_as_an_attempt() -> None:
    """A 409 to a sale that a killed worker may have sent means that it is recorded."""
    with Server(respond(409)) as server, client_of(server) as client:
        shop = Shop(client=client)
        shop.work(SALE, redelivered=True)
    assert shop.take() == shop.take(DEAD) == []


def test_an_event_expires_after_30_days(monkeypatch: pytest.MonkeyPatch) -> None:
    """An old event becomes a dead letter without a request; moved back, it is sent."""
    now = time.time()
    with Server(respond(200)) as server, client_of(server) as client:
        shop = Shop(client=client)
        with monkeypatch.context() as patch:
            patch.setattr(time, "time", lambda: now + 31 * 86_400)
            shop.work(LEAD)
        assert not server.requests
        assert shop.tracker.retry_dead_letters() == 1
        (letter,) = shop.take()
        shop.work(*arguments_of(letter))
        assert len(server.requests) == 1
    assert shop.take(DEAD) == []


def test_dead_letters_move_back_with_their_attempts() -> None:
    """The number of attempts is kept, and a letter that is taken meanwhile is left out."""
    with Server(*[respond(422)] * 3) as server, client_of(server) as client:
        shop = Shop(client=client)
        for attempts in (1, 2, 3):
            shop.work(LEAD, attempts)
        taken: list[Any] = []
        take = lambda **_: taken.extend(shop.take(DEAD))  # noqa: E731
        before_task_publish.connect(take)
        try:
            assert shop.tracker.retry_dead_letters() == 1
        finally:
            before_task_publish.disconnect(take)
    assert len(taken) == 2
    (letter,) = shop.take()
    assert arguments_of(letter)[1:] == [1]


def test_a_message_that_is_not_an_event_does_not_block_the_others() -> None:
    """All dead letters move back, also one that this version of the SDK can't read."""
    with Server(respond(422)) as server, client_of(server) as client:
        shop = Shop(client=client)
        shop.work("{}")
        shop.work(LEAD)
        assert shop.tracker.retry_dead_letters() == 2
    assert [arguments_of(letter)[0] == "{}" for letter in shop.take()] == [True, False]


def test_while_a_process_pauses_it_sends_nothing() -> None:
    """After a 429, the next event waits for the rest of the pause, and nothing is used up."""
    limited = respond(429, headers={"Retry-After": "60"})
    with Server(limited) as server, client_of(server) as client:
        shop = Shop(client=client)
        begin = datetime.now(timezone.utc)
        shop.work(LEAD)
        shop.take()
        shop.work(SALE, 2, 1)
        (letter,) = shop.take()
        assert len(server.requests) == 1
    assert arguments_of(letter) == [SALE, 2, 1, 0]
    assert is_due_in(55, 76, letter, begin)


def test_a_wrong_set_up_is_logged_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each rejected token defers an event; one ERROR says so, and another one after a success."""
    errors = []
    with (
        Server(respond(401), respond(401), respond(200), respond(403)) as server,
        client_of(server) as client,
    ):
        shop = Shop(client=client)
        for _ in range(4):
            monkeypatch.setattr(shop.tracker, "_paused_until", 0.0)  # the pause is over
            shop.work(message(**CUSTOMER))
            errors.append(len(lines(caplog, logging.ERROR)))
    assert errors == [1, 1, 1, 2]
    assert not [value for value in SECRETS if value in caplog.text]
    shop.purge()


def test_without_a_token_events_wait(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker whose client can't be created logs that, and tries again after five minutes."""
    shop = Shop()
    for _ in range(2):
        monkeypatch.setattr(shop.tracker, "_paused_until", 0.0)  # the pause is over
        begin = datetime.now(timezone.utc)
        shop.work(LEAD)
        (letter,) = shop.take()
        assert is_due_in(298, 301, letter, begin)
    first, _ = lines(caplog, logging.ERROR)
    assert "CMS_BEARER_TOKEN" in first
    with Server(respond(200)) as server:
        monkeypatch.setenv("CMS_HOST", server.url)
        monkeypatch.setenv("CMS_BEARER_TOKEN", TOKEN)
        monkeypatch.setattr(shop.tracker, "_paused_until", 0.0)
        shop.work(*arguments_of(letter))
        assert len(server.requests) == 1


def test_an_attempt_that_is_retried_is_no_warning(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client that the worker creates logs a failed attempt at DEBUG, as no event is lost."""
    shop = Shop()
    with Server(respond(500)) as server:
        monkeypatch.setenv("CMS_HOST", server.url)
        monkeypatch.setenv("CMS_BEARER_TOKEN", TOKEN)
        shop.work(LEAD)
    assert len(shop.take()) == 1
    assert lines(caplog, logging.INFO) == []


@pytest.mark.parametrize("failure", ["broker", "bug"])
def test_a_message_that_can_not_be_deferred_is_delivered_again(
    failure: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """If the task fails, the broker keeps the message, and the log has an error without data."""
    monkeypatch.setattr(module, "_REQUEUE_WAIT", 0.01)
    with Server(respond(500)) as server, client_of(server) as client:
        broken: Any = client if failure == "broker" else object()
        shop = Shop(client=broken)
        if failure == "broker":
            shop.app.conf.task_create_missing_queues = False
            del shop.app.amqp.queues
        with pytest.raises(Reject) as caught:
            shop.work(message(**CUSTOMER))
    assert caught.value.requeue
    assert len(lines(caplog, logging.ERROR)) == 1
    assert not [value for value in SECRETS if value in caplog.text]


@pytest.mark.parametrize(("response", "is_dead"), [(respond(422), True), (respond(401), False)])
def test_a_failing_log_handler_does_not_affect_delivery(response: Any, is_dead: bool) -> None:
    """An event is queued again or a dead letter, although the log's handler raises."""
    with Server(response) as server, client_of(server) as client, handler(FailingHandler()):
        shop = Shop(client=client)
        shop.work(LEAD)
    assert (len(shop.take()), len(shop.take(DEAD))) == (not is_dead, is_dead)


def test_a_failing_log_handler_does_not_lose_an_event(monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker keeps a message that can't be deferred, although the log's handler raises."""
    monkeypatch.setattr(module, "_REQUEUE_WAIT", 0.01)
    with Server(respond(500)) as server, client_of(server) as client, handler(FailingHandler()):
        shop = Shop(client=client)
        shop.app.conf.task_create_missing_queues = False
        del shop.app.amqp.queues
        with pytest.raises(Reject) as caught:
            shop.work(LEAD)
    assert caught.value.requeue


# Redis


class Consumer:
    """The sender of Celery's signal `worker_ready`."""

    def __init__(self, app: Any) -> None:
        self.app = app


def test_a_worker_warns_of_redis_once(caplog: pytest.LogCaptureFixture) -> None:
    """A worker with Redis as the broker logs a warning when it is ready; others do not."""
    tracker = tracker_of("redis://127.0.0.1:1")
    rabbit = tracker_of("amqp://127.0.0.1:1")
    other = Celery("other", set_as_current=False)
    for app in (tracker._app, tracker._app, rabbit._app, other):
        worker_ready.send(sender=Consumer(app))
    (warning,) = lines(caplog, logging.WARNING)
    assert "Redis" in warning
