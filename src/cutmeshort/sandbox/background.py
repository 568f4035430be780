"""uvicorn in a thread of its own, which starts and stops without delay."""

import asyncio
import os
import selectors
import socket
import weakref
from concurrent.futures import Future
from contextlib import closing, suppress
from functools import partial
from typing import Any, Callable, Optional

import uvicorn
from starlette.types import ASGIApp

from .faults import DroppingProtocol
from .logs import LogFilter, ServerThread

_listeners: "weakref.WeakSet[socket.socket]" = weakref.WeakSet()


def listen(host: str, port: int) -> socket.socket:
    """Create a listening socket; a forked child closes its copy."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family)
    _listeners.add(listener)
    # Connections inherit this option. Without it, the body of a response waits 40 ms for the
    # client's delayed acknowledgement of the headers.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _close_copies() -> None:
    """Close the child's copies of the listening sockets, which would keep the ports in use."""
    for listener in list(_listeners):
        listener.close()  # asyncio would also change the selector, which the parent shares


if hasattr(os, "register_at_fork"):  # pragma: no branch - not on Windows
    os.register_at_fork(after_in_child=_close_copies)


class BackgroundServer(uvicorn.Server):
    """
    A server in a thread.

    Args:
        app: The application to serve.
        listener: The listening socket, which `stop` closes.
    """

    def __init__(self, app: ASGIApp, listener: socket.socket) -> None:
        super().__init__(
            uvicorn.Config(app, http=DroppingProtocol, log_config=None, ws="none", lifespan="off")
        )
        self._listener = listener
        # Set once the server runs: a function that ends it, which any thread may call.
        self._end: Future[Callable[[], object]] = Future()
        self._thread = ServerThread(target=self._run, name="cutmeshort-sandbox", daemon=True)
        self._log_filter = LogFilter()

    def start(self) -> None:
        """
        Start the thread, and return once the server runs.

        Raises:
            OSError: The server could not start; `stop` must still be called.
        """
        failure: Optional[BaseException]
        self._log_filter.install()
        try:
            self._thread.start()
            failure = self._end.exception()
        except RuntimeError as error:  # the process can't start more threads
            failure = error
        if failure is not None:
            raise OSError(f"the sandbox could not start: {failure!r}") from failure

    def stop(self) -> None:
        """Close the listening socket and all connections, and end the thread."""
        if self._thread.is_alive():  # false in a forked child
            with suppress(Exception, SystemExit):  # the server failed, and its thread ends
                self._end.result()()
            self._thread.join()
        self._log_filter.remove()
        self._listener.close()

    def _run(self) -> None:
        try:
            _check_descriptors()
            with closing(asyncio.SelectorEventLoop()) as loop:  # whatever the application's policy
                loop.run_until_complete(self.serve(sockets=[self._listener]))
        except BaseException as error:  # noqa: BLE001 - uvicorn may call sys.exit
            # Raises if the server was already running, and the traceback shows both errors.
            self._end.set_exception(error)

    async def main_loop(self) -> None:
        """Serve until `_end` is called; uvicorn would check only every 0.1 seconds."""
        ended = asyncio.Event()
        self._end.set_result(partial(asyncio.get_running_loop().call_soon_threadsafe, ended.set))
        while not ended.is_set():
            await self.on_tick(0)  # updates the Date header
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(ended.wait(), 1)

    async def shutdown(self, sockets: Any = None) -> None:  # noqa: ARG002 - `stop` closes it
        """Close all connections at once; uvicorn would wait for clients and responses."""
        # Closing the asyncio server first would leave just accepted connections open.
        asyncio.get_running_loop().remove_reader(self._listener)
        own_task = asyncio.current_task()
        while self.server_state.connections or asyncio.all_tasks() - {own_task}:
            for connection in list(self.server_state.connections):
                connection.transport.abort()  # its tasks end, as the client is disconnected
            await asyncio.sleep(0)
        for server in self.servers:
            server.close()


def _check_descriptors() -> None:
    """
    Raise OSError if the process can't open the file descriptors of an event loop.

    asyncio does not clean up after this error.
    """
    with selectors.DefaultSelector():
        for end in socket.socketpair():
            end.close()
