"""ASGI middleware that separates the requests to the interface from all others."""

import asyncio
import concurrent.futures
import threading
from typing import Callable, Optional

from starlette.types import ASGIApp, Receive, Scope, Send

from ..state.state import State
from .access import Access
from .response_formats import make_error

PAGES = frozenset({"/", "/demo", "/docs", "/openapi.json"})
_FOLDERS = ("/_sandbox/", "/demo/", "/s/")


class Dispatcher:
    """
    An ASGI application that passes requests on to the interface or to the tracking application.

    The interface checks the headers of its requests; those of all others are checked here. Recorder
    must wrap this application: it decides whether another website sends the request.

    Args:
        app: The tracking application, with its faults.
        create_interface: Creates the interface at the first request to one of its paths. It runs in
            another thread, so that operations are served while it imports modules.
        access: Checks the Host header.
        state: The sandbox's state.
    """

    def __init__(
        self,
        app: ASGIApp,
        create_interface: Callable[[], ASGIApp],
        access: Access,
        state: State,
    ) -> None:
        self._app = app
        self._create_interface = create_interface
        self._interface: Optional[ASGIApp] = None
        self._create = threading.Lock()
        self._access = access
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or reject it because of its Host header or another website."""
        path = scope["path"]
        if path in PAGES or path.startswith(_FOLDERS):
            interface = self._interface
            if interface is None:
                # Not asyncio.to_thread, whose thread would outlive the server.
                with concurrent.futures.ThreadPoolExecutor(1) as executor:
                    loop = asyncio.get_running_loop()
                    interface = await loop.run_in_executor(executor, self._load_interface)
            await interface(scope, receive, send)
            return
        refusal = self._access.host_refusal(scope["headers"]) or scope["state"]["refusal"]
        if refusal is None:
            await self._app(scope, receive, send)
            return
        response = make_error(scope, self._state.settings.error_response, refusal)
        await response(scope, receive, send)

    def _load_interface(self) -> ASGIApp:
        with self._create:  # one of several first requests creates it
            if self._interface is None:
                self._interface = self._create_interface()
            return self._interface
