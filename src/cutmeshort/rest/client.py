"""RESTClientObject: sends a request, with retries until the deadline of the call."""

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NoReturn, Optional, Union
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
from .errors import CLIENT_CLOSED, clear_locals, translate_error
from .response import RESTResponse

_NO_RETRY = urllib3.Retry(False)


@lru_cache(maxsize=16)  # most calls have the same timeouts
def _make_timeout(connect: float, read: float) -> urllib3.Timeout:
    return urllib3.Timeout(connect=connect, read=read)


@dataclass
class RESTRequest:
    """
    The request of one call.

    Attributes:
        operation: The name of the operation, for the log.
        target: The target in the request line: a path, or a URL for a forwarding proxy.
        headers: The headers, without Content-Length, which the connection adds.
        body: The body; every attempt sends the same bytes.
        timeout: Seconds for the whole call.
        attempt_timeout: Seconds for one attempt: to connect, and for the response.
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
    Sends requests to one host over a pool of connections. Any number of threads may use it.

    Attributes:
        forwarded: Whether a proxy forwards the requests, instead of opening a tunnel. Their targets
            must then be whole URLs, and urllib3 adds the proxy's headers.

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
        attempts, maybe_received = 0, False
        outcome: Union[RESTResponse, ApiException, None] = None
        try:
            while True:
                attempts += 1
                started = time.monotonic()
                attempt = Attempt(deadline, *request.attempt_timeout)
                outcome = self._send(request, attempt)
                failure = outcome.type if isinstance(outcome, ApiException) else ""
                if failure == CLIENT_CLOSED:
                    attempts -= 1  # the attempt was not made
                    break
                wait = None
                if is_retried(outcome.status, failure):
                    wait = _seconds_to_wait(request, attempts, attempt, outcome)
                log_attempt(request, attempts, outcome.status, failure, started, wait)
                if wait is None:
                    break
                maybe_received = maybe_received or (attempt.sent and not attempt.rejected)
                time.sleep(wait)
        except Exception as error:
            # A bug, or an exception from a signal handler: a built-in one, or an ApiException of
            # another call. Its result has the number, too.
            if not is_application_error(error):
                vars(error)[ATTEMPTS] = attempts
            raise
        else:
            outcome.attempts = attempts
            if isinstance(outcome, ApiException):
                raise outcome
            outcome.retried = maybe_received
            return outcome
        finally:
            del outcome  # its traceback, or its cause's, refers to this frame

    def close(self) -> None:
        """Close all connections. Later requests fail."""
        idle: Any = self._pool.pool  # calls in progress may still put connections into it
        self._pool.close()
        if idle is not None:
            idle.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a client has the token and can't be pickled: create one in each process")

    def _send(self, request: RESTRequest, attempt: Attempt) -> Union[RESTResponse, ApiException]:
        """
        Make one attempt, and return the response or the exception for the failure.

        It is not raised here, where urllib3's error would become its context.
        """
        previous = current_attempt.set(attempt)
        try:
            return self._pool.urlopen(  # type: ignore[return-value]
                request.method,
                request.target,
                body=request.body,
                headers=request.headers,
                retries=_NO_RETRY,
                redirect=False,
                assert_same_host=False,  # not needed: the pool has one host
                timeout=_make_timeout(*request.attempt_timeout),
            )
        except (HTTPError, OSError) as error:
            return translate_error(error, self._host, self._proxy, attempt)
        except BaseException as error:  # from a signal handler, such as KeyboardInterrupt
            clear_locals(error)
            raise
        finally:
            current_attempt.reset(previous)


def _seconds_to_wait(
    request: RESTRequest,
    attempts: int,
    attempt: Attempt,
    outcome: Union[RESTResponse, ApiException],
) -> Optional[float]:
    """Return the seconds until the next attempt; None if no retry is left or fits the deadline."""
    retry_after, jitter = None, random.random()
    if isinstance(outcome, RESTResponse):
        retry_after = outcome.retry_after()
    elif attempt.maybe_stale and outcome.type == "network_error":
        jitter = 0.0  # the service had closed an idle connection: retry at once
    return next_wait(
        attempts,
        request.max_retries,
        remaining=attempt.deadline - time.monotonic(),
        jitter=jitter,
        retry_after=retry_after,
    )
