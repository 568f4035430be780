"""The rows of the table, for the relay."""

import time
from collections.abc import Sequence
from typing import Any, Optional

from django.db import connections

from ...outbox import QueuedEvent
from ..relay import PAGE, Reference, Rows
from .tracker import find_table


class ModelRows(Rows):
    """
    The rows of the model.

    Args:
        using: The alias of the database; by default, the one that the database router chooses.
    """

    def __init__(self, using: Optional[str] = None) -> None:
        model, self._using = find_table(using)
        self._rows = model.objects.using(self._using)

    def after(self, identifier: int) -> list[Reference]:
        """Return the first PAGE rows with a higher id, by id."""
        return self._references(id__gt=identifier)

    def new(self) -> list[Reference]:
        """Return the first PAGE rows that were not handed over, by id."""
        return self._references(handed_over_at=None)

    def _references(self, **condition: Any) -> list[Reference]:
        chosen = self._rows.filter(**condition).order_by("id")
        rows = chosen.values_list("id", "key", "handed_over_at")[:PAGE]
        return [Reference(identifier, key, at is not None) for identifier, key, at in rows]

    def events(self, identifiers: Sequence[int]) -> list[QueuedEvent]:
        """Return the events of these rows, by id, except of rows that are no longer there."""
        chosen = self._rows.filter(id__in=identifiers).order_by("id")
        rows = chosen.values_list("operation", "body", "created_at", "key", "customer")
        return [QueuedEvent(*row) for row in rows]

    def note_hand_over(self, identifiers: Sequence[int]) -> None:
        """Note that the outbox has the events."""
        self._rows.filter(id__in=identifiers).update(handed_over_at=time.time())

    def delete(self, identifiers: Sequence[int]) -> None:
        """Delete rows."""
        self._rows.filter(id__in=identifiers).delete()

    def disconnect(self) -> None:
        """Close the connection, so that the next attempt opens a new one."""
        connections[self._using].close()
