"""What the command prints for humans: columns, colours, and never the token."""

import json
import os
import re
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ..support.platforms import linux_only
from ..support.server import Server, raw, respond
from .conftest import TOKEN, Run

DOCTOR = [sys.executable, "-W", "error", "-m", "cutmeshort", "doctor", "--offline"]
# A token, a host and settings with which each status occurs.
VARIABLES = {"CMS_BEARER_TOKEN": TOKEN, "CMS_HOST": "ftp://x", "CMS_ENABLED": "0"}
COLOURS = {"ok": "32", "warning": "33", "failed": "31"}


def run_on_terminal(**variables: str) -> str:
    """Run the command on a terminal, and return what it shows."""
    import pty

    terminal, command_end = pty.openpty()
    environment = {**os.environ, **VARIABLES, "TERM": "xterm", **variables}
    try:
        done = subprocess.run(
            DOCTOR, stdout=command_end, stderr=command_end, env=environment, check=False
        )
        assert done.returncode == 1
        return os.read(terminal, 65536).decode()
    finally:
        os.close(command_end)
        os.close(terminal)


@linux_only("a pseudo-terminal keeps its output after the end of the program")
def test_a_terminal_shows_the_status_in_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal, the status has a colour, and the rest of the line has none."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    lines = run_on_terminal().splitlines()
    assert len(lines) == 4
    for line in lines:
        status = re.sub(r"\x1b\[\d+m", "", line).split()[0]
        start = f"\x1b[{COLOURS[status]}m{status:7}\x1b[0m  " if status in COLOURS else status
        assert line.startswith(start)
        assert "\x1b" not in line[len(start) :]
    assert {name for name in COLOURS if any(name in line for line in lines)} == COLOURS.keys()


@linux_only("a pseudo-terminal keeps its output after the end of the program")
@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_terminal_without_colours_shows_text(variables: dict[str, str]) -> None:
    """With NO_COLOR, or on a terminal without colours, the output has no control characters."""
    assert "\x1b" not in run_on_terminal(**variables)


def test_a_pipe_gets_aligned_text() -> None:
    """In a pipe, the output has no colours, and its columns are aligned."""
    environment = {**os.environ, **VARIABLES, "TERM": "xterm"}
    done = subprocess.run(
        DOCTOR, capture_output=True, text=True, env=environment, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    assert all(re.match(r"(ok|warning|failed|skipped) +\w+ +[^ ]", line) for line in lines)
    assert {(line[7:9], line[17:19]) for line in lines} == {("  ", "  ")}
    assert "\x1b" not in done.stdout


COMMANDS = [
    ("doctor",),
    ("lead", "Sign up", "user_42", "--click-id", "click_1"),
    ("sale", "Purchase", "user_42", "inv_1", "49.99", "USD"),
]
# The status and the body of a service that returns the token wherever it can.
ECHOES = [
    (200, {"success": True, "message": TOKEN, "data": {TOKEN: TOKEN}, "requestId": TOKEN}),
    *(
        (status, {"error": TOKEN, "type": TOKEN, "requestId": TOKEN, "details": [TOKEN]})
        for status in (200, 302, 400, 401, 404, 409, 422, 429, 500)
    ),
]


@pytest.mark.parametrize("json_option", [(), ("--json",)])
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
@pytest.mark.parametrize(("status", "body"), ECHOES)
def test_a_service_that_returns_the_token_does_not_make_the_command_print_it(
    status: int,
    body: Any,
    command: tuple[str, ...],
    json_option: tuple[str, ...],
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever the service returns, the command prints at most the last four characters."""
    headers = {"X-Request-Id": TOKEN, "Date": TOKEN, "Location": f"/{TOKEN}", "Retry-After": TOKEN}
    with Server(respond(status, json.dumps(body), headers)) as server:
        monkeypatch.setenv("CMS_HOST", server.url)
        monkeypatch.setenv("CMS_MAX_RETRIES", "0")
        done = run(*command, *json_option)
    assert TOKEN[-5:] not in done.out + done.err
    assert TOKEN[:5] not in done.out + done.err


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_broken_response_with_the_token_is_not_printed(
    command: tuple[str, ...], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Data that is not HTTP is not shown."""
    with Server(raw(TOKEN.encode() * 3 + b"\r\n\r\n")) as server:
        monkeypatch.setenv("CMS_HOST", server.url)
        monkeypatch.setenv("CMS_MAX_RETRIES", "0")
        done = run(*command)
    assert TOKEN[:-4] not in done.out + done.err


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=12)
    | st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=12)
)
def test_the_token_is_never_printed(run: Run, monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    """Whatever the token is, no command prints it, valid or not."""
    monkeypatch.setenv("CMS_BEARER_TOKEN", token)
    monkeypatch.setenv("CMS_HOST", "http://127.0.0.1")  # without TLS, which takes time to set up
    monkeypatch.setenv("CMS_ENABLED", "0")
    for arguments in (["doctor", "--offline"], ["doctor", "--offline", "--json"], COMMANDS[1]):
        done = run(*arguments)
        assert token not in done.out + done.err
        assert token[:-4] not in done.out + done.err
