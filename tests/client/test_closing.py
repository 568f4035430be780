"""Closing a client before, during and after its calls."""

import threading
from typing import Any

import pytest

from cutmeshort import CMSClient
from cutmeshort.operations import Operation

from ..support.events import client_of, lead
from ..support.operations import each_operation, track
from ..support.server import OK, Server, drop
from ..support.timing import LONG


@each_operation
def test_a_closed_client_returns_an_error(operation: Operation) -> None:
    """A client can be closed twice; a call after that returns an error and sends nothing."""
    with Server() as server:
        client = client_of(server)
        track(client, operation)
        client.close()
        client.close()
        assert server.wait_until_all_closed()
        assert track(client, operation) == {
            "success": False,
            "error": "The client is closed: create a new one.",
            "status_code": 0,
            "type": "client_closed",
            "retryable": True,
            "attempts": 0,
        }
        assert len(server.requests) == 1


def test_a_call_in_progress_succeeds_after_the_client_is_closed() -> None:
    """A call in progress still succeeds if another thread closes the client."""
    request_arrived, closed = threading.Event(), threading.Event()

    def step(connection: Any) -> bool:
        request_arrived.set()
        closed.wait(LONG)
        return OK(connection)

    with Server(step) as server:
        client = client_of(server)
        results: list[Any] = []
        thread = threading.Thread(target=lambda: results.append(lead(client)))
        thread.start()
        assert request_arrived.wait(LONG)
        client.close()
        closed.set()
        thread.join()
        assert results[0]["success"] is True


@pytest.mark.usefixtures("no_wait")
def test_a_call_on_a_closed_client_does_not_retry() -> None:
    """A call returns an error instead of a retry if the client is closed after an attempt."""
    clients: list[CMSClient] = []

    def close_and_fail(connection: Any) -> bool:
        clients[0].close()
        return drop(connection)

    with Server(close_and_fail) as server:
        clients.append(client_of(server))
        assert lead(clients[0])["type"] == "client_closed"
        assert len(server.requests) == 1


@pytest.mark.parametrize("calls", range(0, 40, 5))
def test_a_client_can_be_closed_at_any_time(calls: int) -> None:
    """After a close, calls in progress end, later ones fail, and no connection stays open."""
    with Server(OK) as server:
        client = client_of(server)
        results: list[Any] = []
        finished = threading.Semaphore(0)

        def work() -> None:
            success = True
            while success:
                result = lead(client)
                success = result["success"]
                results.append(result)
                finished.release()

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for _ in range(calls):
            finished.acquire()
        client.close()
        for thread in threads:
            thread.join()
        outcomes = [result.get("type", "success") for result in results]
        assert set(outcomes) <= {"success", "client_closed"}
        assert outcomes.count("success") >= calls
        assert server.wait_until_all_closed()


def test_a_client_can_be_closed_before_its_first_call() -> None:
    """A call on a client that was closed before its first call connects to nothing and fails."""
    with Server() as server, client_of(server) as client:
        client.close()
        assert lead(client)["type"] == "client_closed"
        assert server.connections == 0
