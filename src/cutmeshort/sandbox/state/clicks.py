"""The clicks on the sandbox's short links."""

import secrets
import threading
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import NamedTuple, Optional

MAX_CLICKS = 10_000


class Click(NamedTuple):
    """
    A visitor followed a short link.

    Attributes:
        click_id: The id that the redirect puts into the URL.
        link: The name of the link, the last part of its path.
        time: When the visitor followed the link, in UTC.
    """

    click_id: str
    link: str
    time: datetime


class Clicks:
    """The newest 10,000 clicks, by id. Threads can share an object."""

    def __init__(self, clicks: Iterable[Click] = ()) -> None:
        self._lock = threading.Lock()
        self._clicks: dict[str, Click] = {}
        for click in clicks:
            self.add(click)

    def add(self, click: Click) -> None:
        """Add a click."""
        with self._lock:
            self._clicks[click.click_id] = click
            if len(self._clicks) > MAX_CLICKS:
                del self._clicks[next(iter(self._clicks))]

    def all(self) -> list[Click]:
        """Return the clicks, oldest first."""
        with self._lock:
            return list(self._clicks.values())

    def get(self, click_id: str) -> Optional[Click]:
        """Return the click with this id; None if no short link created it."""
        return self._clicks.get(click_id)


def make_click(link: str) -> Click:
    """Create a click on a link, which happens now."""
    return Click(f"click_{secrets.token_hex(5)}", link, datetime.now(timezone.utc))
