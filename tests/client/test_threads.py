"""Threads that share one client."""

import asyncio
import threading
from typing import Any

from cutmeshort import CMSClient

from ..support.events import client_of, lead
from ..support.server import Connection, Server, respond


def echo(connection: Connection) -> bool:
    """Respond with the request's body."""
    assert connection.request is not None
    return respond(json={"data": connection.request.json})(connection)


def test_many_threads_share_a_client() -> None:
    """Sixteen threads that share a client each get their own responses."""
    with Server(echo) as server, client_of(server) as client:
        results: list[Any] = []

        def work(number: int) -> None:
            for call in range(10):
                customer = f"{number}-{call}"
                result = lead(client, customer_external_id=customer)
                results.append(result["data"]["customerExternalId"] == customer)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results == [True] * 160
        sent = {request.json["customerExternalId"] for request in server.requests}
        assert len(server.requests) == len(sent) == 160


def test_a_hundred_tasks_share_a_client() -> None:
    """A hundred tasks that call `asyncio.to_thread` each get their own response."""

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
