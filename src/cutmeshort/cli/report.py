"""The report of `cutmeshort doctor`: a line of text or an object of JSON for each check."""

import os
import sys
from collections.abc import Sequence
from typing import NamedTuple

from typing_extensions import Literal

_COLOURS = {"ok": "32", "warning": "33", "failed": "31"}  # green, yellow, red


class Check(NamedTuple):
    """
    The outcome of one check.

    Attributes:
        name: What was checked.
        status: The result.
        message: What was found, in one line, without the token.
        advice: What to do about it; may be empty.
    """

    name: str
    status: Literal["ok", "warning", "failed", "skipped"]
    message: str
    advice: str = ""

    def to_dict(self) -> dict[str, str]:
        """Return the check for JSON, without empty advice."""
        return {name: value for name, value in self._asdict().items() if value}


def format_checks(checks: Sequence[Check], *, colour: bool) -> str:
    """Return aligned lines, with the status in colour or without."""
    width = max(len(check.name) for check in checks)
    return "\n".join(
        f"{_format_status(check.status, colour)}  {check.name:{width}}  "
        f"{check.message} {check.advice}".rstrip()
        for check in checks
    )


def _format_status(status: str, colour: bool) -> str:
    padded = f"{status:7}"  # as long as the longest status
    code = _COLOURS.get(status)
    return f"\x1b[{code}m{padded}\x1b[0m" if colour and code else padded


def use_colour() -> bool:
    """Return whether stdout is a terminal that shows colours, and NO_COLOR is not set."""
    shows_colours = os.environ.get("TERM", "dumb") != "dumb"  # Windows does not set TERM
    terminal = sys.stdout is not None and sys.stdout.isatty()  # None if it is closed
    return terminal and shows_colours and not os.environ.get("NO_COLOR")
