"""Queues events in the broker of a Celery application, whose workers deliver them."""

import dataclasses
import logging
import random
import time
from contextlib import suppress
from typing import Any, Callable, NamedTuple, Optional

from celery.exceptions import Reject
from celery.signals import worker_ready
from typing_extensions import Self

from ..checks import check_count
from ..client import CMSClient
from ..exceptions import ApiException, ApiValueError
from ..logs import log, log_failure
from ..outbox import Action, Decision, QueuedEvent, QueueTracker, Streak, deliver_once
from ..outbox.attempt import QuietClient
from ..outbox.policy import PER_MINUTE, SET_UP_PAUSE
from ..outbox.queue_tracker import DEFAULT_TIMEOUT
from ..results import Outcome
from .broker import Publisher

TASK = "cutmeshort.deliver"
MAX_COUNTDOWN = 600.0  # seconds; RabbitMQ expects an acknowledgement within 30 minutes
_TIME_LIMIT = 1500  # seconds; instead of the application's, which would lose the event
_REQUEUE_WAIT = 5.0  # seconds before the broker delivers a message again that could not be deferred
_WORKER_TIMEOUT = 10.0  # seconds for publishing in a worker

# Seconds to wait after each rejection of an event without a click id: the customer's deferred lead
# may still be queued.
FOLLOW_UP_WAITS = (10.0, 60.0, 300.0, 600.0)

_Publishing = tuple[tuple[Any, ...], dict[str, Any]]  # the arguments of a task, and its options


class _Counts(NamedTuple):
    """The numbers in the message of an event that each attempt passes to the next one."""

    attempts: int = 0
    failures: int = 0
    rejections: int = 0


