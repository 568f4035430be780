"""
The command `cutmeshort`: checks the set-up, tracks events, and runs the sandbox.

The module of a command is imported only if that command runs.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Any, NoReturn, Optional

from ..environment import read_text
from ..operations import OPERATIONS
from ..redaction import redact_token
from .output import write

INTERRUPTED = 130  # as a shell reports a program that SIGINT ended

_COMMANDS = {
    "doctor": "Check the settings, the connection to the service, and the token.",
    **{operation.event: f"Track one {operation.event}." for operation in OPERATIONS},
    "deliver": "Deliver the events of an outbox file.",
    "outbox": "Show and manage the events of an outbox file.",
    "sandbox": "Run a local mock of the service.",
}


def main(argv: Optional[Sequence[str]] = None) -> int:
    """
    Run a command and return its exit code.

    Args:
        argv: The arguments, without the name of the program; by default, those of the process.

    Raises:
        SystemExit: An argument or a setting is invalid (2), an extra is not installed (1), or the
            help was printed (0).
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        parser = _make_parser(*arguments[:1])
        parsed, unknown = parser.parse_known_args(arguments)
        if unknown:
            # Without values, which may be the token.
            options = [each.partition("=")[0] for each in unknown if each.startswith("-")]
            problem = (
                f"unrecognized options: {' '.join(options)}" if options else "too many arguments"
            )
            parsed.parser.error(problem)
        if parsed.version:
            from .versions import versions

            lines = [f"{name} {version}" for name, version in versions().items()]
            write("\n".join(lines), sys.stdout)
            return 0
        if parsed.command is None:
            parser.error(f"a command is required: {', '.join(_COMMANDS)}")
        exit_code: int = parsed.run(parsed)
    except KeyboardInterrupt:
        return INTERRUPTED
    return exit_code


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Exit with 2 and the message, in which an invalid value may be the token: redact it."""
        token = read_text("CMS_BEARER_TOKEN")
        super().error(redact_token(message, token) if token else message)

    def _print_message(self, message: str, file: Any = None) -> None:
        write(message, file, end="")


def _make_parser(command: str = "") -> _Parser:
    """Create the parser, in which only the given command has arguments."""
    parser = _Parser(
        prog="cutmeshort",
        allow_abbrev=False,
        description="Conversion tracking with CutMeShort. Settings are read from the environment: "
        "CMS_BEARER_TOKEN, CMS_HOST, CMS_TIMEOUT, CMS_MAX_RETRIES and CMS_ENABLED.",
    )
    parser.add_argument(
        "--version", action="store_true", help="print the versions that a bug report needs"
    )
    _reject_token(parser)
    parser.set_defaults(parser=parser)
    commands = parser.add_subparsers(dest="command", metavar="command")
    for name, description in _COMMANDS.items():
        each = commands.add_parser(
            name, help=description, description=description, allow_abbrev=False
        )
        each.set_defaults(parser=each)
        if name == command:
            _add_arguments(name, each)
    return parser


def _reject_token(parser: argparse.ArgumentParser) -> None:
    """Add an option that users may try, and whose error says how to pass the token."""

    def reject(_value: str) -> None:
        raise argparse.ArgumentTypeError("there is no such option: set CMS_BEARER_TOKEN instead")

    parser.add_argument("--token", type=reject, help=argparse.SUPPRESS)


def _add_arguments(command: str, parser: argparse.ArgumentParser) -> None:
    """Import the module of a command, and add its arguments and its function `run`."""
    if command != "sandbox":  # its token is not a secret
        _reject_token(parser)
    if command == "doctor":
        from . import doctor

        doctor.add_arguments(parser)
    elif command == "deliver":
        from . import deliver

        deliver.add_arguments(parser)
    elif command == "outbox":
        from . import outbox

        outbox.add_arguments(parser)
    elif command == "sandbox":
        from . import sandbox

        sandbox.add_arguments(parser)
    else:
        from . import track

        track.add_arguments(parser, command)
