"""What can be cleared, restored, stored, exported and imported."""

from typing import NamedTuple

from .clicks import Click
from .exchanges import ExchangeLog
from .service import Recorded


class Content(NamedTuple):
    """
    What happened in a sandbox.

    Attributes:
        clicks: The clicks on short links, oldest first.
        recorded: The recorded events, in the order of arrival.
        log: The requests.
    """

    clicks: list[Click]
    recorded: list[Recorded]
    log: ExchangeLog
