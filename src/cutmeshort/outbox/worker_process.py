"""What the commands that deliver have in common: they log to stderr, and end at a signal."""

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from types import FrameType
from typing import Optional

from ..logs import logger

INTERRUPTED = 130  # the exit code after SIGINT


@contextmanager
def stop_on_signals(stop: threading.Event) -> Iterator[list[int]]:
    """
    Set `stop` at the first SIGTERM or SIGINT, during a `with` block of the main thread.

    The next one ends the process at once. Yields a list to which the first one is added.
    """
    received: list[int] = []
    queue: SimpleQueue[None] = SimpleQueue()  # a signal handler can't safely set an event

    def handle(number: int, _frame: Optional[FrameType]) -> None:
        for each in handlers:
            signal.signal(each, signal.SIG_DFL)
        received.append(number)
        queue.put(None)

    def wait() -> None:
        queue.get()
        stop.set()

    handlers = {each: signal.signal(each, handle) for each in (signal.SIGTERM, signal.SIGINT)}
    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    try:
        yield received
    finally:
        queue.put(None)
        thread.join()
        for each, handler in handlers.items():
            signal.signal(each, handler)


@contextmanager
def log_to_stderr() -> Iterator[None]:
    """
    Print the log from INFO on, during a `with` block.

    If the application has configured a handler for the log, nothing changes.
    """
    if _has_handler():
        yield
        return
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def _has_handler() -> bool:
    handlers = [*logger.handlers, *logging.getLogger().handlers]
    return any(not isinstance(each, logging.NullHandler) for each in handlers)
