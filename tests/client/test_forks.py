"""Forks: parent and child use the same client, each with its own connections."""

import os

import pytest

from cutmeshort import CMSClient
from cutmeshort.operations import Operation

from ..support.events import TOKEN, client_of, lead
from ..support.forking import forked_child, forks
from ..support.operations import each_operation, minimal
from ..support.processes import run_client
from ..support.server import OK, Server, respond


@forks
def test_a_closed_client_stays_closed_after_a_fork() -> None:
    """A forked child can't use a client that its parent closed before the fork."""
    client = CMSClient(TOKEN, "http://127.0.0.1:9")
    client.close()
    child = os.fork()
    if child == 0:
        os._exit(0 if lead(client)["type"] == "client_closed" else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@forks
def test_after_a_fork_each_process_uses_its_own_connection() -> None:
    """A forked child opens its own connection and does not use its parent's."""
    with Server(OK) as server, client_of(server) as client:
        assert lead(client)["success"] is True
        child = os.fork()
        if child == 0:
            os._exit(0 if lead(client, customer_external_id="child")["success"] else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert lead(client)["success"] is True
        assert [request.connection for request in server.requests] == [1, 2, 1]


@forks
def test_a_child_does_not_keep_its_parents_idle_connections_open() -> None:
    """A connection that the parent closes after the fork is closed while its child still runs."""
    with Server(OK) as server:
        client = client_of(server)
        lead(client)
        with forked_child():
            client.close()
            assert server.wait_until_all_closed()


@forks
def test_a_process_can_fork_during_calls() -> None:
    """A process can fork while its threads make calls, and the calls of both processes succeed."""
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
        run_client(program, server)
        assert server.wait_until_all_closed()


@forks
@each_operation
@pytest.mark.parametrize("milliseconds", [1, 4, 8])
def test_a_child_forked_during_the_first_call_does_not_hang(
    operation: Operation, milliseconds: int
) -> None:
    """A forked child does not wait for an import in another thread of its parent."""
    program = f"""
import os, sys, threading

client = CLIENT
arguments = {minimal(operation)}
call = lambda: client.{operation.name}(**arguments, timestamp="2026-01-31")["success"]
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
        run_client(program, server)


@each_operation
def test_a_call_imports_nothing(operation: Operation) -> None:
    """A call imports no module, so that a fork during a call can't happen during an import."""
    program = f"""
import sys

client = CLIENT
before = set(sys.modules)
for max_retries in (3, 0):
    client.{operation.name}(**{minimal(operation)}, max_retries=max_retries)
print(sorted(set(sys.modules) - before))
"""
    dated = respond(503, headers={"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"})
    with Server(OK, dated) as server:
        assert run_client(program, server) == "[]\n"


@forks
def test_a_child_does_not_wait_for_its_parents_name_look_up() -> None:
    """A forked child looks a name up itself, and does not wait for a look-up of its parent."""
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
    os._exit(0 if resolver.resolve("name.example", 80, 30) == [] else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
release.set()
thread.join()
"""
    with Server(OK) as server:
        run_client(program, server)
