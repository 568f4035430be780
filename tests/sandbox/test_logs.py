"""The log of the sandbox, separate from the application's."""

import contextlib
import logging
import socket
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3
import uvicorn

from cutmeshort.sandbox import Sandbox

from .helpers import (
    LIBRARIES,
    SERVER_THREAD,
    log_an_access_a_warning_and_a_bug,
    logger_settings,
)


@contextlib.contextmanager
def application_log() -> Iterator[list[logging.LogRecord]]:
    """Log like an application: at all levels, with handlers on the libraries' loggers as well."""
    records: list[logging.LogRecord] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record not in records:  # the handlers of several loggers get the same record
                records.append(record)

    root, handler = logging.getLogger(), Collect()
    level = root.level
    loggers = [root, *map(logging.getLogger, LIBRARIES)]
    for logger in loggers:
        logger.addHandler(handler)
    root.setLevel(1)
    try:
        yield records
    finally:
        root.setLevel(level)
        for logger in loggers:
            logger.removeHandler(handler)


def test_the_application_does_not_get_the_log_of_the_sandbox(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """No handler of the application gets records of the server, whose warnings go to stderr."""
    with caplog.at_level(1), application_log() as records, Sandbox() as sandbox:
        log_an_access_a_warning_and_a_bug(sandbox)
    for record in records + caplog.records:
        assert record.threadName != SERVER_THREAD
        assert record.name not in LIBRARIES
    assert "urllib3.connectionpool" in {record.name for record in records}
    warning, *traceback = capfd.readouterr().err.splitlines()
    assert warning == "Invalid HTTP request received."
    assert traceback[0] == "Exception in ASGI application"
    assert traceback[-1].startswith("ZeroDivisionError")


def test_the_sandbox_has_its_own_logger(log: pytest.LogCaptureFixture) -> None:
    """The sandbox's logger gets everything that the libraries log in the sandbox's thread."""
    with application_log(), Sandbox() as sandbox:
        log_an_access_a_warning_and_a_bug(sandbox)
    own = [record for record in log.records if record.threadName == SERVER_THREAD]
    assert {record.name for record in own} == set(LIBRARIES)
    lines = [record.getMessage() for record in own]
    for expected in ("Started server", "Using selector", "Invalid HTTP", 'lead HTTP/1.1" 200'):
        assert any(expected in line for line in lines)


def test_an_application_keeps_the_log_of_its_own_uvicorn() -> None:
    """While sandboxes start, run and stop, the application's own uvicorn logs as before."""

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        logging.getLogger("uvicorn.error").warning("called %s", scope["path"])
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    config = uvicorn.Config(app, port=0, log_config=None, ws="none", lifespan="off")
    server = uvicorn.Server(config)
    with application_log() as records, socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread = threading.Thread(target=lambda: server.run(sockets=[listener]), name="application")
        thread.start()
        try:
            with urllib3.PoolManager() as pool:
                assert pool.request("GET", f"{url}/before").status == 204
                with Sandbox() as first, Sandbox() as second:
                    log_an_access_a_warning_and_a_bug(first)
                    assert pool.request("GET", f"{url}/during").status == 204
                    first.__exit__(None, None, None)
                    log_an_access_a_warning_and_a_bug(second)
                assert pool.request("GET", f"{url}/after").status == 204
        finally:
            server.should_exit = True
            thread.join()
    assert not [record for record in records if record.threadName == SERVER_THREAD]
    lines = [record.getMessage() for record in records if record.threadName == "application"]
    for path in ("before", "during", "after"):
        assert lines.count(f"called /{path}") == 1
        assert len([line for line in lines if f'"GET /{path} HTTP/1.1" 204' in line]) == 1
    for expected in ("Using selector", "Started server process", "Finished server process"):
        assert any(line.startswith(expected) for line in lines)


def test_the_loggers_of_the_libraries_are_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    """A running sandbox changes no level and no handler, and a stopped one leaves no filter."""

    async def exit_process(_server: Any, sockets: Any = None) -> None:
        assert sockets
        sys.exit(3)

    before = logger_settings()
    with Sandbox() as sandbox, Sandbox():
        log_an_access_a_warning_and_a_bug(sandbox)
        for old, new in zip(before, logger_settings()):
            assert new[:2] + new[3:] == old[:2] + old[3:]
        sandbox.__exit__(None, None, None)
        assert logger_settings() != before
    assert logger_settings() == before
    monkeypatch.setattr(uvicorn.Server, "startup", exit_process)
    with pytest.raises(OSError, match="could not start"), Sandbox():
        pytest.fail("it started")
    assert logger_settings() == before
