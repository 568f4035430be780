"""A uvicorn server in its own thread, which starts and stops without delay."""

import asyncio
import concurrent.futures
import os
import selectors
import socket
import threading
import weakref
from collections.abc import Coroutine
from contextlib import closing, suppress
from functools import partial
from typing import Any, Callable, Optional, TypeVar

import uvicorn
from starlette.types import ASGIApp

from .injection import DroppingProtocol
from .logs import LogFilter, ServerThread

ResultT = TypeVar("ResultT")
_POLL_SECONDS = 0.1

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


def listening_ports() -> set[int]:
    """Return the ports on which the sandboxes of this process listen."""
    ports = set()
    for listener in list(_listeners):
        with suppress(OSError):  # it is closed
            ports.add(listener.getsockname()[1])
    return ports


def _close_inherited_listeners() -> None:
    """Close a forked child's copies of listening sockets, which would keep the ports in use."""
    for listener in list(_listeners):
        listener.close()  # not by asyncio, which would unregister it from the parent's selector


if hasattr(os, "register_at_fork"):  # pragma: no branch - not on Windows
    os.register_at_fork(after_in_child=_close_inherited_listeners)


class BackgroundServer(uvicorn.Server):
    """
    A server in a thread.

    Args:
        app: The application to serve.
        listener: The listening socket, which `stop` closes.
        on_stop: Ends the tasks that the closed connections do not end. It is called in the thread,
            several times, while the server stops.
    """

    def __init__(
        self, app: ASGIApp, listener: socket.socket, on_stop: Callable[[], object]
    ) -> None:
        super().__init__(
            uvicorn.Config(app, http=DroppingProtocol, log_config=None, ws="none", lifespan="off")
        )
        self._listener = listener
        self._on_stop = on_stop
        self._ready = threading.Event()  # the server runs, or has failed to start
        self._failure: Optional[BaseException] = None
        self._loop: asyncio.AbstractEventLoop  # main_loop sets it
        self._request_stop: Callable[[], object] = lambda: None  # main_loop replaces it
        self._thread = ServerThread(target=self._run, name="cutmeshort-sandbox", daemon=True)
        self._log_filter = LogFilter()

    def start(self) -> None:
        """
        Start the thread, and return once the server runs.

        Raises:
            OSError: The server could not start; `stop` must still be called.
        """
        self._log_filter.install()
        try:
            self._thread.start()
            self._ready.wait()
        except RuntimeError as error:  # the process can't start more threads
            self._failure = error
        if self._failure is not None:
            raise OSError(f"the sandbox could not start: {self._failure!r}") from self._failure

    def stop(self) -> None:
        """Close the listening socket and all connections, and end the thread."""
        if self._thread.is_alive():  # false in a forked child
            self._ready.wait()
            with suppress(RuntimeError):  # the server failed and has closed its event loop
                self._request_stop()
            self._thread.join()
        self._log_filter.remove()
        self._listener.close()

    def run_in_thread(self, coroutine: Coroutine[Any, Any, ResultT]) -> ResultT:
        """
        Run a coroutine in the server's thread, and return its result.

        Raises:
            RuntimeError: The server has stopped, or has failed before the coroutine ended.
        """
        try:
            future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        except RuntimeError:  # the event loop is closed
            coroutine.close()
            raise RuntimeError("the sandbox has stopped") from None
        try:
            return self._wait(future)
        finally:
            future.cancel()  # if an exception such as KeyboardInterrupt has ended the wait
            if self._loop.is_closed():
                coroutine.close()  # in case it was never awaited

    def _wait(self, future: "concurrent.futures.Future[ResultT]") -> ResultT:
        while not future.done() and self._thread.is_alive():
            concurrent.futures.wait([future], _POLL_SECONDS)
        if not future.done() or future.cancelled():
            raise RuntimeError("the sandbox has stopped")
        return future.result()

    def _run(self) -> None:
        try:
            _check_descriptors()
            with closing(asyncio.SelectorEventLoop()) as loop:  # whatever the application's policy
                try:
                    loop.run_until_complete(self.serve(sockets=[self._listener]))
                finally:
                    _cancel_tasks(loop)
        except BaseException as error:  # uvicorn may call sys.exit
            if self._ready.is_set():
                raise RuntimeError("the sandbox's server failed") from error
            self._failure = error
            self._ready.set()

    async def main_loop(self) -> None:
        """Serve until `stop` is called; uvicorn would check only every 0.1 seconds."""
        stopping = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._request_stop = partial(self._loop.call_soon_threadsafe, stopping.set)
        self._ready.set()
        while not stopping.is_set():
            await self.on_tick(0)  # updates the Date header
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(stopping.wait(), 1)

    async def shutdown(self, sockets: Any = None) -> None:  # noqa: ARG002 - `stop` closes it
        """Close all connections at once; uvicorn would wait for clients and responses."""
        # Closing the asyncio server first would leave newly accepted connections open.
        asyncio.get_running_loop().remove_reader(self._listener)
        own_task = asyncio.current_task()
        while self.server_state.connections or asyncio.all_tasks() - {own_task}:
            self._on_stop()
            for connection in list(self.server_state.connections):
                connection.transport.abort()  # which also ends the tasks of its requests
            await asyncio.sleep(0)
        for server in self.servers:
            server.close()


def _cancel_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """End the tasks of a server that failed; otherwise, `shutdown` has ended all."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.wait(tasks))


def _check_descriptors() -> None:
    """
    Raise OSError if the process can't open the file descriptors that an event loop needs.

    An event loop that can't open them all does not close those that it has opened.
    """
    with selectors.DefaultSelector():
        for end in socket.socketpair():
            end.close()
