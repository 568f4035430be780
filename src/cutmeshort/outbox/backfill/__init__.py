"""Backfill: sends the past events of a CSV or JSON Lines file. It prints nothing."""

from .rows import FIELDS, Converter, RowOptions
from .run import Backfill, Progress, Run
from .state import BackfillError, Counts

__all__ = [
    "FIELDS",
    "Backfill",
    "BackfillError",
    "Converter",
    "Counts",
    "Progress",
    "RowOptions",
    "Run",
]
