"""`python -m cutmeshort.sandbox`: run the sandbox until interrupted."""

import argparse
import logging
import signal
import sys
import threading

from ..exceptions import ApiValueError
from .logs import LOGGER
from .replies import ERRORS, REJECTIONS, SUCCESSES
from .server import DEFAULT_TOKEN, Sandbox


def main() -> None:
    """Read the command line, run the sandbox, and say where it listens."""
    parser = argparse.ArgumentParser(
        prog="python -m cutmeshort.sandbox",
        description="A local imitation of the CutMeShort tracking service.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", default=8787, type=int, help="port to listen on; 0: a free one")
    parser.add_argument("--token", default=DEFAULT_TOKEN, help="bearer token to accept")
    parser.add_argument(
        "--rate-limit", default=60, type=int, help="requests per minute; 0: any number"
    )
    parser.add_argument(
        "--duplicate-status", default=200, type=int, choices=(200, 409), help="for a known event"
    )
    parser.add_argument(
        "--reply",
        default="message",
        choices=(*SUCCESSES, *REJECTIONS),
        help=f"form of the answer to a valid event; {', '.join(REJECTIONS)} record nothing",
    )
    parser.add_argument("--error-status", type=int, help="answer every event with this status")
    parser.add_argument(
        "--error-reply", default="envelope", choices=tuple(ERRORS), help="form of error answers"
    )
    arguments = parser.parse_args()
    logging.basicConfig(format="%(message)s")
    logging.getLogger("uvicorn.access").setLevel(logging.INFO)
    LOGGER.parent = logging.getLogger()  # here, the sandbox is the application
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        with Sandbox(
            host=arguments.host,
            port=arguments.port,
            token=arguments.token,
            rate_limit=arguments.rate_limit or None,
            duplicate_status=arguments.duplicate_status,
            reply=arguments.reply,
            error_status=arguments.error_status,
            error_reply=arguments.error_reply,
        ) as sandbox:
            print(f"CutMeShort sandbox listens on {sandbox.url}, token {sandbox.token}")
            print(f"Its API: {sandbox.url}/docs and {sandbox.url}/openapi.json")
            limit = f"At most {arguments.rate_limit}" if arguments.rate_limit else "Any number of"
            print(f"{limit} requests a minute (--rate-limit)", flush=True)
            while not stop.wait(1):  # a wait without end can't be interrupted on Windows
                pass  # each second
    except (ApiValueError, OSError) as error:
        sys.exit(f"cutmeshort.sandbox: {error}")


if __name__ == "__main__":  # pragma: no branch - the tests run the module
    main()
