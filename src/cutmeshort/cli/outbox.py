"""`cutmeshort outbox`: shows and manages the events of an outbox file."""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from ..exceptions import ApiException, ApiValueError
from ..outbox import EventInfo, Outbox, OutboxStatus
from .output import write

DONE = 0
NOTHING_DONE = 1

_TIMEOUT = 5.0  # seconds
_EPILOG = (
    f"Exit codes: {DONE} success, {NOTHING_DONE} no event was retried or erased, or the file does "
    "not exist or can't be used, 2 usage error."
)
_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add a command for each action, with its options."""
    parser.epilog = _EPILOG
    actions = parser.add_subparsers(metavar="action", required=True)

    def add(name: str, run: Any, description: str) -> argparse.ArgumentParser:
        action = actions.add_parser(
            name, help=description, description=description, epilog=_EPILOG, allow_abbrev=False
        )
        action.add_argument("file", metavar="FILE", help="The outbox file.")
        action.add_argument("--json", action="store_true", help="Print JSON.")
        action.set_defaults(parser=action, run=_run, action=run)
        return action

    add("status", _status, "Show how many events wait, and whether they are being delivered.")
    listing = add("list", _list, "List the dead letters, and the events that wait, with reasons.")
    listing.add_argument(
        "--limit",
        metavar="NUMBER",
        type=int,
        default=20,
        help="The maximum number of dead letters, and of events that wait. Default: 20.",
    )
    retry = add("retry", _retry, "Queue dead letters for delivery again.")
    retry.add_argument(
        "ids", metavar="ID", nargs="*", type=int, help="Only the dead letters with these ids."
    )
    purge = add("purge", _purge, "Erase events that were not delivered.")
    which = purge.add_mutually_exclusive_group(required=True)
    which.add_argument("--customer", metavar="ID", help="All events of this customer.")
    which.add_argument("--dead", action="store_true", help="All dead letters.")


def _run(arguments: argparse.Namespace) -> int:
    problem = f"there is no file {arguments.file}"
    try:
        if Path(arguments.file).exists():
            with Outbox(arguments.file, enabled=True, timeout=_TIMEOUT) as outbox:
                code: int = arguments.action(outbox, arguments)
                return code
    except (ApiException, ApiValueError) as error:
        problem = str(error)
    write(f"{arguments.parser.prog}: {problem}", sys.stderr)
    return NOTHING_DONE


def _status(outbox: Outbox, arguments: argparse.Namespace) -> int:
    status = outbox.status()
    if arguments.json:
        write(json.dumps(status), sys.stdout)
    else:
        age = status["oldest_age"]
        oldest = "" if age is None else f", the oldest for {_duration(age)}"
        write(f"waiting    {status['waiting']}{oldest}", sys.stdout)
        write(f"dead       {status['dead']}", sys.stdout)
        write(f"delivered  {status['delivered']}", sys.stdout)
        write(f"delivery   {_delivery(status)}", sys.stdout)
        write(f"size       {status['bytes'] / 1e6:.1f} MB", sys.stdout)
    return DONE


def _delivery(status: OutboxStatus) -> str:
    if not status["is_delivering"]:
        return "not running: start `cutmeshort deliver`"
    if status["pause"] is not None:
        return f"pauses for {_duration(status['pause'])}: {status['reason']}"
    rate = status["per_minute"]
    return "running" if rate is None else f"running, at most {rate} per minute"


def _list(outbox: Outbox, arguments: argparse.Namespace) -> int:
    status = outbox.status()
    dead = outbox.events(dead=True, limit=arguments.limit)
    waiting = outbox.events(dead=False, limit=arguments.limit)
    if arguments.json:
        counts = {"dead": status["dead"], "waiting": status["waiting"]}
        write(json.dumps({**counts, "events": dead + waiting}), sys.stdout)
    else:
        _print_events("dead letters", dead, status["dead"])
        _print_events("waiting", waiting, status["waiting"])
    return DONE


def _print_events(title: str, events: list[EventInfo], number: int) -> None:
    shown = f", of which {len(events)} are shown" if len(events) < number else ""
    write(f"{title}: {number}{shown}", sys.stdout)
    for event in events:
        age = _duration(max(0.0, time.time() - event["created_at"]))
        reason = f"{event['reason']}: " if event["reason"] else ""
        line = (
            f"{event['id']:>8}  {event['operation']}  {age:>6}  attempts: {event['attempts']}  "
            f"{reason}{event['message']}"
        )
        write("".join(part if part.isprintable() else " " for part in line), sys.stdout)


def _retry(outbox: Outbox, arguments: argparse.Namespace) -> int:
    return _report("retried", outbox.retry(arguments.ids or None), arguments)


def _purge(outbox: Outbox, arguments: argparse.Namespace) -> int:
    erased = outbox.purge(customer=arguments.customer, dead=arguments.dead)
    return _report("erased", erased, arguments)


def _report(name: str, number: int, arguments: argparse.Namespace) -> int:
    write(json.dumps({name: number}) if arguments.json else f"{name}: {number}", sys.stdout)
    return DONE if number else NOTHING_DONE


def _duration(seconds: float) -> str:
    """Return a number of seconds in the largest unit in which it is at least 1."""
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return "0 s"
