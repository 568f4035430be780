"""`cutmeshort lead`, `cutmeshort sale`, and so on: track one event of an operation."""

import argparse
import json
import math
import sys
from functools import partial

from ..client import CMSClient
from ..configuration import Configuration
from ..exceptions import ApiValueError
from ..models import EventPayload
from ..money import to_minor_units
from ..operations import OPERATIONS, Operation
from ..results import TrackResult
from .output import write

TRACKED = 0
NOT_TRACKED = 1
USAGE_ERROR = 2
TOKEN_REJECTED = 4
RETRYABLE = 75  # EX_TEMPFAIL of sysexits.h

# These replace descriptions that name Python types.
_HELP = {
    "amount": "The amount, in the major unit: 49.99 for 49.99 USD, 500 for 500 JPY.",
    "customer_external_id": "The customer's id in your own system. 1 to 255 characters.",
    "invoice_id": "Your own id for the invoice or payment. 1 to 255 characters.",
    "timestamp": "When the event happened, in ISO 8601, like 2026-01-31T12:00:00+01:00. Without a "
    "UTC offset, it is UTC. Default: when the service receives the event.",
}
_EPILOG = (
    f"Exit codes: {TRACKED} tracked, {NOT_TRACKED} not tracked, {USAGE_ERROR} usage error or "
    f"invalid setting, {TOKEN_REJECTED} token rejected, {RETRYABLE} retryable failure. The token "
    "is read from CMS_BEARER_TOKEN."
)


def add_arguments(parser: argparse.ArgumentParser, command: str) -> None:
    """Add the fields of the command's operation, and the options of a call."""
    parser.epilog = _EPILOG
    (operation,) = (each for each in OPERATIONS if each.event == command)
    _add_fields(parser, operation.request_model)
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=float,
        help="Limit of the whole call, retries included. Default: CMS_TIMEOUT, then 10.",
    )
    parser.add_argument(
        "--max-retries",
        metavar="NUMBER",
        type=int,
        help="Maximum number of retries. Default: CMS_MAX_RETRIES, then 3.",
    )
    parser.add_argument("--json", action="store_true", help="Print the result as JSON.")
    parser.set_defaults(run=partial(_run, operation))


def _add_fields(parser: argparse.ArgumentParser, model: type[EventPayload]) -> None:
    """Add each field of a payload: a required one as a positional argument, others as options."""
    for name, field in model.model_fields.items():
        text = _HELP.get(name) or (field.description or "").replace("`", "")
        if field.is_required():
            parser.add_argument(name, metavar=name.partition("_")[0].upper(), help=text)
        else:
            option = name.removeprefix("customer_").replace("_", "-")
            metavar = option.rpartition("-")[2].upper()
            parser.add_argument(f"--{option}", dest=name, metavar=metavar, help=text)


def _run(operation: Operation, arguments: argparse.Namespace) -> int:
    parser: argparse.ArgumentParser = arguments.parser
    event = {name: getattr(arguments, name) for name in operation.request_model.model_fields}
    try:
        if "amount" in event:
            event["amount"] = to_minor_units(event["amount"], event["currency"])
    except ApiValueError as error:
        parser.error(str(error))
    try:
        settings = Configuration()
        if settings.access_token is None and settings.enabled:  # the client names its arguments
            parser.exit(USAGE_ERROR, f"{parser.prog}: CMS_BEARER_TOKEN is not set\n")
        client = CMSClient(
            configuration=settings, timeout=arguments.timeout, max_retries=arguments.max_retries
        )
    except ApiValueError as error:
        parser.exit(USAGE_ERROR, f"{parser.prog}: {error}\n")
    with client:
        result: TrackResult = getattr(client, operation.name)(**event)
    if arguments.json:
        write(json.dumps(result), sys.stdout)
    else:
        _print_result(result)
    return _exit_code(result)


def _print_result(result: TrackResult) -> None:
    """Print the outcome in one line, and each warning in another one on stderr."""
    for warning in result.get("warnings", []):
        write(f"warning: {warning['field']}: {warning['message']}", sys.stderr)
    if result["success"]:
        message = "".join(part if part.isprintable() else " " for part in result["message"])
        write(f"tracked: {message}", sys.stdout)
    else:
        notes = ["retryable"] if result["retryable"] else []
        if "retry_after" in result:
            notes.append(f"retry after {math.ceil(result['retry_after'])} s")
        if "request_id" in result:
            notes.append(f"request id {result['request_id']}")
        suffix = f" ({', '.join(notes)})" if notes else ""
        write(f"not tracked: {result['type']}: {result['error']}{suffix}", sys.stderr)


def _exit_code(result: TrackResult) -> int:
    if result["success"]:
        return TRACKED
    if result["status_code"] in (401, 403):
        return TOKEN_REJECTED
    return RETRYABLE if result["retryable"] else NOT_TRACKED
