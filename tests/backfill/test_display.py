"""What the command shows while it sends."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cutmeshort.cli.backfill_display import (
    PlainDisplay,
    RichDisplay,
    choose_display,
    format_seconds,
)
from cutmeshort.outbox.backfill import Progress
from cutmeshort.sandbox import Sandbox

from ..cli.conftest import TOKEN
from ..support.platforms import not_on_windows
from ..support.timing import LONG, Clock
from .files import sale_line, write_sales

RUNNING = Progress(total=10_000, delivered=1_198, rejected=3, waiting=8_800, per_minute=50)
PAUSED = Progress(*(10_000, 1_198, 3, 8_800, 50.0), pause=44.2, reason="rate_limit_exceeded")
FIGURES = "1,198 of 10,000 delivered, 3 rejected, 50 per minute"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.2, "1 s"),
        (59, "59 s"),
        (60, "1 min"),
        (61, "2 min"),
        (3_599, "1 h 0 min"),
        (12_000, "3 h 20 min"),
        (86_399, "1 d 0 h"),
        (1_200_000, "13 d 21 h"),
    ],
)
def test_a_duration_has_two_units(seconds: float, text: str) -> None:
    """A duration is rounded up, and shown in at most two units."""
    assert format_seconds(seconds) == text


def test_plain_lines_come_once_a_minute(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal, the display prints a line each minute, with the pause and its reason."""
    line = f"sales.csv: {FIGURES}, 2 h 56 min left\n"
    paused = f"sales.csv: {FIGURES}, 2 h 57 min left; paused for 45 s: rate_limit_exceeded\n"
    with PlainDisplay("sales.csv") as display:
        for progress, shown in (
            (RUNNING, ""),
            (RUNNING, ""),
            (RUNNING, line),
            (PAUSED, paused),
            (RUNNING, ""),
        ):
            display.show(progress)
            assert capsys.readouterr().err == shown
            clock.advance(40)


def test_the_time_left_is_unknown_at_first(
    capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    """Without a rate limit, no time is shown before the first event is delivered."""
    with PlainDisplay("sales.csv") as display:
        clock.advance(60)
        display.show(Progress(total=5, delivered=0, rejected=0, waiting=5, per_minute=0))
    shown = "sales.csv: 0 of 5 delivered, 0 rejected, 0 per minute\n"
    assert capsys.readouterr().err == shown


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        """Return True."""
        return True


def test_a_terminal_shows_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bar has the name, the percentage and the figures, and a line with the pause."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    display = choose_display("sales.csv")
    assert isinstance(display, RichDisplay)
    with display:
        display.show(PAUSED)
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.getvalue())
    assert re.search(r"sales\.csv [━╸╺]{40} 12 %", shown)
    assert "1,198 of 10,000 delivered, 3 rejected, 50 per minute" in shown
    assert "paused for 45 s: rate_limit_exceeded" in shown


@pytest.mark.parametrize("closed", [True, False])
def test_no_terminal_has_plain_lines(closed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """If stderr is a file, or closed, the display is plain."""
    monkeypatch.setattr(sys, "stderr", None if closed else io.StringIO())
    assert isinstance(choose_display("sales.csv"), PlainDisplay)


def test_a_terminal_without_the_extra_has_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra, the display is plain, and a line says how to install it."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    for name in [name for name in sys.modules if name.partition(".")[0] == "rich"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "rich", None)
    assert isinstance(choose_display("sales.csv"), PlainDisplay)
    assert terminal.getvalue() == (
        'For a progress bar, install the extra: pip install "cutmeshort[cli]"\n'
    )


@not_on_windows("needs a pseudo-terminal")
def test_the_command_shows_the_bar_on_a_terminal(tmp_path: Path) -> None:
    """In a pseudo-terminal, a run ends with a full bar, and the summary goes to stdout."""
    path = write_sales(tmp_path, range(3), sale_line(9, amount="x"))
    terminal, stderr = os.openpty()
    with Sandbox(token=TOKEN) as sandbox:
        variables = {"CMS_BEARER_TOKEN": TOKEN, "CMS_HOST": sandbox.url, "TERM": "xterm"}
        done = subprocess.run(
            [*(sys.executable, "-m", "cutmeshort"), "backfill", str(path), "--per-minute", "0"],
            env={**os.environ, **variables},
            stdout=subprocess.PIPE,
            stderr=stderr,
            check=False,
            timeout=LONG,
        )
    os.close(stderr)
    shown = os.read(terminal, 2**16).decode()
    os.close(terminal)
    assert done.returncode == 1
    assert done.stdout.startswith(b"3 events delivered; ")
    assert "100 %" in shown
    assert "3 of 3 delivered" in shown
