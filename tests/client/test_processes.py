"""A client at the exit of its process, and in processes with unusual settings."""

from typing import Any

import pytest

from ..support.platforms import not_on_windows
from ..support.processes import run_client
from ..support.server import OK, Server


def test_a_call_at_exit_works() -> None:
    """A call in an `atexit` handler succeeds and leaves no connection open."""
    program = """
import atexit
atexit.register(lambda: print(client.track_lead("Left", "user_42", "click_1")["success"]))
client = CLIENT
print(client.track_lead("Came", "user_42", "click_1")["success"])
"""
    with Server(OK) as server:
        assert run_client(program, server) == "True\nTrue\n"
        assert server.wait_until_all_closed()


def test_a_client_that_is_never_closed_causes_no_warning() -> None:
    """Python warns of nothing if a program exits, or drops its client, without closing it."""
    with Server(OK) as server:
        assert run_client('client = CLIENT\nclient.track_lead("A", "u", "c")\n', server) == ""
        assert run_client('CLIENT.track_lead("A", "u", "c")\n', server) == ""
        assert server.wait_until_all_closed()


@pytest.mark.parametrize(
    "holder", ["builtins", "contextlib", "queue", "urllib3", "cutmeshort.rest.connections"]
)
def test_a_client_that_exists_until_exit_causes_no_warning(holder: str) -> None:
    """While modules are torn down at exit, a client closes its connections without a warning."""
    program = f"""
import sys

client = CLIENT
sys.modules["{holder}"].client = client
print(client.track_lead("A", "u", "c")["success"])
"""
    with Server(OK) as server:
        assert run_client(program, server) == "True\n"
        assert server.wait_until_all_closed()


@pytest.mark.parametrize(
    ("options", "environment"),
    [
        (["-O"], {}),
        (["-OO"], {}),
        pytest.param(
            ["-X", "utf8=0"],
            {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""},
            marks=not_on_windows("Windows has no such locale"),
        ),
    ],
)
def test_a_call_works_with_unusual_interpreter_settings(options: Any, environment: Any) -> None:
    """A call succeeds without assertions and docstrings, and in a locale without UTF-8."""
    program = """
client = CLIENT
print(client.track_lead("Zo\\xeb", "u", "c", customer_name="\\u6ce8")["success"])
"""
    with Server(OK) as server:
        assert run_client(program, server, *options, **environment) == "True\n"
        assert server.requests[0].json["eventName"] == "Zoë"


def test_a_call_without_a_file_descriptor_is_a_network_error() -> None:
    """Without a free file descriptor, a call is a network error, and still parses timestamps."""
    program = """
import os, resource

client = CLIENT
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
files = []
try:
    while True:
        files.append(os.open(os.devnull, os.O_RDONLY))
except OSError:
    pass
for timestamp in ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00+01:00", "2026-01", "soon"):
    result = client.track_lead("A", "u", "c", timestamp=timestamp, max_retries=0)
    print(timestamp, result["type"])
for file in files:
    os.close(file)
print(client.track_lead("A", "u", "c", timestamp="2026-01")["success"])
"""
    pytest.importorskip("resource")
    with Server(OK) as server:
        assert run_client(program, server).splitlines() == [
            "2026-01-31T12:00:00Z network_error",
            "2026-01-31T12:00:00+01:00 network_error",
            "2026-01 network_error",
            "soon validation_error",
            "True",
        ]
        assert server.requests[0].json["timestamp"] == "2026-01-01T00:00:00Z"
