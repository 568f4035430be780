"""
The same small shop in each framework, and its test client.

Each shop has the paths of PATHS. A page shows the click id. The request headers `X-Cache-Control`
and `X-Vary` are the `Cache-Control` and `Vary` of its response.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.cookies import Morsel, SimpleCookie
from typing import Any, Callable, NamedTuple, Optional

import django
import flask
from asgiref.sync import SyncToAsync
from django.conf import settings
from django.http import HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.test import AsyncClient, Client, override_settings
from django.urls import path as django_path
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from cutmeshort.integrations.asgi import ClickIdMiddleware
from cutmeshort.integrations.flask import ClickId

PATHS = {"/page": 200, "/stream": 200, "/login": 302, "/missing": 404, "/error": 500}
DJANGO = "cutmeshort.integrations.django.ClickIdMiddleware"


class Page(NamedTuple):
    """
    A response.

    Attributes:
        status: The status code.
        text: The body: the click id, or `None`.
        cookies: The values of the `Set-Cookie` headers.
        vary: The `Vary` header, or None.
        cache_control: The `Cache-Control` header, or None.
    """

    status: int
    text: str
    cookies: list[str]
    vary: Optional[str]
    cache_control: Optional[str]

    @property
    def cookie(self) -> Optional["Morsel[str]"]:
        """The one cookie of the click that the response sets, as a browser stores it."""
        parsed: SimpleCookie = SimpleCookie()
        for header in self.cookies:
            assert header.isascii()
            assert header.isprintable()
            parsed.load(header)
        assert len(parsed) == len(self.cookies) <= 1
        return next(iter(parsed.values()), None)


Get = Callable[..., Page]


def cookies_of(request: Any) -> Any:
    """Return the cookies of a request of any of the frameworks."""
    return request.COOKIES if hasattr(request, "COOKIES") else request.cookies


def _given(headers: Any) -> dict[str, str]:
    names = ("Cache-Control", "Vary")
    return {name: headers[f"X-{name}"] for name in names if f"X-{name}" in headers}


# Django


def _page(request: Any) -> HttpResponse:
    return HttpResponse(str(request.cms_click_id), headers=_given(request.headers))


def _stream(request: Any) -> StreamingHttpResponse:
    return StreamingHttpResponse(iter([str(request.cms_click_id)]), headers=_given(request.headers))


def _login(_request: Any) -> HttpResponseRedirect:
    return HttpResponseRedirect("/accounts/login")


def _error(_request: Any) -> HttpResponse:
    raise RuntimeError


async def _page_async(request: Any) -> HttpResponse:
    return _page(request)


async def _stream_async(request: Any) -> StreamingHttpResponse:
    async def chunks() -> AsyncIterator[str]:
        yield str(request.cms_click_id)

    return StreamingHttpResponse(chunks(), headers=_given(request.headers))


async def _login_async(request: Any) -> HttpResponseRedirect:
    return _login(request)


async def _error_async(request: Any) -> HttpResponse:
    return _error(request)


def _urls(page: Any, stream: Any, login: Any, error: Any) -> Any:
    views = {"page": page, "stream": stream, "login": login, "error": error}
    return tuple(django_path(name, view) for name, view in views.items())


SYNC_URLS = _urls(_page, _stream, _login, _error)
ASYNC_URLS = _urls(_page_async, _stream_async, _login_async, _error_async)

if not settings.configured:
    settings.configure(
        ALLOWED_HOSTS=["*"],
        LOGGING_CONFIG=None,
        MIDDLEWARE=[DJANGO],
        INSTALLED_APPS=["cutmeshort.integrations.django_outbox"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    )
    django.setup()


def _read_django(response: Any) -> Page:
    cookies = [morsel.OutputString() for morsel in response.cookies.values()]
    get = response.headers.get
    return Page(response.status_code, "", cookies, get("Vary"), get("Cache-Control"))


def _set_cookies(client: Any, header: str) -> None:
    """Make a client send exactly this `Cookie` header."""
    client.cookies.clear()
    for pair in filter(None, header.split("; ")):
        name, _, value = pair.partition("=")
        morsel: Morsel[str] = Morsel()
        morsel.set(name, value, value)
        client.cookies[name] = morsel


def django_shop(**options: Any) -> Get:
    """Create the shop in Django, with sync views."""
    client: Any = Client(raise_request_exception=False)
    with override_settings(CMS_CLICK_ID=options):
        client.handler.load_middleware()

    def get(target: str, secure: bool = False, cookie: str = "", **headers: str) -> Page:
        _set_cookies(client, cookie)
        with override_settings(ROOT_URLCONF=SYNC_URLS):
            response = client.get(target, secure=secure, headers=_headers(headers))
        text = response.getvalue().decode()
        return _read_django(response)._replace(text=text)

    return get


@contextmanager
def sync_code_in_a_thread() -> Iterator[None]:
    """Run Django's sync code in a thread that has ended at the end of the block."""
    former = SyncToAsync.single_thread_executor
    with ThreadPoolExecutor(max_workers=1) as executor:
        SyncToAsync.single_thread_executor = executor
        try:
            yield
        finally:
            SyncToAsync.single_thread_executor = former


