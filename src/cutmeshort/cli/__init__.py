"""
The command `cutmeshort`: checks the set-up, tracks single events, and runs the sandbox.

The module of a command is imported only if that command runs.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any, Optional

INTERRUPTED = 130  # as a shell reports a program that SIGINT ended

_COMMANDS = {
    "doctor": "Check the settings, the connection to the service, and the token.",
    "lead": "Track one lead.",
    "sale": "Track one sale.",
    "sandbox": "Run a local mock of the service.",
}


def main(argv: Optional[Sequence[str]] = None) -> int:
    """
    Run a command and return its exit code.

    Args:
        argv: The arguments, without the name of the program; by default, those of the process.

    Raises:
        SystemExit: The arguments are wrong (2), a setting is not valid (2), an extra is not
            installed (1), or the help was printed (0).
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    # A terminal may lack characters of the service's messages.
    output: Any = sys.stdout
    output.reconfigure(errors="backslashreplace")
    exit_code = 1  # if the output can't be written
    try:
        parser = _make_parser(*arguments[:1])
        parsed = parser.parse_args(arguments)
        if parsed.version:
            from .versions import versions

            print("\n".join(f"{name} {version}" for name, version in versions().items()))
            exit_code = 0
        elif parsed.command is None:
            parser.error("a command is required")
        else:
            exit_code = parsed.run(parsed)
        output.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader of the output, such as `head`, has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), output.fileno())
    return exit_code


def _make_parser(command: str = "") -> argparse.ArgumentParser:
    """Create the parser, in which only the given command has arguments."""
    parser = argparse.ArgumentParser(
        prog="cutmeshort",
        allow_abbrev=False,
        description="Conversion tracking with CutMeShort. Settings are read from the environment: "
        "CMS_BEARER_TOKEN, CMS_HOST, CMS_TIMEOUT, CMS_MAX_RETRIES and CMS_ENABLED.",
    )
    parser.add_argument(
        "--version", action="store_true", help="print the versions that a bug report needs"
    )
    commands = parser.add_subparsers(dest="command", metavar="command")
    for name, description in _COMMANDS.items():
        each = commands.add_parser(
            name, help=description, description=description, allow_abbrev=False
        )
        if name == command:
            _add_arguments(name, each)
    return parser


def _add_arguments(command: str, parser: argparse.ArgumentParser) -> None:
    """Import the module of a command, and add its arguments and its function `run`."""
    if command == "doctor":
        from . import doctor

        doctor.add_arguments(parser)
    elif command == "sandbox":
        from . import sandbox

        sandbox.add_arguments(parser)
    else:
        from . import track

        track.add_arguments(parser, command)
