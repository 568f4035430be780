"""Backfill: sends the past events of a CSV or JSON Lines file. It prints nothing."""

from .rows import FIELDS, RowOptions
from .run import Backfill, Progress, Run
from .state import Counts

__all__ = ["FIELDS", "Backfill", "Counts", "Progress", "RowOptions", "Run"]
