"""Redirects the clients of an application to a sandbox while its tests run."""

import threading
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any, Callable, Optional, Union
from urllib.parse import SplitResult, urlsplit

from .api_client import ApiClient
from .checks import check_headers, check_host, check_token, is_loopback
from .configuration import Configuration
from .headers import merge_headers
from .models import EventPayload
from .operations import Operation
from .request_options import RequestOptions
from .rest import RESTClientObject, RESTResponse

_lock = threading.Lock()
_redirects: "list[_Redirect]" = []
_originals: dict[str, Callable[..., Any]] = {}


@contextmanager
def redirect(url: str, token: str) -> Iterator[None]:
    """
    Send the calls of all clients of this process to another URL until the `with` block ends.

    A redirected call sends `token`, and never the client's own token: `_request_auth`, and
    `Authorization` in `_headers`, are left out. The call uses the client's timeouts, retries and
    default headers, without the client's proxy and TLS settings. A proxy from the environment
    applies, except to loopback. A closed client stays closed. Log records still name the client's
    own host.

    Clients that exist when the block begins are redirected and enabled, even if `CMS_ENABLED=0`. A
    disabled client that is created in the block stays disabled. A client that is created in the
    block for another address on loopback is not redirected, as that may be a server of the test.

    Blocks can be nested: the one that began last applies. All threads are affected.

    Args:
        url: Base URL, such as `Sandbox.url`. Plain `http://` is allowed to any host.
        token: The bearer token to send, such as `Sandbox.token`.

    Raises:
        ApiValueError: `url` or `token` is invalid.
    """
    active = _Redirect(check_host("url", url), check_token("token", token))
    with _lock:
        if not _redirects:
            _patch()
        _redirects.append(active)
    try:
        yield
    finally:
        with _lock:
            _redirects.remove(active)
            if not _redirects:
                _restore()
        active.close()


@contextmanager
def observe_hosts(observer: Callable[[SplitResult], object]) -> Iterator[None]:
    """Call `observer` for each call that any client sends, with a URL that has only the host."""
    request = RESTClientObject.request

    @wraps(request)
    def observed_request(rest: RESTClientObject, *arguments: Any) -> RESTResponse:
        if not _is_closed(rest):
            observer(urlsplit(f"//{rest._host}"))
        return request(rest, *arguments)

    _set(RESTClientObject, "request", observed_request)
    try:
        yield
    finally:
        _set(RESTClientObject, "request", request)


class _Redirect:
    """
    One `with` block of `redirect`.

    Attributes:
        created: The clients that were created in the block.
    """

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self._token = token
        self._substitutes: weakref.WeakKeyDictionary[ApiClient, ApiClient] = (
            weakref.WeakKeyDictionary()
        )
        self.created: weakref.WeakSet[ApiClient] = weakref.WeakSet()

    def applies_to(self, client: ApiClient) -> bool:
        """Return whether the calls of a client are redirected."""
        if client._rest is not None and _is_closed(client._rest):
            return False
        if client not in self.created:
            return True
        settings = client.configuration
        # A client can have its host from a CMS_HOST that was set for this block or an outer one.
        is_redirect = settings.host in [each.url for each in _redirects]
        is_local = is_loopback(urlsplit(settings.host).hostname or "")
        return settings.enabled and (is_redirect or not is_local)

    def substitute(self, client: ApiClient) -> ApiClient:
        """Return the client that sends the calls of another one to the URL."""
        found = self._substitutes.get(client)
        if found is None:
            # No lock: if two threads create one at once, the first of them is used.
            found = self._substitutes.setdefault(client, self._make_substitute(client))
        found._headers = merge_headers(found._sdk_headers, client._default_headers)
        return found

    def close(self) -> None:
        """Close the connections."""
        for substitute in list(self._substitutes.values()):
            substitute.close()

    def _make_substitute(self, client: ApiClient) -> ApiClient:
        settings = client.configuration
        return ApiClient(
            Configuration(
                self.url,
                self._token,
                timeout=settings.timeout,
                request_timeout=settings.request_timeout,
                retries=settings.retries,
                connection_pool_maxsize=settings.connection_pool_maxsize,
                socket_options=settings.socket_options,
                allow_insecure_http=True,
                enabled=True,
            )
        )


def _patch() -> None:
    """Replace the methods that create a client and send a call; `_restore` undoes that."""
    _originals.update(_send=ApiClient._send, __init__=ApiClient.__init__)
    original_send, original_init = ApiClient._send, ApiClient.__init__

    @wraps(original_send)
    def send(
        client: ApiClient,
        operation: Operation,
        payload: Union[EventPayload, Mapping[str, Any]],
        options: RequestOptions,
    ) -> Any:
        innermost = _redirects[-1:]  # empty if the last block ends at this moment
        if not innermost or not innermost[0].applies_to(client):
            return original_send(client, operation, payload, options)
        substitute = innermost[0].substitute(client)
        return original_send(substitute, operation, payload, _without_token(options))

    @wraps(original_init)
    def init(client: ApiClient, configuration: Optional[Configuration] = None) -> None:
        for each in _redirects:
            each.created.add(client)
        original_init(client, configuration)

    _set(ApiClient, "_send", send)
    _set(ApiClient, "__init__", init)


def _restore() -> None:
    for name, function in _originals.items():
        _set(ApiClient, name, function)


def _without_token(options: RequestOptions) -> RequestOptions:
    """Leave out the token of a call, after the same checks as in a call that is not redirected."""
    auth, headers = options.get("_request_auth"), options.get("_headers")
    if auth is not None:
        check_token("_request_auth", auth)
    if headers is not None:
        headers = check_headers("_headers", headers)
        headers = {k: v for k, v in headers.items() if k.lower() != "authorization"}
    return {**options, "_request_auth": None, "_headers": headers}


def _is_closed(rest: RESTClientObject) -> bool:
    return rest._pool.pool is None


def _set(owner: type, name: str, function: Callable[..., Any]) -> None:
    setattr(owner, name, function)  # type checkers do not allow an assignment
