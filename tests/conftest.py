"""A clean environment, no network but loopback, and no waiting between attempts."""

import contextlib
import ipaddress
import json
import os
import random
import socket
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

from cutmeshort import ApiClient, CMSClient, Configuration

from .server import Server

settings.register_profile("suite", deadline=None, database=None, derandomize=True)
settings.load_profile("suite")

TOKEN = "tok_visible-ASCII/+=~"
CUSTOMER = {
    "customer_external_id": "user-7431",
    "customer_name": "Zoë Secretson",
    "customer_email": "zoe@secret.example",
    "customer_avatar": "https://secret.example/zoe.png",
}
PAYLOAD = {"event_name": "Sign up", "customer_external_id": "user_42", "click_id": "click_1"}
LOOPBACK = ("localhost", "127.0.0.1", "::1", b"localhost", b"127.0.0.1", b"::1")
SECRETS = [TOKEN, "user-7431", "Secretson", "secret.example"]


def _allow_loopback_only(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        address = arguments[1][0]
        if not ipaddress.ip_address(address).is_loopback:
            raise OSError(f"a test wants to connect to {address}")
    if event == "socket.getaddrinfo" and arguments[0] not in LOOPBACK:
        raise socket.gaierror(socket.EAI_NONAME, "a test wants to resolve a name")


sys.addaudithook(_allow_loopback_only)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in list(os.environ):
        if name.startswith("CMS_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    yield
    Configuration.set_default(None)
    ApiClient.set_default(None)


@pytest.fixture(autouse=True)
def _no_thread_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    left = [thread.name for thread in threading.enumerate() if thread not in before]
    assert not left, "threads were left behind"


@pytest.fixture
def no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the back-off's jitter 0."""
    monkeypatch.setattr(random, "random", lambda: 0.0)


@pytest.fixture(scope="session")
def nowhere() -> Iterator[CMSClient]:
    """A client of a port on which nobody listens: nothing that is sent arrives."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        host = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with CMSClient(TOKEN, host, max_retries=0) as client:
            yield client


def assert_documented(result: Any) -> None:
    """Check that a result has the documented keys and kinds, and no token."""
    required: dict[str, Any]
    optional: dict[str, Any] = {"request_id": str, "warnings": list}
    if result["success"] is True:
        required = {"success": bool, "message": str, "data": dict}
        optional["duplicate"] = bool
    else:
        assert result["success"] is False
        required = {
            "success": bool,
            "error": str,
            "status_code": int,
            "type": str,
            "retryable": bool,
            "attempts": int,
        }
        optional.update(details=(dict, list), retry_after=float)
        assert result["error"].isprintable()
        assert 0 < len(result["error"]) <= 500 or result["type"] == "validation_error"
    assert required.keys() <= result.keys() <= {*required, *optional}
    types = {**required, **optional}
    assert all(isinstance(value, types[key]) for key, value in result.items())
    assert TOKEN not in repr(result)
    json.dumps(result)


def forks(test: Any) -> Any:
    """Mark a test that forks this process, which has threads, as a server's."""
    warning = "ignore:This process .* is multi-threaded:DeprecationWarning"
    needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
    return needs_fork(pytest.mark.filterwarnings(warning)(test))


@contextlib.contextmanager
def forked_child() -> Iterator[None]:
    """Fork a child, which lives until the end of the block."""
    started, ended = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ended[1])
        os.write(started[1], b"x")
        os.read(ended[0], 1)  # until the parent closes its end
        os._exit(0)
    os.read(started[0], 1)
    try:
        yield
    finally:
        for end in (*started, *ended):
            os.close(end)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def client_of(server: Server, **settings: Any) -> CMSClient:
    """Make a client of a server."""
    return CMSClient(TOKEN, server.url, **settings)


def lead(client: CMSClient, **changes: Any) -> Any:
    """Track a valid lead, with changes."""
    arguments: dict[str, Any] = {**PAYLOAD, **changes}
    return client.track_lead(**arguments)


def sale(client: CMSClient, **changes: Any) -> Any:
    """Track a valid sale, with changes."""
    arguments: dict[str, Any] = {
        "event_name": "Purchase",
        "customer_external_id": "user_42",
        "invoice_id": "inv_1",
        "amount": 4999,
        "currency": "usd",
        "click_id": "click_1",
    }
    return client.track_sale(**{**arguments, **changes})
