"""`cutmeshort deliver`: delivers the events of an outbox file until it is stopped."""

import argparse
import signal
import threading

from ..configuration import Configuration
from ..exceptions import ApiValueError
from ..logs import logger
from ..outbox import Outbox
from ..outbox.policy import PER_MINUTE
from ..outbox.worker_process import INTERRUPTED, log_to_stderr, stop_on_signals

STOPPED = 0
USAGE_ERROR = 2

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
        default=PER_MINUTE,
        help="The maximum number of requests per minute; 0 for no limit. Default: %(default)s. The "
        "service accepts 60 per user.",
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    parser: argparse.ArgumentParser = arguments.parser
    stop = threading.Event()
    with log_to_stderr(), stop_on_signals(stop) as received:
        try:
            settings = Configuration()
            if settings.access_token is None and settings.enabled:  # the client names its arguments
                parser.exit(USAGE_ERROR, f"{parser.prog}: CMS_BEARER_TOKEN is not set\n")
            outbox = Outbox(arguments.file)
            with outbox, outbox.delivering(per_minute=arguments.per_minute):
                while not stop.wait(1):  # on Windows, a wait without a timeout ignores Ctrl-C
                    pass
                logger.info("Delivery ends after the request in progress, if there is one")
        except ApiValueError as error:
            parser.exit(USAGE_ERROR, f"{parser.prog}: {error}\n")
    return INTERRUPTED if signal.SIGINT in received else STOPPED
