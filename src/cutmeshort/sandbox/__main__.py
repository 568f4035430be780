"""`python -m cutmeshort.sandbox`: run the sandbox until interrupted."""

import argparse
import logging
import signal
import sys
from contextlib import suppress
from dataclasses import fields
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, ClassVar

from ..exceptions import ApiValueError
from .http.logs import LOGGER
from .sandbox import Sandbox
from .state.settings import (
    ERROR_FORMATS,
    RECORDING_FORMATS,
    REJECTING_FORMATS,
    SettingOptions,
    Settings,
)
from .state.tokens import DEFAULT_TOKEN

_RATE_LIMIT = 60


def run(arguments: argparse.Namespace, name: str) -> int:
    """Run the sandbox until SIGINT or SIGTERM; `name` is the command's, for its messages."""
    logging.basicConfig(format="%(message)s")
    logging.getLogger("uvicorn.access").setLevel(logging.INFO)
    LOGGER.parent = logging.getLogger()  # else the sandbox's log is separate
    LOGGER.addFilter(_is_not_of_the_page)
    stop: SimpleQueue[None] = SimpleQueue()  # a signal handler can't safely set an event
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.put(None))
    try:
        with _CommandSandbox(
            host=arguments.host,
            port=arguments.port,
            token=arguments.token,
            allowed_hosts=arguments.allow_host or (),
            data=arguments.data,
            **_settings(arguments),
        ) as sandbox:
            print(f"CutMeShort sandbox listening on {sandbox.url} (token: {sandbox.token})")
            print("Open this address in a browser: the page shows what your application sends.")
            limit = sandbox.settings["rate_limit"] or "unlimited"
            print(f"Requests per minute: {limit} (--rate-limit)", flush=True)
            if arguments.open:
                _open_browser(sandbox.url)
            while True:
                with suppress(Empty):
                    stop.get(timeout=1)  # on Windows, an endless wait can't be interrupted
                    break
    except (ApiValueError, OSError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, ApiValueError) else 1)  # 2: usage error
    return 0


def _is_not_of_the_page(record: logging.LogRecord) -> bool:
    """Return False for the access log of a request that the page makes."""
    return record.name != "uvicorn.access" or " /_sandbox/" not in record.getMessage()


class _CommandSandbox(Sandbox):
    """A sandbox with the command's own default."""

    _default_settings: ClassVar[SettingOptions] = {"rate_limit": _RATE_LIMIT}


def _settings(arguments: argparse.Namespace) -> SettingOptions:
    """Return the settings that are on the command line."""
    settings: Any = {
        field.name: getattr(arguments, field.name)
        for field in fields(Settings)
        if hasattr(arguments, field.name)
    }
    if settings.get("rate_limit") == 0:
        settings["rate_limit"] = None
    return settings  # type: ignore[no-any-return]


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
        "--allow-host",
        action="append",
        metavar="NAME",
        help="host name under which the sandbox responds as well, such as the name of a container "
        "or a tunnel; may be given several times",
    )
    parser.add_argument(
        "--data",
        metavar="FILE",
        help="SQLite file that keeps requests, events, clicks and settings across restarts",
    )
    add_setting = partial(parser.add_argument, default=argparse.SUPPRESS)  # a file may have others
    add_setting(
        "--rate-limit",
        type=int,
        help=f"requests per minute; 0 means no limit (default: {_RATE_LIMIT})",
    )
    add_setting(
        "--duplicate-status",
        type=int,
        choices=(200, 409),
        help="status of the response to an event that is already recorded (default: 200)",
    )
    add_setting(
        "--response",
        choices=(*RECORDING_FORMATS, *REJECTING_FORMATS),
        help="format of the response to a valid event; "
        f"{', '.join(REJECTING_FORMATS)} reject it with status 200 (default: message)",
    )
    add_setting(
        "--error-status", type=int, help="reject every event with this status (default: None)"
    )
    add_setting(
        "--error-response",
        choices=ERROR_FORMATS,
        help="format of error responses (default: envelope)",
    )
    parser.add_argument("--open", action="store_true", help="open the page in a browser")


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
