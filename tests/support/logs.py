"""Helpers that read the SDK's log and add handlers to it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


def lines(log: pytest.LogCaptureFixture, level: int = logging.DEBUG) -> list[str]:
    """Return the messages of the SDK's log of this level and above."""
    return [
        record.getMessage()
        for record in log.records
        if record.name == "cutmeshort" and record.levelno >= level
    ]


class FailingHandler(logging.Handler):
    """A handler with a bug."""

    def emit(self, record: logging.LogRecord) -> None:
        """Raise an exception."""
        raise RuntimeError(record)


@contextmanager
def handler(log_handler: logging.Handler) -> Iterator[None]:
    """Add a handler to the SDK's logger during the block."""
    logger = logging.getLogger("cutmeshort")
    logger.addHandler(log_handler)
    try:
        yield
    finally:
        logger.removeHandler(log_handler)
