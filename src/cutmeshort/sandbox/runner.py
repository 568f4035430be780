"""Runs a sandbox: its server, its data file, and what it needs once the page is opened."""

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Optional

from starlette.types import ASGIApp

from .._version import __version__
from .http.access import Access
from .http.app import TrackingApp
from .http.background import BackgroundServer, listen
from .http.dispatch import Dispatcher
from .http.injection import FaultInjector
from .http.logs import LOGGER
from .http.recorder import Recorder
from .state.settings import SettingOptions
from .state.state import State

if TYPE_CHECKING:
    from .control.follower import Feed
    from .control.replay import Replayer


class Runner:
    """
    Starts and stops a sandbox, any number of times.

    Args:
        state: The sandbox's state.
        token: The bearer token to accept.
        access: Checks the Host header.
        host: The address to listen on.
        port: The port to listen on; 0 selects a free one.
        data: The path of the data file; None if there is none.
        arguments: The settings that take precedence over those of the file.
    """

    def __init__(
        self,
        state: State,
        *,
        token: str,
        access: Access,
        host: str,
        port: int,
        data: Optional[str],
        arguments: SettingOptions,
    ) -> None:
        self._state = state
        self._token = token
        self._access = access
        self._address = (host, port)
        self._data = data
        self._arguments = arguments
        app = FaultInjector(TrackingApp(token, state), state)
        self._app = Recorder(Dispatcher(app, self._create_interface, access, state), state)
        self._url: Optional[str] = None
        self._server: Optional[BackgroundServer] = None  # None unless it runs
        self._feed: Optional[Feed] = None
        self._replayer: Optional[Replayer] = None
        self._create = threading.Lock()  # so that all threads share one feed and one replayer
        self._lock = threading.Lock()
        self._running = False
        self._cleanup = ExitStack()

    @property
    def url(self) -> str:
        """The base URL; RuntimeError before the first start."""
        if self._url is None:
            raise RuntimeError(
                "the sandbox has no URL until it runs: use `with Sandbox() as sandbox:`"
            )
        return self._url

    @property
    def server(self) -> BackgroundServer:
        """The server; RuntimeError if it does not run."""
        if self._server is None:
            raise RuntimeError("the sandbox does not run: use `with Sandbox() as sandbox:`")
        return self._server

    def runs(self, server: BackgroundServer) -> bool:
        """Return whether a server has not been stopped."""
        return self._server is server

    def start(self) -> None:
        """
        Open the data file, and start the server.

        Raises:
            OSError: The server can't start, or the file can't be used.
            RuntimeError: The sandbox is already running.
        """
        with self._lock, ExitStack() as cleanup:
            if self._running:
                raise RuntimeError(
                    "this Sandbox is already running: leave its `with` block first, or create "
                    "another Sandbox"
                )
            self._running = True
            cleanup.callback(setattr, self, "_running", False)
            self._url = None
            if self._data is not None:
                self._open_data(self._data, cleanup)
            host, port = self._address
            listener = listen(host, port)
            server = BackgroundServer(self._app, listener, self._end_replays)
            cleanup.callback(server.stop)
            url_host = f"[{host}]" if ":" in host else host
            # The first request may arrive before `start` returns.
            self._url = f"http://{url_host}:{listener.getsockname()[1]}"
            self._feed = None  # which has the URL of an earlier start
            try:
                server.start()
            except OSError:
                self._url = None
                raise
            self._server = server
            cleanup.callback(self._announce_stop)
            self._cleanup = cleanup.pop_all()

    def stop(self) -> None:
        """Stop the server, and close the data file."""
        self._cleanup.close()

    def feed(self) -> "Feed":
        """Return what renders the state."""
        with self._create:
            if self._feed is None:
                from .control.follower import Feed
                from .view.view import View

                view = View(
                    self._state,
                    url=self._url or "",
                    token=self._token,
                    version=__version__,
                    data=self._data,
                )
                self._feed = Feed(self._state.changes, view)
            return self._feed

    def replayer(self) -> "Replayer":
        """Return what sends requests again."""
        with self._create:
            if self._replayer is None:
                from .control.replay import Replayer

                self._replayer = Replayer(self._app, self._token)
            return self._replayer

    def _open_data(self, path: str, cleanup: ExitStack) -> None:
        from .state.storage import Storage

        storage = Storage(path, LOGGER.warning)
        cleanup.callback(storage.close)
        self._state.attach(storage, self._arguments)
        cleanup.callback(self._state.detach)

    def _create_interface(self) -> ASGIApp:
        from .interface import create_interface

        return create_interface(
            state=self._state,
            url=lambda: self.url,
            token=self._token,
            access=self._access,
            feed=self.feed,
            replayer=self.replayer(),
        )

    def _end_replays(self) -> None:
        if self._replayer is not None:
            self._replayer.stop()

    def _announce_stop(self) -> None:
        self._server = None
        self._state.changes.notify()  # ends the iterators of `events`
