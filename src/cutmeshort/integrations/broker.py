"""Publishes Celery tasks with confirms, on a connection of its own and within a time limit."""

import os
import threading
import time
import weakref
from typing import Any, Callable, Optional

from amqp.exceptions import AMQPError
from celery.exceptions import CeleryError
from kombu.exceptions import KombuError
from kombu.transport import pyamqp

from ..outbox.queue_tracker import outbox_error

# The errors of brokers, and of queues that the application's settings do not allow (KeyError).
_ERRORS = (AMQPError, CeleryError, KombuError, KeyError, OSError)
_MIN_SECONDS = 0.001  # a timeout of 0 would mean "do not block"


class Deadline:
    """The time at which a call must end."""

    def __init__(self) -> None:
        self._end = 0.0

    def start(self, seconds: float) -> None:
        """Begin a call."""
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Return the seconds that are left; always more than 0."""
        return max(self._end - time.monotonic(), _MIN_SECONDS)

    def is_over(self) -> bool:
        """Return whether no time is left."""
        return time.monotonic() >= self._end


class _Connection(pyamqp.Connection):
    """A connection to RabbitMQ whose reads end at a deadline."""

    def __init__(self, *arguments: Any, deadline: Deadline, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._cms_deadline = deadline

    def blocking_read(self, timeout: Optional[float] = None) -> Any:
        """Wait for a frame, until the deadline at most."""
        left = self._cms_deadline.left()
        return super().blocking_read(left if timeout is None else min(timeout, left))


class _Transport(pyamqp.Transport):
    Connection = _Connection


class _SSLTransport(pyamqp.SSLTransport):
    Connection = _Connection


class Publisher:
    """
    Publishes messages on a connection that it keeps open. Thread-safe and fork-safe.

    Args:
        app: The Celery application, whose settings the connection uses.
        on_connect: Called with each new connection.
    """

    def __init__(self, app: Any, on_connect: Callable[[Any], None]) -> None:
        self._app = app
        self._on_connect = on_connect
        self._inherited: list[Any] = []
        self._connection: Any = None
        self._broker_errors: tuple[type[Exception], ...] = ()
        self._deadline = Deadline()
        self._lock = threading.Lock()
        _publishers.add(self)

    def run(self, seconds: float, send: Callable[[Any], Any]) -> Any:
        """
        Call `send` with a connection, and return what it returns.

        Args:
            seconds: How long the call may take. Only the look-up of the broker's name can take
                longer, and connecting if the name has several addresses.
            send: The function. It is called again if the broker had closed the connection.

        Raises:
            ApiException: The broker did not accept the message. The type is `outbox_error`.
        """
        end = time.monotonic() + seconds  # the wait for other threads is a part of the call
        if not self._lock.acquire(timeout=seconds):
            raise outbox_error("The broker did not respond in time to an earlier event.")
        try:
            self._deadline.start(end - time.monotonic())
            return self._run(send)
        except (*_ERRORS, *self._broker_errors) as error:
            reason = f"The broker did not accept the event ({type(error).__name__})."
            raise outbox_error(reason) from error
        finally:
            self._lock.release()

    def close(self, seconds: float) -> None:
        """Close the connection within `seconds`. A later message opens another one."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                self._deadline.start(seconds)
                connection.release()

    def _run(self, send: Callable[[Any], Any]) -> Any:
        if self._connection is not None:
            try:
                return self._call(send)
            except (*_ERRORS, *self._broker_errors):
                # The broker may have closed the connection since the last message.
                if self._deadline.is_over():
                    raise
        self._connection = self._connect(self._deadline.left())
        return self._call(send)

    def _call(self, send: Callable[[Any], Any]) -> Any:
        connection, self._connection = self._connection, None
        try:
            result = send(connection)
        except BaseException:
            connection.collect()  # without waiting for the broker, as `close` would
            raise
        self._connection = connection
        return result

    def _connect(self, seconds: float) -> Any:
        connection = self._app.connection_for_write(heartbeat=0)
        self._broker_errors = connection.connection_errors + connection.channel_errors
        transport = connection.get_transport_cls()
        if issubclass(transport, pyamqp.Transport):
            is_tls = issubclass(transport, pyamqp.SSLTransport)
            connection.transport_cls = _SSLTransport if is_tls else _Transport
            options = {"deadline": self._deadline, "confirm_publish": True}
            options.update(read_timeout=seconds, write_timeout=seconds)
        else:
            options = {"socket_timeout": seconds, "socket_connect_timeout": seconds}
        connection.transport_options = {**connection.transport_options, **options}
        brokers = len(connection.alt or [""])
        connection.connect_timeout = seconds / brokers
        try:
            connection.ensure_connection(
                max_retries=brokers, interval_start=0, interval_step=0, timeout=seconds
            )
        except BaseException:
            connection.collect()
            raise
        self._on_connect(connection)
        return connection

    def leave_to_parent(self) -> None:
        """Forget the connection of the parent process, without closing it."""
        self._inherited.append(self._connection)  # its destructor might close it
        self._connection = None
        self._lock = threading.Lock()


_publishers: "weakref.WeakSet[Publisher]" = weakref.WeakSet()


def _leave_connections_to_parent() -> None:
    for publisher in list(_publishers):
        publisher.leave_to_parent()


if hasattr(os, "register_at_fork"):  # pragma: no branch - not on Windows
    os.register_at_fork(after_in_child=_leave_connections_to_parent)
