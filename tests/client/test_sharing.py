"""One client for all threads and both sides of a fork; closed at any time; nothing left open."""

import asyncio
import os
import subprocess
import sys
import threading
import time
from typing import Any

import pytest

from cutmeshort import CMSClient, TrackingApi

from ..support.events import PAYLOAD, TOKEN, client_of, lead
from ..support.forking import forked_child, forks
from ..support.server import Connection, Server, drop, raw, reply, reset, silence

OK = reply(json={"success": True, "message": "Done"})


def test_a_connection_that_the_server_dropped_is_replaced_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A kept connection that is closed meanwhile costs no attempt and no wait."""
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("waited"))
    body = b'{"success": true}'
    once = raw(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    with Server(once) as server, client_of(server) as client:
        for number in (1, 2, 3):
            assert lead(client, max_retries=0)["success"] is True
            assert server.wait_until_all_closed()
            assert (len(server.requests), server.connections) == (number, number)


def test_a_closed_client_returns_an_error() -> None:
    """Closing twice is fine; a call after that says so and sends nothing."""
    with Server() as server:
        client = client_of(server)
        lead(client)
        client.close()
        client.close()
        assert server.wait_until_all_closed()
        assert lead(client) == {
            "success": False,
            "error": "The client is closed: make a new one.",
            "status_code": 0,
            "type": "client_closed",
            "retryable": True,
            "attempts": 0,
        }
        assert len(server.requests) == 1


def test_a_client_closed_during_a_call_lets_that_call_end() -> None:
    """Closing while another thread's call is under way does not break that call."""
    asked, answer = threading.Event(), threading.Event()

    def step(connection: Any) -> bool:
        asked.set()
        answer.wait(5)
        return OK(connection)

    with Server(step) as server:
        client = client_of(server)
        results: list[Any] = []
        thread = threading.Thread(target=lambda: results.append(lead(client)))
        thread.start()
        assert asked.wait(5)
        client.close()
        answer.set()
        thread.join()
        assert results[0]["success"] is True


@pytest.mark.usefixtures("no_wait")
def test_a_client_closed_between_two_attempts_gives_up() -> None:
    """A call that would be repeated on a closed client returns an error instead."""
    clients: list[CMSClient] = []

    def close_and_fail(connection: Any) -> bool:
        clients[0].close()
        return drop(connection)

    with Server(close_and_fail) as server:
        clients.append(client_of(server))
        assert lead(clients[0])["type"] == "client_closed"
        assert len(server.requests) == 1


