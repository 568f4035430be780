"""What has changed in the sandbox, for those who follow it."""

from functools import cached_property
from typing import Any, Optional

from ..state.state import State
from ..state.views import View
from .json_response import dump_json


class Event:
    """
    An event of the stream.

    Args:
        name: `snapshot`: the whole state; or `update`: what has changed.
        data: The state, or the parts that have changed, as JSON values.
    """

    def __init__(self, name: str, data: dict[str, Any]) -> None:
        self.name = name
        self.data = data

    @cached_property
    def text(self) -> bytes:
        """The event as a server sends it."""
        data = dump_json(self.data)
        return f"event: {self.name}\nid: {self.data['sequence']}\ndata: {data}\n\n".encode()


class Feed:
    """
    Renders the changes for all followers of a sandbox, the same change once. Threads can share one.

    Args:
        state: The sandbox's state.
        view: Renders it.
    """

    def __init__(self, state: State, view: View) -> None:
        self.state = state
        self.view = view
        self._last: tuple[object, Optional[Event]] = (None, None)

    def event(self, since: Optional[int], sequence: int, used: int) -> Event:
        """Return what has changed; the numbers only tell whether the last event is the same."""
        key = (since, sequence, used)
        last_key, last = self._last
        if last is not None and last_key == key:
            return last
        update = None if since is None else self.view.update(since)
        if update is None:
            event = Event("snapshot", self.view.snapshot())
        else:
            event = Event("update", update)
        self._last = key, event
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
        self._used: Optional[int] = None

    @property
    def is_meter_running(self) -> bool:
        """Whether the use of the rate limit changes with time."""
        return bool(self._used)

    def poll(self) -> Optional[Event]:
        """Return what has changed since the last event; None if nothing has."""
        state = self._feed.state
        sequence, used = state.changes.sequence, state.rate_limit_used()
        if sequence != self._sequence:
            event = self._feed.event(self._sequence, sequence, used)
        elif used != self._used:
            totals = self._feed.view.snapshot()["totals"]
            event = Event("update", {"sequence": sequence, "totals": totals})
        else:
            return None
        self._sequence = event.data["sequence"]
        if "totals" in event.data:
            self._used = event.data["totals"]["rate_limit"]["used"]
        return event