def django_async_shop(**options: Any) -> Get:
    """Create the shop in Django, with async views."""
    client: Any = AsyncClient(raise_request_exception=False)
    with override_settings(CMS_CLICK_ID=options):
        client.handler.load_middleware(is_async=True)

    async def get_async(target: str, secure: bool, headers: dict[str, str]) -> Page:
        response = await client.get(target, secure=secure, headers=headers)
        if response.streaming:
            content = b"".join([chunk async for chunk in response.streaming_content])
        else:
            content = response.content
        return _read_django(response)._replace(text=content.decode())

    def get(target: str, secure: bool = False, cookie: str = "", **headers: str) -> Page:
        _set_cookies(client, cookie)
        with sync_code_in_a_thread(), override_settings(ROOT_URLCONF=ASYNC_URLS):
            return asyncio.run(get_async(target, secure, _headers(headers)))

    return get


# Flask


def flask_shop(**options: Any) -> Get:
    """Create the shop in Flask."""
    app = flask.Flask(__name__)

    @app.before_request
    def require_login() -> Any:
        """Redirect before ClickId's own function would be called."""
        return flask.redirect("/accounts/login") if flask.request.path == "/login" else None

    ClickId(app, **options)

    @app.get("/page")
    def page() -> Any:
        return flask.Response(str(flask.g.cms_click_id), headers=_given(flask.request.headers))

    @app.get("/stream")
    def stream() -> Any:
        def chunks() -> Iterator[str]:
            yield str(flask.g.cms_click_id)

        body = flask.stream_with_context(chunks())
        return flask.Response(body, headers=_given(flask.request.headers))

    @app.get("/error")
    def error() -> Any:
        raise RuntimeError

    return flask_get(app)


def flask_get(app: flask.Flask) -> Get:
    """Return the function that gets a page of an application in Flask."""
    client = app.test_client(use_cookies=False)

    def get(target: str, secure: bool = False, **headers: str) -> Page:
        scheme = "https" if secure else "http"
        response = client.get(target, base_url=f"{scheme}://testserver", headers=_headers(headers))
        cookies = response.headers.getlist("Set-Cookie")
        found = [response.headers.get(name) for name in ("Vary", "Cache-Control")]
        return Page(response.status_code, response.get_data(as_text=True), cookies, *found)

    return get


# Starlette


async def _starlette_page(request: Request) -> PlainTextResponse:
    text = str(request.state.cms_click_id)
    return PlainTextResponse(text, headers=_given(request.headers))


async def _starlette_stream(request: Request) -> StreamingResponse:
    async def chunks() -> AsyncIterator[str]:
        yield str(request.state.cms_click_id)

    return StreamingResponse(chunks(), headers=_given(request.headers))


async def _starlette_login(_request: Request) -> RedirectResponse:
    return RedirectResponse("/accounts/login", 302)


async def _starlette_error(_request: Request) -> PlainTextResponse:
    raise RuntimeError


async def _starlette_missing(_request: Request, _error: Exception) -> PlainTextResponse:
    return PlainTextResponse("", 404)


def starlette_app() -> Starlette:
    """Create the shop in Starlette, without the middleware."""
    endpoints = {
        "/page": _starlette_page,
        "/stream": _starlette_stream,
        "/login": _starlette_login,
        "/error": _starlette_error,
    }
    return Starlette(
        routes=[Route(path, endpoint) for path, endpoint in endpoints.items()],
        # Starlette runs its own handler, which is not async, in a thread that stops later.
        exception_handlers={404: _starlette_missing},
    )


def starlette_shop(**options: Any) -> Get:
    """Create the shop in Starlette, in the middleware: then it sees responses of status 500."""
    return asgi_get(ClickIdMiddleware(starlette_app(), **options))


def asgi_get(app: Any) -> Get:
    """Return the function that gets a page of an ASGI application."""

    def get(target: str, secure: bool = False, **headers: str) -> Page:
        scheme = "https" if secure else "http"
        client = TestClient(app, f"{scheme}://testserver", raise_server_exceptions=False)
        response = client.get(target, headers=_headers(headers), follow_redirects=False)
        cookies = response.headers.get_list("Set-Cookie")
        found = [response.headers.get(name) for name in ("Vary", "Cache-Control")]
        return Page(response.status_code, response.text, cookies, *found)

    return get


def _headers(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


SHOPS = {
    "django": django_shop,
    "django async": django_async_shop,
    "flask": flask_shop,
    "starlette": starlette_shop,
}