@forks
def test_a_closed_client_stays_closed_after_a_fork() -> None:
    """The child of a fork doesn't open what its parent closed."""
    client = CMSClient(TOKEN, "http://127.0.0.1:9")
    client.close()
    child = os.fork()
    if child == 0:
        os._exit(0 if lead(client)["type"] == "client_closed" else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_many_threads_share_a_client() -> None:
    """Sixteen threads on one client get each its own answers."""

    def echo(connection: Connection) -> bool:
        assert connection.request is not None
        return reply(json={"data": connection.request.json})(connection)

    with Server(echo) as server, client_of(server) as client:
        results: list[Any] = []

        def work(number: int) -> None:
            for call in range(10):
                customer = f"{number}-{call}"
                answer = lead(client, customer_external_id=customer)
                results.append(answer["data"]["customerExternalId"] == customer)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results == [True] * 160
        sent = {request.json["customerExternalId"] for request in server.requests}
        assert len(server.requests) == len(sent) == 160


@forks
def test_after_a_fork_both_sides_go_on_with_connections_of_their_own() -> None:
    """The child of a fork opens its own connection and leaves the parent's alone."""
    with Server(OK) as server, client_of(server) as client:
        assert lead(client)["success"] is True
        child = os.fork()
        if child == 0:
            os._exit(0 if lead(client, customer_external_id="child")["success"] else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert lead(client)["success"] is True
        assert [request.connection for request in server.requests] == [1, 2, 1]


@pytest.mark.parametrize("race", [drop, reset])
def test_a_kept_connection_that_is_closed_under_a_request_is_replaced_without_a_wait(
    race: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server closes just when the request comes: that costs an attempt, but no wait."""
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    with Server(OK, race, OK, race) as server, client_of(server) as client:
        assert lead(client)["success"] is lead(client)["success"] is True
        assert waits == [0]
        assert [request.connection for request in server.requests] == [1, 1, 2]
        assert lead(client, max_retries=0)["type"] == "network_error"
        assert len(server.requests) == 4


CLOSED = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")


@pytest.mark.parametrize(
    ("first", "late"), [(OK, raw(b"HT")), (OK, reply(503)), (OK, silence), (CLOSED, drop)]
)
def test_other_failures_of_a_kept_connection_are_waited_for(
    first: Any, late: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it gave something, hangs, or was replaced before, a repeat waits like any other."""
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    monkeypatch.setattr("random.random", lambda: 1.0)
    with Server(first, late, OK) as server, client_of(server) as client:
        lead(client)
        assert first is OK or server.wait_until_all_closed()
        TrackingApi(client.api_client).track_lead(
            PAYLOAD,
            _request_timeout=0.2,
        )
        assert waits == [0.5]


@pytest.mark.parametrize("calls", range(0, 40, 5))
def test_a_client_may_be_closed_at_any_time(calls: int) -> None:
    """Calls that are under way end, later ones get an error, and no connection stays open."""
    with Server(OK) as server:
        client = client_of(server)
        results: list[Any] = []
        enough = threading.Semaphore(0)

        def work() -> None:
            success = True
            while success:
                result = lead(client)
                success = result["success"]
                results.append(result)
                enough.release()

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for _ in range(calls):
            enough.acquire()
        client.close()
        for thread in threads:
            thread.join()
        outcomes = [result.get("type", "success") for result in results]
        assert set(outcomes) <= {"success", "client_closed"}
        assert outcomes.count("success") >= calls
        assert server.wait_until_all_closed()


def test_a_client_may_be_closed_before_its_first_call() -> None:
    """Nothing was open, nothing is sent, and the error says so."""
    with Server() as server, client_of(server) as client:
        client.close()
        assert lead(client)["type"] == "client_closed"
        assert server.connections == 0


@forks
def test_a_child_keeps_no_copy_of_its_parents_idle_connections() -> None:
    """What the parent closes afterwards is closed, however long its child lives."""
    with Server(OK) as server:
        client = client_of(server)
        lead(client)
        with forked_child():
            client.close()
            assert server.wait_until_all_closed()


def _run(program: str, server: Server, *options: str, **environment: str) -> str:
    """Run a program in a process of its own, where every warning is an error; return its output."""
    head = "from cutmeshort import CMSClient\n"
    program = program.replace("CLIENT", f"CMSClient({TOKEN!r}, {server.url!r})")
    warnings = ["-W", "error", "-W", "ignore:This process:DeprecationWarning"]
    command = [sys.executable, *options, "-X", "dev", *warnings, "-c", head + program]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, **environment},
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_call_at_exit_works() -> None:
    """A call in an `atexit` handler is like any other, and leaves nothing open behind it."""
    program = """
import atexit
atexit.register(lambda: print(client.track_lead("Left", "user_42", "click_1")["success"]))
client = CLIENT
print(client.track_lead("Came", "user_42", "click_1")["success"])
"""
    with Server(OK) as server:
        assert _run(program, server) == "True\nTrue\n"
        assert server.wait_until_all_closed()


def test_a_client_that_is_never_closed_leaves_no_warning() -> None:
    """A program may end, or forget its client, without closing it."""
    with Server(OK) as server:
        assert _run('client = CLIENT\nclient.track_lead("A", "u", "c")\n', server) == ""
        assert _run('CLIENT.track_lead("A", "u", "c")\n', server) == ""
        assert server.wait_until_all_closed()


@forks
def test_a_busy_process_can_fork() -> None:
    """While other threads call, forked children call too, and end, and so does the parent."""
    program = """
import os, sys, threading

client = CLIENT
stop = threading.Event()
results = []


def work():
    while not stop.is_set():
        results.append(client.track_lead("Sign up", "user_42", "click_1")["success"])


threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
for number in range(10):
    child = os.fork()
    if child == 0:
        calls = [client.track_lead("Sign up", f"child_{number}", "click_1") for _ in range(3)]
        sys.exit(0 if all(call["success"] for call in calls) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
stop.set()
for thread in threads:
    thread.join()
assert len(results) > 0 and all(results)
client.close()
"""
    with Server(OK) as server:
        _run(program, server)
        assert server.wait_until_all_closed()


@forks
@pytest.mark.parametrize("milliseconds", [1, 4, 8])
def test_a_fork_during_the_first_call_ends(milliseconds: int) -> None:
    """A child doesn't wait for what its parent's other thread was importing."""
    program = f"""
import os, sys, threading

client = CLIENT
call = lambda: client.track_lead("A", "u", "c", timestamp="2026-01-31")["success"]
thread = threading.Thread(target=call)
thread.start()
threading.Event().wait({milliseconds / 1000})
child = os.fork()
if child == 0:
    sys.exit(0 if call() else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
thread.join()
"""
    with Server(OK) as server:
        _run(program, server)


def test_a_call_imports_nothing() -> None:
    """What every call needs is there before the first one, so that no fork can come between."""
    program = """
import sys

client = CLIENT
before = set(sys.modules)
client.track_lead("Sign up", "user_42", "click_1")
client.track_sale("Purchase", "user_42", "inv_1", 1, "USD", max_retries=0)
print(sorted(set(sys.modules) - before))
"""
    dated = reply(503, headers={"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"})
    with Server(OK, dated) as server:
        assert _run(program, server) == "[]\n"


@pytest.mark.parametrize(
    "holder", ["builtins", "contextlib", "queue", "urllib3", "cutmeshort.rest.connections"]
)
def test_a_client_that_lives_until_the_end_is_silent(holder: str) -> None:
    """At exit, modules are taken apart: what a client has open is closed without a word."""
    program = f"""
import sys

client = CLIENT
sys.modules["{holder}"].client = client
print(client.track_lead("A", "u", "c")["success"])
"""
    with Server(OK) as server:
        assert _run(program, server) == "True\n"
        assert server.wait_until_all_closed()


@pytest.mark.parametrize(
    ("options", "environment"),
    [
        (["-O"], {}),
        (["-OO"], {}),
        (["-X", "utf8=0"], {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""}),
    ],
)
def test_a_call_works_in_another_python(options: Any, environment: Any) -> None:
    """Without assertions and docstrings, and in a locale without UTF-8."""
    program = """
client = CLIENT
print(client.track_lead("Zo\\xeb", "u", "c", customer_name="\\u6ce8")["success"])
"""
    with Server(OK) as server:
        assert _run(program, server, *options, **environment) == "True\n"
        assert server.requests[0].json["eventName"] == "Zoë"


def test_a_call_works_with_many_files_open() -> None:
    """Also where the number of its socket is above 1024, which select() doesn't take."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1300:
        pytest.skip("needs 1,300 open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1300), hard))
    files = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        with Server(OK) as server, client_of(server) as client:
            assert lead(client)["success"] is lead(client)["success"] is True
            assert client.api_client._rest._pool.pool is not None
    finally:
        for file in files:
            os.close(file)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_call_without_a_file_descriptor_is_a_network_error() -> None:
    """A timestamp as text is still read: no module is imported during a call."""
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
        assert _run(program, server).splitlines() == [
            "2026-01-31T12:00:00Z network_error",
            "2026-01-31T12:00:00+01:00 network_error",
            "2026-01 network_error",
            "soon validation_error",
            "True",
        ]
        assert server.requests[0].json["timestamp"] == "2026-01-01T00:00:00Z"


def test_a_hundred_tasks_call_at_a_time() -> None:
    """In `asyncio.to_thread`, each task gets its own response."""

    def echo(connection: Connection) -> bool:
        assert connection.request is not None
        return reply(json={"data": connection.request.json})(connection)

    async def track(client: CMSClient) -> list[Any]:
        calls = [
            asyncio.to_thread(lead, client, customer_external_id=str(number))
            for number in range(100)
        ]
        return await asyncio.gather(*calls)

    with Server(echo) as server, client_of(server) as client:
        results = asyncio.run(track(client))
    customers = [result["data"]["customerExternalId"] for result in results]
    assert customers == [str(number) for number in range(100)]


@forks
def test_a_child_looks_names_up_itself() -> None:
    """It doesn't wait for a look-up that its parent has under way."""
    program = """
import os, socket, threading

from cutmeshort import resolver

asked, release = threading.Event(), threading.Event()


def getaddrinfo(*_arguments, **_options):
    asked.set()
    release.wait()
    return []


socket.getaddrinfo = getaddrinfo
thread = threading.Thread(target=lambda: resolver.resolve("name.example", 80, 60))
thread.start()
asked.wait()
child = os.fork()
if child == 0:
    release.set()
    os._exit(0 if resolver.resolve("name.example", 80, 5) == [] else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
release.set()
thread.join()
"""
    with Server(OK) as server:
        _run(program, server)
