"""Renders what changes in the sandbox, for event streams and iterators."""

import threading
import time
from collections.abc import Iterator
from functools import cached_property
from math import inf
from typing import Any, Callable, Optional

from ..state.changes import Changes
from ..view.view import View
from .json_response import dump_json

INTERVAL = 0.025  # seconds between two events, at least
_MAX_WAIT = 60.0  # seconds; an endless wait can't be interrupted on Windows


class Event:
    """
    An event of the stream.

    Args:
        name: `snapshot`: the whole state; or `update`: what has changed.
        data: The state, or the parts that have changed, as JSON values.

    Attributes:
        sequence: The number of the newest change that the event contains.
    """

    def __init__(self, name: str, data: dict[str, Any]) -> None:
        self.name = name
        self.data = data
        self.sequence: int = data["sequence"]

    @cached_property
    def text(self) -> bytes:
        """The event as a server sends it."""
        text = f"event: {self.name}\nid: {self.sequence}\ndata: {dump_json(self.data)}\n\n"
        return text.encode()


class Feed:
    """
    Renders the changes for all followers of a sandbox, the same change once. Threads can share one.

    Args:
        changes: The numbers of the changes.
        view: Renders them.
    """

    def __init__(self, changes: Changes, view: View) -> None:
        self.changes = changes
        self.view = view
        self._last: tuple[tuple[Optional[int], int], Optional[Event]] = ((None, 0), None)

    def event(self, since: Optional[int]) -> Optional[Event]:
        """Return what has changed after a number, or a snapshot; None if nothing has changed."""
        (known, newest), last = self._last
        if last is not None and known == since and newest == self.changes.sequence:
            return last
        update = None if since is None else self.view.update(since)
        if update is None:
            event = Event("snapshot", self.view.snapshot())
        elif update["sequence"] == since:
            return None
        else:
            event = Event("update", update)
        self._last = (since, event.sequence), event
        return event


class Follower:
    """
    Returns one event after the other.

    Args:
        feed: Renders the events.
        after: The sequence number of the last event that is known; None to begin with a snapshot.
    """

    def __init__(self, feed: Feed, after: Optional[int]) -> None:
        self._feed = feed
        self._sequence = after

    def poll(self) -> Optional[Event]:
        """Return what has changed since the last event; None if nothing has."""
        event = self._feed.event(self._sequence)
        if event is not None:
            self._sequence = event.sequence
        return event

    def wait_seconds(self, limit: float) -> float:
        """Return after how many seconds to poll again although nothing changes."""
        due = self._feed.view.due()
        return limit if due is None else min(due, limit)


def follow(
    feed: Feed, after: Optional[int], timeout: Optional[float], is_running: Callable[[], bool]
) -> Iterator[dict[str, Any]]:
    """Return the events as `Sandbox.events` does, until the sandbox no longer runs."""
    wake = threading.Event()
    notify = wake.set
    follower = Follower(feed, after)
    feed.changes.listen(notify)
    try:
        last = time.monotonic()
        while is_running():
            wake.clear()
            event = follower.poll()
            if event is not None:
                yield {"event": event.name, "id": event.sequence, "data": event.data}
                last = time.monotonic()
                time.sleep(INTERVAL)
                continue
            remaining = last + (inf if timeout is None else timeout) - time.monotonic()
            if remaining <= 0:
                return
            wake.wait(follower.wait_seconds(min(remaining, _MAX_WAIT)))
    finally:
        feed.changes.stop_listening(notify)
