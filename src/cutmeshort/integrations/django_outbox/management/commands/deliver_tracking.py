"""`manage.py deliver_tracking`: delivers the events of the table."""

import signal
import threading
from typing import Any, Optional

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from .....exceptions import ApiValueError
from .....outbox import Outbox
from .....outbox.policy import PER_MINUTE
from .....outbox.worker_process import INTERRUPTED, log_to_stderr, stop_on_signals
from ....relay import DEFAULT_INTERVAL, Relay
from ...rows import ModelRows


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
        with log_to_stderr(), stop_on_signals(stop) as received:
            try:
                with Outbox(path) as tracking, tracking.delivering(per_minute=per_minute):
                    Relay(ModelRows(database), tracking, DEFAULT_INTERVAL).run(stop)
            except ApiValueError as error:
                raise CommandError(str(error), returncode=2) from error
        if signal.SIGINT in received:
            raise SystemExit(INTERRUPTED)
