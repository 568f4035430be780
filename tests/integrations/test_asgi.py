"""What is special about the middleware for FastAPI and Starlette."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import FastAPI, Request, WebSocket
from starlette.testclient import TestClient

from cutmeshort.integrations.asgi import ClickIdMiddleware

from .shops import PATHS, asgi_get, starlette_app


@pytest.mark.parametrize("path", PATHS)
def test_add_middleware_works_in_starlette(path: str) -> None:
    """The middleware keeps the click, except in responses to exceptions that no handler handles."""
    app = starlette_app()
    app.add_middleware(ClickIdMiddleware, max_age=60)
    page = asgi_get(app)(f"{path}?cms_rf=new")
    assert page.status == PATHS[path]
    assert (page.cookie is not None) == (path != "/error")


def fastapi_app(**options: Any) -> FastAPI:
    """Create an application whose page and websocket send the click id."""
    app = FastAPI()
    app.add_middleware(ClickIdMiddleware, **options)

    @app.get("/page")
    async def page(request: Request) -> Any:
        return request.state.cms_click_id

    @app.websocket("/socket")
    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(str(websocket.state.cms_click_id))
        await websocket.close()

    return app


def test_add_middleware_works_in_fastapi() -> None:
    """An endpoint of FastAPI gets the click id, and its response sets the cookie."""
    page = asgi_get(fastapi_app(max_age=60))("/page?cms_rf=new")
    assert page.text == '"new"'
    assert page.cookie is not None


@pytest.mark.parametrize(("agreed", "expected"), [(True, "old"), (False, "None")])
def test_a_websocket_only_reads(agreed: bool, expected: str) -> None:
    """The click id of a websocket is that of its handshake, which sets no cookie."""
    paths: list[str] = []

    def consent(connection: Any) -> bool:
        paths.append(connection.url.path)
        return agreed

    client = TestClient(fastapi_app(max_age=60, consent=consent))
    for query, cookie, text in (("?cms_rf=new", "", "new"), ("", "cms_rf=old", expected)):
        with client.websocket_connect(f"/socket{query}", headers={"Cookie": cookie}) as socket:
            assert socket.receive_text() == text
            assert not socket.extra_headers
    assert paths == ["/socket", "/socket"]


def test_the_lifespan_and_its_state_stay() -> None:
    """The application starts and stops, and its state is available together with the click id."""
    events: list[str] = []
    sent: list[Any] = []
    to_receive = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[dict[str, str]]:
        events.append("start")
        yield {"shop": "one"}
        events.append("stop")

    app = FastAPI(lifespan=lifespan)
    app.add_middleware(ClickIdMiddleware)

    @app.get("/page")
    async def page(request: Request) -> Any:
        return [request.state.shop, request.state.cms_click_id]

    async def receive() -> Any:
        return to_receive.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    async def run() -> None:
        state: dict[str, str] = {}
        await app({"type": "lifespan", "state": state}, receive, send)
        scope = {"type": "http", "method": "GET", "path": "/page", "query_string": b"cms_rf=new"}
        await app({**scope, "headers": [], "state": state.copy()}, receive, send)

    asyncio.run(run())
    assert events == ["start", "stop"]
    started, stopped, _, body = sent[:4]
    assert (started["type"], stopped["type"]) == (
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    )
    assert body["body"] == b'["one","new"]'


def test_an_application_may_leave_out_what_asgi_allows() -> None:
    """A scope without a scheme is not https, and a response may have no headers."""
    sent: list[Any] = []

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body"})

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "path": "/", "query_string": b"cms_rf=new", "headers": []}
    middleware: Any = ClickIdMiddleware(app, max_age=60)
    asyncio.run(middleware(scope, None, send))
    headers = dict(sent[0]["headers"])
    assert headers[b"set-cookie"].startswith(b"cms_rf=new; ")
    assert b"secure" not in headers[b"set-cookie"].lower()
    assert headers[b"cache-control"] == b"private"
    assert sent[1] == {"type": "http.response.body"}


def test_several_headers_of_a_name_are_merged() -> None:
    """The response has one `Vary` and one `Cache-Control`, with the values of all."""
    sent: list[Any] = []
    given = [(b"vary", b"Accept"), (b"vary", b"Origin"), (b"cache-control", b"public")]

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": given})

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "path": "/", "query_string": b"cms_rf=new", "headers": []}
    middleware: Any = ClickIdMiddleware(app, max_age=60)
    asyncio.run(middleware(scope, None, send))
    ((_, cookie), *others) = sorted(sent[0]["headers"], key=lambda pair: pair[0] != b"set-cookie")
    assert cookie.startswith(b"cms_rf=new; ")
    assert sorted(others) == [(b"cache-control", b"private"), (b"vary", b"Accept, Origin, Cookie")]


def test_the_message_of_the_application_stays() -> None:
    """A message that the application sends to several visitors has no cookie of an earlier one."""
    sent: list[Any] = []
    start = {"type": "http.response.start", "status": 200, "headers": [(b"x-shop", b"one")]}

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send(start)

    async def send(message: Any) -> None:
        sent.append(message)

    middleware: Any = ClickIdMiddleware(app, max_age=60)
    for query in (b"cms_rf=new", b""):
        scope = {"type": "http", "path": "/", "query_string": query, "headers": []}
        asyncio.run(middleware(scope, None, send))
    assert [len(message["headers"]) for message in sent] == [4, 1]