class CeleryTracker(QueueTracker):
    """
    Queues events in the broker of a Celery application, with the tracking methods of CMSClient.

    Create it once for each application, in a module that the workers also import: it registers the
    task `cutmeshort.deliver`, which delivers the events. The web process needs no token. A worker
    must consume the queue: `celery -A shop worker -Q cutmeshort --concurrency 1`. Thread-safe and
    fork-safe.

    RabbitMQ confirms each event before the call returns. An event that the service rejects, or that
    is older than 30 days, becomes a dead letter in the queue `cutmeshort.dead`. The order of a
    customer's events is not kept.

    Args:
        app: The Celery application.
        client: The CMSClient that delivers the events. By default, each worker process creates one
            from the environment, which logs failed attempts at DEBUG only.
        queue: The name of the queue. Dead letters are in the queue with this name and `.dead`.
        per_minute: The maximum number of events that each worker delivers per minute; 0 for no
            limit. All workers and clients share the service's limit of 60.
        timeout: Seconds for one call; above 0, at most 86400.
        enabled: If False, the methods validate, queue nothing, and return an error of type
            `disabled`. Defaults to `CMS_ENABLED`, then to True.
        on_outcome: A function, not async, that is called with an Outcome after each call. The
            Outcome says whether the event was queued, not whether it was delivered.

    Raises:
        ApiValueError: A setting is not valid.
        ApiTypeError: `on_outcome` is not a function.
    """

    _queue_errors = ()

    def __init__(
        self,
        app: Any,
        *,
        client: Optional[CMSClient] = None,
        queue: str = "cutmeshort",
        per_minute: int = PER_MINUTE,
        timeout: float = DEFAULT_TIMEOUT,
        enabled: Optional[bool] = None,
        on_outcome: Optional[Callable[[Outcome], object]] = None,
    ) -> None:
        super().__init__(self._put_event, timeout=timeout, enabled=enabled, on_outcome=on_outcome)
        self._app = app
        self._client = client
        self._queue, self._dead_queue = queue, f"{queue}.dead"
        self._publisher = Publisher(app, self._warn_of_redis)
        self._has_warned = False
        self._streak = Streak()
        self._paused_until = 0.0  # on the monotonic clock
        self._is_set_up_wrong = False
        rate_limit = f"{check_count('per_minute', per_minute)}/m" if per_minute else None
        self._task = app.task(
            name=TASK,
            bind=True,
            shared=False,  # not in other applications of the process
            acks_late=True,
            reject_on_worker_lost=True,
            ignore_result=True,
            rate_limit=rate_limit,
            time_limit=_TIME_LIMIT,
            soft_time_limit=_TIME_LIMIT,
        )(self._make_task())
        # Without an id, some versions of Celery can't distinguish the methods of two objects.
        worker_ready.connect(self._on_worker_ready, dispatch_uid=object())

    def retry_dead_letters(self) -> int:
        """
        Move the dead letters back to the queue, and return their number.

        A dead letter that has expired gets 30 more days.

        Raises:
            ApiException: The broker can't be used. Each event is still in one of the two queues.
                The `type` is `outbox_error`.
        """
        # The limit applies to each letter, and calls of other threads run between two letters.
        count = self._publisher.run(_WORKER_TIMEOUT, self._count_dead_letters)
        for number in range(count):
            if not self._publisher.run(_WORKER_TIMEOUT, self._move_dead_letter):
                return number
        return int(count)

    def close(self) -> None:
        """Close the connection to the broker. A later call opens it again."""
        self._publisher.close(self._timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _make_task(self) -> Callable[..., None]:
        def deliver(task: Any, message: str, *counts: int) -> None:
            self._deliver(task.request, message, _Counts(*counts))

        return deliver

    def _put_event(self, event: QueuedEvent, timeout: float) -> bool:
        arguments = (event.to_json(),)
        if self._app.conf.task_always_eager:
            self._task.apply(arguments)
        else:
            self._publish(arguments, timeout)
        return False

    def _publish(self, arguments: tuple[Any, ...], timeout: float, **options: Any) -> None:
        self._publisher.run(timeout, lambda broker: self._send_task(broker, arguments, **options))

    def _send_task(self, broker: Any, arguments: tuple[Any, ...], **options: Any) -> None:
        options.setdefault("queue", self._queue)
        producer = self._app.amqp.Producer(broker.default_channel, auto_declare=False)
        self._task.apply_async(
            arguments,
            producer=producer,
            retry=False,
            mandatory=True,  # an error if the queue was deleted
            delivery_mode=2,  # on disk
            argsrepr="(...)",  # no event data in logs and in monitoring
            kwargsrepr="{}",
            **options,
        )

    def _deliver(self, request: Any, message: str, counts: _Counts) -> None:
        """Deliver an event: the task `cutmeshort.deliver`."""
        # The worker that had received the message may have sent the event.
        if (request.delivery_info or {}).get("redelivered"):
            counts = counts._replace(attempts=counts.attempts + 1)
        try:
            next_step = self._attempt(message, counts)
            if next_step is not None and not request.is_eager:
                arguments, options = next_step
                self._publish(arguments, _WORKER_TIMEOUT, **options)
        except Exception as error:  # noqa: BLE001 - a bug must not lose the event
            if isinstance(error, ApiException):
                log(logging.ERROR, "%s: %s It will be delivered again.", TASK, error.message)
            else:
                log_failure(f"the task {TASK}", error)
            time.sleep(_REQUEUE_WAIT)
            raise Reject(type(error).__name__, requeue=True) from None

    def _attempt(self, message: str, counts: _Counts) -> Optional[_Publishing]:
        """Attempt to deliver an event; return the task to publish before the acknowledgement."""
        paused = self._paused_until - time.monotonic()
        if paused > 0:
            return _again(message, counts, paused)
        event: Optional[QueuedEvent] = None
        try:
            event = QueuedEvent.from_json(message)
            decision = self._decide(event, counts)
        except ApiValueError:
            decision = Decision(Action.DEAD_LETTER, "validation_error")
        counts = counts._replace(attempts=counts.attempts + decision.may_be_recorded)
        if event is not None and decision.is_rejected and _may_follow_a_lead(event):
            waits = FOLLOW_UP_WAITS[counts.rejections :]
            if waits:
                counts = counts._replace(rejections=counts.rejections + 1)
                return _again(message, counts, waits[0])
        self._note(decision)
        if decision.action is Action.DONE:
            return None
        if decision.action is Action.RETRY:
            counts = counts._replace(failures=counts.failures + decision.is_transient)
            return _again(message, counts, max(decision.wait, decision.pause))
        name = event.operation if event is not None else "A message"
        text = "%s was not tracked and is now a dead letter in the queue %s: %s (key %s)"
        key = event.key if event is not None else "unknown"
        log(logging.WARNING, text, name, self._dead_queue, decision.reason, key)
        options = {"queue": self._dead_queue, "headers": {"cms_reason": decision.reason}}
        return (message, counts.attempts), options

    def _decide(self, event: QueuedEvent, counts: _Counts) -> Decision:
        try:
            if self._client is None:
                self._client = QuietClient()
        except ApiValueError as error:
            if not self._is_set_up_wrong:
                log(logging.ERROR, "The client of the worker can't be created: %s", error)
            pause = SET_UP_PAUSE
            return Decision(Action.RETRY, "settings", pause=pause, is_set_up_wrong=True)
        return deliver_once(
            self._client,
            event,
            attempts=counts.attempts,
            failures=counts.failures,
            streak=self._streak,
            jitter=random.random(),
        )

    def _note(self, decision: Decision) -> None:
        """Note how an attempt ended: this process may have to pause."""
        self._streak = self._streak.after(decision)
        self._paused_until = time.monotonic() + decision.pause
        if decision.is_set_up_wrong and not self._is_set_up_wrong:
            text = "Delivery stops, except for an attempt every %d minutes: %s. Check the set-up "
            text += "with `cutmeshort doctor`. No event is lost."
            log(logging.ERROR, text, SET_UP_PAUSE // 60, decision.reason)
        self._is_set_up_wrong = decision.is_set_up_wrong

    def _count_dead_letters(self, broker: Any) -> int:
        dead = self._app.amqp.queues[self._dead_queue](broker.default_channel)
        return int(dead.queue_declare().message_count)

    def _move_dead_letter(self, broker: Any) -> bool:
        """Move the first dead letter, and return False if another process has moved it."""
        dead = self._app.amqp.queues[self._dead_queue](broker.default_channel)
        letter = dead.get(accept=self._app.conf.accept_content)
        if letter is None:
            return False
        (message, *attempts), _, _ = letter.payload
        with suppress(ApiValueError):  # it is not an event, and will be a dead letter again
            event = QueuedEvent.from_json(message)
            message = dataclasses.replace(event, created_at=time.time()).to_json()
        self._send_task(broker, (message, *attempts))
        letter.ack()
        return True

    def _on_worker_ready(self, sender: Any, **_: Any) -> None:
        if sender.app is self._app:
            with self._app.connection_for_write() as broker:
                self._warn_of_redis(broker)

    def _warn_of_redis(self, broker: Any) -> None:
        if broker.transport.driver_type == "redis" and not self._has_warned:
            self._has_warned = True
            log(
                logging.WARNING,
                "The broker of CeleryTracker is Redis, which can lose events when a worker or "
                "Redis is killed. Use RabbitMQ, or an outbox.",
            )


def _may_follow_a_lead(event: QueuedEvent) -> bool:
    """Return whether an event was sent without a click id."""
    try:
        return getattr(event.payload(), "click_id", None) is None
    except ApiValueError:  # it is not valid, and was not sent
        return False


def _again(message: str, counts: _Counts, wait: float) -> _Publishing:
    return (message, *counts), {"countdown": min(wait, MAX_COUNTDOWN)}
