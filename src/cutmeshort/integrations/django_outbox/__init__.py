"""A Django app: an event is queued in the application's transaction, and a command delivers it."""

from .tracker import DjangoTracker

__all__ = ["DjangoTracker"]
