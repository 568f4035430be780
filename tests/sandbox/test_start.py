"""The settings of the sandbox, and how it starts."""

import contextlib
import logging
import signal
import socket
import subprocess
import sys
import threading
from typing import Any

import pytest
import uvicorn

from cutmeshort import ApiValueError, CMSClient
from cutmeshort.sandbox import Sandbox
from cutmeshort.sandbox.http.logs import LOGGER

from ..support.events import lead
from ..support.platforms import linux_only
from ..support.processes import run_program
from ..support.timing import timed, wait_until
from .helpers import connect, logger_settings, pending


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("duplicate_status", 500),
        ("response", "nonsense"),
        ("error_response", "list"),
        ("error_response", ["html"]),
        ("error_status", 200),
        ("error_status", 600),
        ("token", "a b"),
        ("port", -1),
        ("port", 65536),
        ("rate_limit", -1),
        ("rate_limit", 0),
    ],
)
def test_an_invalid_setting_is_an_error(name: str, value: Any) -> None:
    """The error for an invalid setting names it."""
    with pytest.raises(ApiValueError, match=name):
        Sandbox(**{name: value})


def test_an_unknown_setting_is_an_error_that_names_the_call() -> None:
    """An argument that does not exist raises the TypeError of Python, and changes no setting."""
    unknown: Any = {"response": "flat", "nope": 1, "other": 2}
    with pytest.raises(TypeError, match=r"^Sandbox\(\) got an unexpected .* argument 'nope'$"):
        Sandbox(**unknown)
    sandbox = Sandbox()
    with pytest.raises(TypeError, match=r"^Sandbox.update_settings\(\) got .* argument 'nope'$"):
        sandbox.update_settings(**unknown)
    assert sandbox.settings["response"] == "message"


def test_the_url_is_an_error_before_the_start() -> None:
    """Before the start there is no URL, and the error explains how to start the sandbox."""
    with pytest.raises(RuntimeError, match="with Sandbox"):
        _ = Sandbox().url


def test_a_running_sandbox_cannot_be_started_again() -> None:
    """A second `with` on a running sandbox raises an error, and the first still works."""
    sandbox = Sandbox()
    for number in (1, 2):
        with sandbox, CMSClient(sandbox.token, sandbox.url) as client:
            url = sandbox.url
            with pytest.raises(RuntimeError, match="leave its `with` block first"), sandbox:
                pytest.fail("it started")
            assert sandbox.url == url
            assert lead(client, event_name=str(number))["success"] is True
            assert len(sandbox.leads) == number
        with pytest.raises(ConnectionRefusedError):
            connect(sandbox)


def test_a_stopped_sandbox_can_be_started_again() -> None:
    """A restarted sandbox still has its events, and injects faults again."""
    sandbox = Sandbox()
    for number in (1, 2):
        with sandbox:
            sandbox.fail_next(latency=3600)
            with pending(sandbox, customerExternalId=str(number)):
                wait_until(lambda number=number: len(sandbox.leads) == number)


def test_starts_and_stops_are_fast() -> None:
    """A start and a stop take milliseconds, so each test can have its own sandbox."""
    sandbox = Sandbox()

    def start_and_stop() -> None:
        with sandbox:
            pass

    # On a busy machine, most of them may take longer.
    wait_until(lambda: timed(start_and_stop)[1] < 0.1)


def _has_ipv6_loopback() -> bool:
    with contextlib.suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        return True
    return False


@pytest.mark.skipif(not _has_ipv6_loopback(), reason="needs IPv6")
def test_an_ipv6_address_is_bracketed_in_the_url() -> None:
    """The sandbox listens on an IPv6 address, which the URL contains in brackets."""
    with Sandbox(host="::1") as sandbox, CMSClient(sandbox.token, sandbox.url) as client:
        assert sandbox.url.startswith("http://[::1]:")
        assert lead(client)["success"] is True


START_WITHOUT_RESOURCES = """
import os, resource, threading
from cutmeshort.sandbox import Sandbox

with Sandbox() as sandbox:
    pass  # imports everything that a start needs
threading.stack_size(STACK_SIZE)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


def take_descriptors():
    taken = []
    try:
        while True:
            taken.append(os.dup(0))
    except OSError:
        return taken


taken = take_descriptors()
for _ in range(FREE):
    os.close(taken.pop())
try:
    with sandbox:
        print("started")
except OSError as error:
    print(error)
try:
    print(sandbox.url)
except RuntimeError:
    free = take_descriptors()
    print(threading.active_count(), len(free) - FREE)
for descriptor in taken + free:
    os.close(descriptor)
"""


@linux_only("the limits, and the descriptors that a start needs, differ on other systems")
@pytest.mark.parametrize(
    ("free", "stack_size", "message"),
    [(1, 0, "OSError(24"), (2, 0, "OSError(24"), (3, 0, "OSError(24"), (9, 2**60, "new thread")],
)
def test_a_failed_start_leaks_nothing(free: int, stack_size: int, message: str) -> None:
    """A start without file descriptors or threads fails at once, and leaks none of them."""
    program = START_WITHOUT_RESOURCES.replace("FREE", str(free))
    error, leaks = run_program(program.replace("STACK_SIZE", str(stack_size))).splitlines()
    assert error.startswith("the sandbox could not start: ")
    assert message in error
    assert leaks == "1 0"


def test_an_exit_of_uvicorn_is_a_failed_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """If uvicorn exits, the start raises an error, and the sandbox can be started later."""

    async def exit_process(_server: Any, sockets: Any = None) -> None:
        assert sockets
        sys.exit(3)

    sandbox = Sandbox()
    with monkeypatch.context() as patch:
        patch.setattr(uvicorn.Server, "startup", exit_process)
        with pytest.raises(OSError, match=r"could not start: SystemExit\(3\)"), sandbox:
            pytest.fail("it started")
    with pytest.raises(RuntimeError, match="until it runs"):
        _ = sandbox.url
    with sandbox, CMSClient(sandbox.token, sandbox.url) as client:
        assert lead(client)["success"] is True


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="needs signals of a thread")
def test_a_start_can_be_interrupted(caplog: pytest.LogCaptureFixture) -> None:
    """Ctrl+C during a start leaves no thread, and the sandbox can be started again."""

    class Interrupt(logging.Handler):
        def emit(self, _record: logging.LogRecord) -> None:
            LOGGER.removeHandler(self)
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    LOGGER.addHandler(Interrupt())
    sandbox = Sandbox()
    before = logger_settings()
    with caplog.at_level("INFO", "uvicorn.error"), pytest.raises(KeyboardInterrupt), sandbox:
        pytest.fail("it started")
    assert logger_settings() == before
    with sandbox, CMSClient(sandbox.token, sandbox.url) as client:
        assert lead(client)["success"] is True


def test_the_import_without_the_extra_says_what_to_install() -> None:
    """Without FastAPI, importing the sandbox names the extra, and the core still works."""
    code = (
        "import sys; sys.modules['fastapi'] = None\n"
        "import cutmeshort\n"
        "try: import cutmeshort.sandbox\n"
        "except ModuleNotFoundError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == 'the sandbox needs fastapi: pip install "cutmeshort[sandbox]"\n'
