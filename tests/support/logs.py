"""The SDK's log, as a test sees it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


def lines(log: pytest.LogCaptureFixture, level: int = logging.DEBUG) -> list[str]:
    """The SDK's lines of a level and above."""
    return [
        record.getMessage()
        for record in log.records
        if record.name == "cutmeshort" and record.levelno >= level
    ]


@contextmanager
def handler(log_handler: logging.Handler) -> Iterator[None]:
    logger = logging.getLogger("cutmeshort")
    logger.addHandler(log_handler)
    try:
        yield
    finally:
        logger.removeHandler(log_handler)
