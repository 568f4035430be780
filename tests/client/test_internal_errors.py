"""The client returns a bug in the SDK or in an argument as a result, and never raises it."""

import logging
import random
import time
from typing import Any

import pytest

from cutmeshort.operations import Operation

from ..support.events import client_of, lead
from ..support.logs import FailingHandler, handler
from ..support.operations import each_operation, track
from ..support.server import Server, respond


def test_an_internal_error_has_the_number_of_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug after an attempt is retryable, as the service may have recorded the event."""

    def fail(_seconds: float) -> None:
        raise ValueError

    monkeypatch.setattr(time, "sleep", fail)
    with Server(respond(503)) as server, client_of(server) as client:
        result = lead(client)
    assert (result["type"], result["attempts"], result["retryable"]) == ("internal_error", 1, True)


class _FailingPath(str):
    """A path that can't be joined, with an exception that the SDK does not expect."""

    def __add__(self, _: Any) -> Any:
        raise LookupError(self)


def test_an_exception_of_a_log_handler_is_not_raised() -> None:
    """A call does not raise the exception of a log handler with a bug."""
    with handler(FailingHandler()), Server() as server, client_of(server) as client:
        client.api_client._base = _FailingPath("secret")
        assert lead(client)["type"] == "internal_error"


@each_operation
def test_an_unexpected_exception_is_an_internal_error(
    operation: Operation, caplog: pytest.LogCaptureFixture
) -> None:
    """The client returns an unexpected exception as an error, and logs it without its message."""
    with Server() as server, client_of(server) as client, caplog.at_level(logging.DEBUG):
        client.api_client._base = _FailingPath("se" + "cret")
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
def test_an_exception_of_an_argument_is_an_internal_error(operation: Operation) -> None:
    """The client returns an exception that an argument raises before the request is sent."""
    with Server() as server, client_of(server) as client:
        result = track(client, operation, timeout=_FailingNumber(5))
        assert (result["type"], result["retryable"]) == ("internal_error", False)
        assert not server.requests


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
def test_an_interruption_is_raised(
    interruption: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call does not catch KeyboardInterrupt and SystemExit."""

    def interrupt() -> float:
        raise interruption

    monkeypatch.setattr(random, "random", interrupt)
    with Server(respond(503)) as server, client_of(server) as client, pytest.raises(interruption):
        lead(client)
