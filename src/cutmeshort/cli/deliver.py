"""`cutmeshort deliver`: delivers the events of an outbox file until it is stopped."""

import argparse
import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Optional

from ..configuration import Configuration
from ..exceptions import ApiValueError
from ..logs import logger
from ..outbox import Outbox

STOPPED = 0
USAGE_ERROR = 2
INTERRUPTED = 130

_EPILOG = (
    "After SIGTERM or SIGINT, the command finishes the request in progress and exits. A second "
    "signal ends it at once. "
    f"Exit codes: {STOPPED} after SIGTERM, {INTERRUPTED} after SIGINT, {USAGE_ERROR} usage error "
    "or invalid setting. The token is read from CMS_BEARER_TOKEN."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the file and the rate."""
    parser.epilog = _EPILOG
    parser.add_argument(
        "file", metavar="FILE", help="The outbox file. It is created if it does not exist."
    )
    parser.add_argument(
        "--per-minute",
        metavar="NUMBER",
        type=int,
        default=50,
        help="The maximum number of requests per minute; 0 for no limit. Default: 50. The service "
        "accepts 60 per user.",
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    parser: argparse.ArgumentParser = arguments.parser
    with _log_to_stderr(), _signals() as received:
        try:
            settings = Configuration()
            if settings.access_token is None and settings.enabled:  # the client names its arguments
                parser.exit(USAGE_ERROR, f"{parser.prog}: CMS_BEARER_TOKEN is not set\n")
            outbox = Outbox(arguments.file)
            with outbox, outbox.delivering(per_minute=arguments.per_minute):
                number = _wait_for(received)
                logger.info("Delivery ends after the request in progress, if there is one")
        except ApiValueError as error:
            parser.exit(USAGE_ERROR, f"{parser.prog}: {error}\n")
    return INTERRUPTED if number == signal.SIGINT else STOPPED


@contextmanager
def _log_to_stderr() -> Iterator[None]:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


@contextmanager
def _signals() -> Iterator["SimpleQueue[int]"]:
    """Put the first SIGTERM or SIGINT into a queue; the next one ends the process at once."""
    received: SimpleQueue[int] = SimpleQueue()  # its `put` is safe in a signal handler

    def handle(number: int, _frame: Optional[FrameType]) -> None:
        for each in handlers:
            signal.signal(each, signal.SIG_DFL)
        received.put(number)

    handlers = {each: signal.signal(each, handle) for each in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield received
    finally:
        for each, handler in handlers.items():
            signal.signal(each, handler)


def _wait_for(received: "SimpleQueue[int]") -> int:
    while True:
        with suppress(Empty):
            return received.get(timeout=1)  # on Windows, a wait without one can't be interrupted
