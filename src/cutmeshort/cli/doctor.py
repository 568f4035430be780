"""`cutmeshort doctor`: checks the settings, the connection to the service, and the token."""

import argparse
import json
import sys

from ..checks import check_seconds
from .network_checks import check_network, skip_network
from .output import write
from .report import format_checks, use_colour
from .setting_checks import check_settings
from .versions import versions

_DEFAULT_TIMEOUT = 10.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.epilog = (
        "The token is read from CMS_BEARER_TOKEN. There is no option for it, because other users "
        "of the machine can read command lines. The check of the token sends an empty event, which "
        "the service rejects. Exit code 1: a check failed."
    )
    parser.add_argument("--offline", action="store_true", help="Check the settings only.")
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=_seconds,
        default=_DEFAULT_TIMEOUT,
        help=f"Limit of all network checks together. Default: {_DEFAULT_TIMEOUT:g}.",
    )
    parser.add_argument("--json", action="store_true", help="Print the report as JSON.")
    parser.set_defaults(run=_run)


def _seconds(text: str) -> float:
    try:
        return check_seconds("timeout", float(text))
    except ValueError:
        message = "must be a number of seconds above 0 and at most 86400"
        raise argparse.ArgumentTypeError(message) from None


def _run(arguments: argparse.Namespace) -> int:
    settings = check_settings()
    checks = list(settings.checks)
    if not arguments.offline:
        if settings.client is None:
            checks += skip_network("The settings are invalid.")
        else:
            with settings.client as client:
                checks += check_network(client, settings.token, settings.proxy, arguments.timeout)
    failed = any(check.status == "failed" for check in checks)
    if arguments.json:
        document = {
            "ok": not failed,
            "checks": [check.to_dict() for check in checks],
            "versions": versions(),
        }
        write(json.dumps(document), sys.stdout)
    else:
        write(format_checks(checks, colour=use_colour()), sys.stdout)
    return int(failed)
