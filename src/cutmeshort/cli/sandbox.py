"""`cutmeshort sandbox`: runs the sandbox, if the extra is installed."""

import argparse
from functools import partial


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sandbox's options; without the extra, exit with a message that names it."""
    try:
        from ..sandbox import __main__ as command
    except ModuleNotFoundError as error:
        parser.exit(1, f"{parser.prog}: {error}\n")
    command.add_options(parser)
    parser.set_defaults(run=partial(command.run, name=parser.prog))
