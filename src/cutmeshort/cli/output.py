"""Prints text, even if the encoding lacks a character, or the output is closed."""

import io
import os
import sys
from typing import Any


def write(text: str, stream: Any, *, end: str = "\n") -> None:
    """
    Print text. If that is not possible, the exit code of the command does not change.

    Args:
        text: The text.
        stream: stdout or stderr; None if the process was started with a closed one.
        end: What to print after it.
    """
    if stream is None:
        return
    try:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
        print(text, end=end, file=stream, flush=True)
    except OSError as error:
        # When Python exits, it writes what is left.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        # A reader that has ended, such as `head`, needs no more output.
        if stream is sys.stdout and not isinstance(error, BrokenPipeError):
            write(f"cutmeshort: can't write the output: {error.strerror}", sys.stderr)
