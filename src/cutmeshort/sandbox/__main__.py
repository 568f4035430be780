"""`python -m cutmeshort.sandbox`: run the sandbox until interrupted."""

import argparse
import logging
import signal
import sys
import threading

from ..exceptions import ApiValueError
from .http.logs import LOGGER
from .sandbox import Sandbox
from .state.settings import ERROR_FORMATS, RECORDING_FORMATS, REJECTING_FORMATS
from .state.tokens import DEFAULT_TOKEN


def run(arguments: argparse.Namespace, name: str) -> int:
    """Run the sandbox until SIGINT or SIGTERM; `name` is the command's, for its messages."""
    logging.basicConfig(format="%(message)s")
    logging.getLogger("uvicorn.access").setLevel(logging.INFO)
    LOGGER.parent = logging.getLogger()  # else the sandbox's log is separate
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
            response=arguments.response,
            error_status=arguments.error_status,
            error_response=arguments.error_response,
        ) as sandbox:
            print(f"CutMeShort sandbox listening on {sandbox.url} (token: {sandbox.token})")
            print(f"API description: {sandbox.url}/docs and {sandbox.url}/openapi.json")
            limit = arguments.rate_limit or "unlimited"
            print(f"Requests per minute: {limit} (--rate-limit)", flush=True)
            if arguments.open:
                _open_browser(f"{sandbox.url}/docs")
            while not stop.is_set():
                stop.wait(1)  # on Windows, a wait without a timeout can't be interrupted
    except (ApiValueError, OSError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, ApiValueError) else 1)  # 2: usage error
    return 0


def _open_browser(url: str) -> None:
    import webbrowser

    if not webbrowser.open(url):
        print(f"No browser could be opened for {url}", file=sys.stderr)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options to a parser."""
    parser.formatter_class = argparse.ArgumentDefaultsHelpFormatter
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument(
        "--port", default=8787, type=int, help="port to listen on; 0 selects a free one"
    )
    parser.add_argument("--token", default=DEFAULT_TOKEN, help="bearer token to accept")
    parser.add_argument(
        "--rate-limit", default=60, type=int, help="requests per minute; 0 means no limit"
    )
    parser.add_argument(
        "--duplicate-status",
        default=200,
        type=int,
        choices=(200, 409),
        help="status of the response to an event that is already recorded",
    )
    parser.add_argument(
        "--response",
        default="message",
        choices=(*RECORDING_FORMATS, *REJECTING_FORMATS),
        help="format of the response to a valid event; "
        f"{', '.join(REJECTING_FORMATS)} reject it with status 200",
    )
    parser.add_argument("--error-status", type=int, help="reject every event with this status")
    parser.add_argument(
        "--error-response",
        default="envelope",
        choices=ERROR_FORMATS,
        help="format of error responses",
    )
    parser.add_argument("--open", action="store_true", help="open the API description in a browser")


def main() -> None:
    """Parse the command line, and run the sandbox."""
    parser = argparse.ArgumentParser(
        prog="python -m cutmeshort.sandbox",
        description="A local mock of the CutMeShort tracking service.",
    )
    add_options(parser)
    run(parser.parse_args(), name="cutmeshort.sandbox")


if __name__ == "__main__":  # pragma: no branch - the tests run the module
    main()
