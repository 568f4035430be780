"""The clicks on the sandbox's short links."""

import re
import secrets
import threading
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any, NamedTuple, Optional

from ...exceptions import ApiValueError

MAX_CLICKS = 10_000
_LINK = re.compile(r"[A-Za-z0-9_-]{1,64}")


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


def is_link(name: Any) -> bool:
    """Return whether a short link can have this name."""
    return isinstance(name, str) and _LINK.fullmatch(name) is not None


def make_click(link: str) -> Click:
    """
    Create a click on a link, which happens now.

    Raises:
        ApiValueError: No short link can have this name.
    """
    if not is_link(link):
        raise ApiValueError("link must be 1 to 64 letters, digits, hyphens or underscores", "link")
    return Click(f"click_{secrets.token_hex(5)}", link, datetime.now(timezone.utc))
