"""DjangoTracker: queues events in the current transaction."""

from typing import Any, Callable, Optional

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured, SynchronousOnlyOperation
from django.db import Error, router, transaction
from django.db.utils import ConnectionDoesNotExist

from ...outbox import QueuedEvent, QueueTracker
from ...results import Outcome


class DjangoTracker(QueueTracker):
    """
    Queues events in the current transaction, with the tracking methods of CMSClient.

    In `transaction.atomic`, the event commits together with the application's changes, or not at
    all; otherwise it commits at once. The insert uses a savepoint. If it fails, the result has the
    type `outbox_error`, and the application can still commit.

    One instance can serve the whole process. It is thread-safe.

    Args:
        using: The alias of the database; by default, the one that the database router chooses. It
            must be the one of the application's transaction.
        enabled: If False, the methods validate, queue nothing, and return an error of type
            `disabled`. Defaults to `CMS_ENABLED`, then to True.
        on_outcome: A function, not async, that is called with an Outcome after each call.

    Raises:
        ApiValueError: `CMS_ENABLED` is not valid.
        ApiTypeError: `on_outcome` is not a function.
    """

    _queue_errors = (
        Error,
        ConnectionDoesNotExist,
        ImproperlyConfigured,
        LookupError,  # the app is not in INSTALLED_APPS
        SynchronousOnlyOperation,
    )

    def __init__(
        self,
        using: Optional[str] = None,
        *,
        enabled: Optional[bool] = None,
        on_outcome: Optional[Callable[[Outcome], object]] = None,
    ) -> None:
        super().__init__(self._insert, enabled=enabled, on_outcome=on_outcome)
        self._using = using

    def _insert(self, event: QueuedEvent, _timeout: float) -> bool:
        model, using = find_table(self._using)
        savepoint: Any = transaction.atomic(using=using)
        with savepoint:
            model.objects.using(using).create(**vars(event))
        return False


def find_table(using: Optional[str]) -> tuple[Any, str]:
    """Return the model, and the alias of its database."""
    model = apps.get_model("cutmeshort_outbox", "OutboxRow")
    return model, using or router.db_for_write(model)
