"""RESTClientObject: a call with its attempts and its deadline."""

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NoReturn, Optional
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from ..configuration import Configuration
from ..exceptions import ATTEMPTS, ApiException, is_application_error
from ..logs import log_attempt
from ..proxies import find_proxy
from ..retry import is_retried, next_wait
from .attempt import Attempt, current_attempt
from .connections import make_pool
from .errors import clear_locals, safe_cause, translate_error
from .response import RESTResponse

_NO_RETRY = urllib3.Retry(False)
_timeout = lru_cache(maxsize=16)(urllib3.Timeout)


@dataclass
class RESTRequest:
    """
    The request of one call.

    Attributes:
        operation: The name of the operation, for the log.
        method: The HTTP method.
        target: The target in the request line: a path, or a URL for a forwarding proxy.
        headers: All headers except Content-Length.
        body: The body; every attempt sends the same bytes.
        timeout: Seconds for the whole call.
        attempt_timeout: Seconds for one attempt: to connect, and for the response.
        max_retries: How many attempts may follow the first one.
    """

    operation: str
    method: str
    target: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    timeout: float
    attempt_timeout: tuple[float, float]
    max_retries: int


class RESTClientObject:
    """
    Sends requests to one host, and keeps connections. Any number of threads may use it.

    Attributes:
        forwarded: Whether a proxy forwards the requests. If so, the target of a request is the
            whole URL, and urllib3 adds the proxy's headers.

    Raises:
        ApiValueError: A certificate, key or proxy of the configuration is not valid.
    """

    def __init__(self, configuration: Configuration) -> None:
        url = urlsplit(configuration.host)
        proxy = find_proxy(configuration)
        self.forwarded = proxy is not None and url.scheme == "http"
        self._host = url.netloc
        self._proxy = "" if proxy is None else proxy.url
        self._pool = make_pool(configuration, proxy)

    def request(self, request: RESTRequest) -> RESTResponse:
        """
        Send a request, with retries until the deadline.

        Returns:
            The response, of any status.

        Raises:
            ApiException: There was no usable response; its status is 0.
        """
        deadline = time.monotonic() + request.timeout
        attempts, retried = 0, False
        try:
            while True:
                attempts += 1
                started = time.monotonic()
                attempt = Attempt(deadline, *request.attempt_timeout)
                wait: Optional[float] = None
                try:
                    response = self._send(request, attempt)
                except ApiException as error:
                    closed = error.type == "client_closed"  # no attempt was made
                    error.attempts = attempts - 1 if closed else attempts
                    # If the service closed a kept connection, that is no reason to wait.
                    stale = attempt.stale and error.type == "network_error"
                    if is_retried(0, error.type):
                        wait = _wait(request, attempts, deadline, 0.0 if stale else None)
                    if not closed:
                        log_attempt(request, attempts, 0, error.type, started, wait)
                    if wait is None:
                        raise
                else:
                    response.retried, response.attempts = retried, attempts
                    if is_retried(response.status):
                        wait = _wait(request, attempts, deadline, response.retry_after())
                    log_attempt(request, attempts, response.status, "", started, wait)
                    if wait is None:
                        return response
                retried = retried or (attempt.sent and not attempt.refused)
                time.sleep(wait)
        except ApiException:
            raise
        except Exception as error:
            if not is_application_error(error):  # a bug, or a signal handler's built-in exception
                vars(error)[ATTEMPTS] = attempts
            raise

    def close(self) -> None:
        """Close all connections. Later requests fail."""
        idle: Any = self._pool.pool
        self._pool.close()
        if idle is not None:
            idle.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a client can't be pickled, as it has the token: make one in each process")

    def _send(self, request: RESTRequest, attempt: Attempt) -> RESTResponse:
        previous = current_attempt.set(attempt)
        try:
            response: Any = self._pool.urlopen(
                request.method,
                request.target,
                body=request.body,
                headers=request.headers,
                retries=_NO_RETRY,
                redirect=False,
                assert_same_host=False,
                timeout=_timeout(None, *request.attempt_timeout),
            )
        except (HTTPError, OSError) as error:
            failure = (
                translate_error(error, self._host, self._proxy, attempt.sent),
                safe_cause(error),
            )
        except BaseException as error:  # from the application, or Ctrl-C
            clear_locals(error)
            raise
        else:
            return response  # type: ignore[no-any-return]
        finally:
            current_attempt.reset(previous)
        try:
            raise failure[0] from failure[1]  # here, so that the caught error is not its context
        finally:
            del failure  # the traceback refers to this frame


def _wait(
    request: RESTRequest, attempts: int, deadline: float, retry_after: Optional[float] = None
) -> Optional[float]:
    return next_wait(
        attempts,
        request.max_retries,
        remaining=deadline - time.monotonic(),
        jitter=random.random(),
        retry_after=retry_after,
    )
