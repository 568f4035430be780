"""A bug, of the SDK or of an argument, is a result and never an exception."""

import logging
import random
import time
from typing import Any

import pytest

from cutmeshort.operations import Operation

from ..support.events import client_of, lead
from ..support.logs import handler
from ..support.operations import each_operation, track
from ..support.server import Server, respond


def test_an_internal_error_has_the_number_of_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug after an attempt is retryable, as the attempt may have been recorded."""

    def fail(_seconds: float) -> None:
        raise ValueError

    monkeypatch.setattr(time, "sleep", fail)
    with Server(respond(503)) as server, client_of(server) as client:
        result = lead(client)
    assert (result["type"], result["attempts"], result["retryable"]) == ("internal_error", 1, True)


class _Path(str):
    """A path that can't be joined, which the SDK does not expect."""

    def __add__(self, _: Any) -> Any:
        raise LookupError(self)


class _FailingHandler(logging.Handler):
    """A handler with a bug."""

    def emit(self, record: logging.LogRecord) -> None:
        raise RuntimeError(record)


def test_a_log_handler_that_fails_does_not_reach_the_application() -> None:
    """A log handler with a bug can't make a call raise."""
    with handler(_FailingHandler()), Server() as server, client_of(server) as client:
        client.api_client._base = _Path("secret")
        assert lead(client)["type"] == "internal_error"


@each_operation
def test_a_bug_of_the_sdk_is_an_internal_error(
    operation: Operation, caplog: pytest.LogCaptureFixture
) -> None:
    """An unexpected exception is returned as an error, and logged without its text."""
    with Server() as server, client_of(server) as client, caplog.at_level(logging.DEBUG):
        client.api_client._base = _Path("se" + "cret")
        assert track(client, operation) == {
            "success": False,
            "error": "The SDK failed (LookupError); see the log of `cutmeshort`.",
            "status_code": 0,
            "type": "internal_error",
            "retryable": True,
            "attempts": 0,
        }
    assert "LookupError in a tracking call" in caplog.text
    assert "api_client.py" in caplog.text
    assert "secret" not in caplog.text


class _ApplicationError(Exception):
    """An exception of the application."""


class _FailingNumber(int):
    """A number with a bug."""

    def __gt__(self, _: object) -> bool:
        raise _ApplicationError


@each_operation
def test_an_argument_that_fails_does_not_reach_the_application(operation: Operation) -> None:
    """An exception before the request is sent can't come from a signal handler, and is returned."""
    with Server() as server, client_of(server) as client:
        result = track(client, operation, timeout=_FailingNumber(5))
        assert (result["type"], result["retryable"]) == ("internal_error", False)
        assert not server.requests


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
def test_an_interruption_passes(
    interruption: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C and sys.exit are not swallowed."""

    def interrupt() -> float:
        raise interruption

    monkeypatch.setattr(random, "random", interrupt)
    with Server(respond(503)) as server, client_of(server) as client, pytest.raises(interruption):
        lead(client)
