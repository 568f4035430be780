"""`cutmeshort lead` and `cutmeshort sale`: track one event."""

import argparse
import json
import math
import sys
from functools import partial

from ..client import CMSClient
from ..exceptions import ApiValueError
from ..models import EventPayload
from ..money import to_minor_units
from ..operations import OPERATIONS
from ..results import TrackResult

TRACKED = 0
NOT_TRACKED = 1
WRONG_USAGE = 2
TOKEN_REJECTED = 4
RETRYABLE = 75  # EX_TEMPFAIL of sysexits.h

_AMOUNT_HELP = "The amount paid, in the major unit: 49.99 for 49.99 USD, 500 for 500 JPY."


def add_arguments(parser: argparse.ArgumentParser, command: str) -> None:
    """Add the fields of the command's operation, and the options of a call."""
    (operation,) = (each for each in OPERATIONS if each.name == f"track_{command}")
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
    fields = tuple(operation.request_model.model_fields)
    parser.set_defaults(run=partial(_run, parser, operation.name, fields))


def _add_fields(parser: argparse.ArgumentParser, model: type[EventPayload]) -> None:
    """Add each field of a payload: a required one as a positional argument, others as options."""
    for name, field in model.model_fields.items():
        text = _AMOUNT_HELP if name == "amount" else (field.description or "").replace("`", "")
        if field.is_required():
            parser.add_argument(name, metavar=name.partition("_")[0].upper(), help=text)
        else:
            option = name.removeprefix("customer_").replace("_", "-")
            metavar = option.rpartition("-")[2].upper()
            parser.add_argument(f"--{option}", dest=name, metavar=metavar, help=text)


def _run(
    parser: argparse.ArgumentParser,
    operation: str,
    fields: tuple[str, ...],
    arguments: argparse.Namespace,
) -> int:
    event = {name: getattr(arguments, name) for name in fields}
    try:
        if "amount" in event:
            event["amount"] = to_minor_units(event["amount"], event["currency"])
    except ApiValueError as error:
        parser.error(str(error))
    try:
        client = CMSClient(timeout=arguments.timeout, max_retries=arguments.max_retries)
    except ApiValueError as error:
        parser.exit(WRONG_USAGE, f"{parser.prog}: {error}\n")
    with client:
        result: TrackResult = getattr(client, operation)(**event)
    if arguments.json:
        print(json.dumps(result))
    else:
        _print_result(result)
    return _exit_code(result)


def _print_result(result: TrackResult) -> None:
    """Print the outcome in one line, and each warning in another one on stderr."""
    for warning in result.get("warnings", []):
        print(f"warning: {warning['field']}: {warning['message']}", file=sys.stderr)
    if result["success"]:
        message = "".join(part if part.isprintable() else " " for part in result["message"])
        print(f"tracked: {message}")
    else:
        notes = ["retryable"] if result["retryable"] else []
        if "retry_after" in result:
            notes.append(f"retry after {math.ceil(result['retry_after'])} s")
        if "request_id" in result:
            notes.append(f"request id {result['request_id']}")
        suffix = f" ({', '.join(notes)})" if notes else ""
        print(f"not tracked: {result['type']}: {result['error']}{suffix}", file=sys.stderr)


def _exit_code(result: TrackResult) -> int:
    if result["success"]:
        return TRACKED
    if result["status_code"] in (401, 403):
        return TOKEN_REJECTED
    return RETRYABLE if result["retryable"] else NOT_TRACKED
