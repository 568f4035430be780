"""The log of the commands that deliver."""

import logging

import pytest

from cutmeshort.outbox.worker_process import log_to_stderr


def test_a_log_that_is_configured_does_not_change(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """If the application has a handler for the log, a command adds none, and keeps the level."""
    logger = logging.getLogger("cutmeshort")
    handlers, level = list(logger.handlers), logger.level
    with log_to_stderr():
        assert (logger.handlers, logger.level) == (handlers, level)
        logger.error("one line")
    assert [record.getMessage() for record in caplog.records] == ["one line"]
    assert capsys.readouterr().err == ""
