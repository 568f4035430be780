"""Shows the progress of `cutmeshort backfill` on stderr: a bar on a terminal, else plain lines."""

import math
import sys
import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Optional, Union

from ..outbox.backfill import Progress
from .output import write

if TYPE_CHECKING:
    from rich.console import RenderableType

_INTERVAL = 60.0  # seconds between two plain lines
_HINT = 'For a progress bar, install the extra: pip install "cutmeshort[cli]"'


class PlainDisplay(AbstractContextManager["PlainDisplay"]):
    """
    Prints a line each minute.

    Args:
        name: The name of the file.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._next = time.monotonic() + _INTERVAL

    def show(self, progress: Progress) -> None:
        """Print a line if the last one is a minute old."""
        if time.monotonic() >= self._next:
            self._next += _INTERVAL
            pause = f"; {format_pause(progress)}" if progress.pause else ""
            write(f"{self._name}: {format_progress(progress)}{pause}", sys.stderr)

    def __exit__(self, *exception: object) -> None:
        """Leave the last line as it is."""


class RichDisplay(AbstractContextManager["RichDisplay"]):
    """
    Shows a bar and the figures in some lines of a terminal, which it updates.

    Args:
        name: The name of the file.

    Raises:
        ModuleNotFoundError: The extra is not installed.
    """

    def __init__(self, name: str) -> None:
        from rich.console import Console
        from rich.live import Live

        self._name = name
        self._live = Live(console=Console(stderr=True), auto_refresh=False)

    def show(self, progress: Progress) -> None:
        """Update the lines."""
        self._live.update(self._render(progress), refresh=True)

    def __enter__(self) -> "RichDisplay":
        self._live.start()
        return self

    def __exit__(
        self,
        _type: Optional[type[BaseException]],
        _error: Optional[BaseException],
        _traceback: Optional[TracebackType],
    ) -> None:
        """Leave the last state on the screen."""
        self._live.stop()

    def _render(self, progress: Progress) -> "RenderableType":
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        done = progress.total - progress.waiting
        bar = Table.grid(padding=(0, 1))
        percent = f"{100 * done // progress.total} %"
        bar.add_row(
            Text(self._name, style="bold"),
            ProgressBar(total=progress.total, completed=done, width=40),
            Text(percent),
        )
        lines: list[RenderableType] = [bar, Text(format_progress(progress))]
        if progress.pause:
            lines.append(Text(format_pause(progress), style="yellow"))
        return Group(*lines)


def choose_display(name: str) -> Union[PlainDisplay, RichDisplay]:
    """Return a bar if stderr is a terminal and the extra is installed, else plain lines."""
    if sys.stderr is None or not sys.stderr.isatty():
        return PlainDisplay(name)
    try:
        return RichDisplay(name)
    except ModuleNotFoundError:
        write(_HINT, sys.stderr)
        return PlainDisplay(name)


def format_progress(progress: Progress) -> str:
    """Return the figures in one line."""
    parts = [
        f"{progress.delivered:,} of {progress.total:,} delivered",
        f"{progress.rejected:,} rejected",
        f"{progress.per_minute:,.0f} per minute",
    ]
    if progress.seconds_left is not None:
        parts.append(f"{format_seconds(progress.seconds_left)} left")
    return ", ".join(parts)


def format_pause(progress: Progress) -> str:
    """Return how long delivery pauses, and why."""
    return f"paused for {format_seconds(progress.pause)}: {progress.reason}"


def format_seconds(seconds: float) -> str:
    """Return a duration in its two largest units, like `3 h 20 min`."""
    whole = math.ceil(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes = math.ceil(whole / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h"
