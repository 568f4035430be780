"""`manage.py deliver_tracking`: delivers the events of the table."""

import signal
import threading
from queue import SimpleQueue
from typing import Any, Optional

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from .....exceptions import ApiValueError
from .....outbox import Outbox
from .....outbox.policy import PER_MINUTE
from ....relay import DEFAULT_INTERVAL, Relay
from ...rows import ModelRows

_INTERRUPTED = 130
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Command(BaseCommand):
    """The command. It runs until SIGTERM (exit code 0) or SIGINT (130)."""

    help = (
        "Deliver the events that DjangoTracker queued. Needs CMS_BEARER_TOKEN in the environment."
    )

    def add_arguments(self, parser: Any) -> None:
        """Add the arguments."""
        parser.add_argument(
            "--outbox",
            metavar="FILE",
            help="a file on a local disk, created if it does not exist; by default, the setting "
            "CMS_OUTBOX",
        )
        parser.add_argument(
            "--per-minute",
            type=int,
            default=PER_MINUTE,
            metavar="NUMBER",
            help="the maximum number of requests per minute; 0 for no limit; by default, "
            "%(default)s",
        )
        parser.add_argument(
            "--database",
            metavar="ALIAS",
            help="the database; by default, the one that the database router chooses",
        )

    def handle(
        self, *, outbox: Optional[str], per_minute: int, database: Optional[str], **_: Any
    ) -> None:
        """Deliver until a signal ends the command."""
        path = outbox or getattr(settings, "CMS_OUTBOX", None)
        if not path:
            raise CommandError("--outbox or the setting CMS_OUTBOX is required", returncode=2)
        stop = threading.Event()
        received = _stop_on_signals(stop)
        try:
            with Outbox(path) as tracking, tracking.delivering(per_minute=per_minute):
                Relay(ModelRows(database), tracking, DEFAULT_INTERVAL).run(stop)
        except ApiValueError as error:
            raise CommandError(str(error), returncode=2) from error
        if signal.SIGINT in received:
            raise SystemExit(_INTERRUPTED)


def _stop_on_signals(stop: threading.Event) -> list[int]:
    """Set `stop` at the first SIGTERM or SIGINT, and return a list to which it is added."""
    received: list[int] = []
    queue: SimpleQueue[None] = SimpleQueue()  # a signal handler can't safely set an event

    def handle(number: int, _frame: object) -> None:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_DFL)  # a second signal ends the process at once
        received.append(number)
        queue.put(None)

    def wait() -> None:
        queue.get()
        stop.set()

    for each in _SIGNALS:
        signal.signal(each, handle)
    threading.Thread(target=wait, daemon=True).start()
    return received
