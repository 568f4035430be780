"""Ends a command that delivers at SIGTERM or SIGINT."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from types import FrameType
from typing import Optional

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
