"""The stream of changes as server-sent events."""

import asyncio
import time
from contextlib import suppress
from typing import Optional

from fastapi import Response
from starlette.types import Receive, Scope, Send

from ..http.injection import wait_for_disconnect
from .follower import INTERVAL, Feed, Follower

_COMMENT_SECONDS = 15.0


class EventStream(Response):
    """
    A response that sends what changes, until the client disconnects or the sandbox stops.

    If the client reads slowly, its next event contains all changes until then.

    Args:
        feed: Renders the events.
        after: The sequence number of the last event that the client knows; None if it knows none.
    """

    media_type = "text/event-stream"

    def __init__(self, feed: Feed, after: Optional[int]) -> None:
        super().__init__()
        del self.headers["Content-Length"]
        self._changes = feed.changes
        self._follower = Follower(feed, after)

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events."""
        loop = asyncio.get_running_loop()
        wake, closed = asyncio.Event(), asyncio.Event()

        def notify() -> None:  # called in any thread
            if not wake.is_set():
                loop.call_soon_threadsafe(wake.set)

        async def watch() -> None:
            await wait_for_disconnect(receive)
            closed.set()
            wake.set()

        watching = asyncio.create_task(watch())
        self._changes.listen(notify)
        try:
            start = {"status": self.status_code, "headers": self.raw_headers}
            await send({"type": "http.response.start", **start})
            await self._send_events(send, wake, closed)
        finally:
            self._changes.stop_listening(notify)
            watching.cancel()
            await asyncio.wait([watching])

    async def _send_events(self, send: Send, wake: asyncio.Event, closed: asyncio.Event) -> None:
        async def send_text(text: bytes) -> None:
            await send({"type": "http.response.body", "body": text, "more_body": True})

        last = time.monotonic()
        while not closed.is_set():
            wake.clear()
            event = self._follower.poll()
            now = time.monotonic()
            if event is not None:
                await send_text(event.text)
                await _wait(closed, INTERVAL)
            elif now - last >= _COMMENT_SECONDS:
                await send_text(b":\n\n")
            else:
                await _wait(wake, self._follower.wait_seconds(last + _COMMENT_SECONDS - now))
                continue
            last = now


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with suppress(asyncio.TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
