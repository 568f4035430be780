"""A call: its attempts and its deadline."""

import http.client
import math
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Optional

import urllib3
from urllib3.exceptions import HTTPError

from ..configuration import Configuration
from ..exceptions import ApiException
from ..retry import RetryPolicy, is_retryable, parse_retry_after
from .attempt import current_attempt
from .body import read_body
from .errors import safe_cause, translate_error, was_never_sent
from .route import Route


@dataclass(frozen=True)
class RESTRequest:
    """
    One call, ready to be sent.

    Attributes:
        method: The HTTP method.
        path: The target, from the host's root, `/` first.
        headers: All headers but those that frame the message.
        body: What every attempt sends.
        deadline: Seconds for the whole call.
        attempt_timeout: Seconds for one attempt, to connect and for the answer.
        max_retries: Attempts after the first.
        preload_content: Whether to read the answer's body.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    deadline: float
    attempt_timeout: tuple[float, float]
    max_retries: int
    preload_content: bool = True


@dataclass(frozen=True)
class RESTResponse:
    """
    An answer, of whatever status.

    Attributes:
        raw: urllib3's response.
        data: The body; None when it was not to be read, is too large or can't be decompressed.
        repeated: Whether an earlier attempt of the same call may have reached the service.
    """

    raw: urllib3.BaseHTTPResponse
    data: Optional[bytes] = field(repr=False)
    repeated: bool

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.raw.status

    def retry_after(self) -> Optional[float]:
        """Seconds that the service asks to wait, if it does."""
        return parse_retry_after(self.raw.headers.get("Retry-After"), time.time())


class RESTClientObject:
    """
    Sends requests to one host, over connections that it keeps. Any number of threads may use it.

    Raises:
        ApiValueError: A certificate, key or proxy of the configuration can't be used.
    """

    def __init__(self, configuration: Configuration) -> None:
        self._route = Route(configuration)
        self._pool = self._route.new_pool()

    def request(self, request: RESTRequest) -> RESTResponse:
        """
        Send a request, again where that is safe and may help, until the deadline.

        Returns:
            The answer, of whatever status.

        Raises:
            ApiException: With status 0: there was no answer.
        """
        end = time.monotonic() + request.deadline
        policy = RetryPolicy(request.max_retries)
        attempt = 0
        repeated = False
        while True:
            attempt += 1
            try:
                response = self._attempt(request, end, repeated)
            except ApiException as error:
                wait = None
                if is_retryable(0, error.type):
                    # A kept connection that the service closed meanwhile says nothing of its state.
                    stale = current_attempt.stale and error.type == "network_error"
                    wait = _wait(policy, attempt, end, 0.0 if stale else None)
                if wait is None:
                    raise
            else:
                if not is_retryable(response.status):
                    return response
                wait = _wait(policy, attempt, end, response.retry_after())
                if wait is None:
                    return response
                response.raw.close()
            repeated = repeated or current_attempt.sent
            time.sleep(wait)

    def close(self) -> None:
        """Close all connections. A request after that fails."""
        self._pool.close()

    def __del__(self) -> None:
        # Urllib3 closes what is left, but not what is opened by an `atexit` handler.
        if hasattr(self, "_pool"):
            self._pool.close()

    def _attempt(self, request: RESTRequest, end: float, repeated: bool) -> RESTResponse:
        connect, read = request.attempt_timeout
        current_attempt.end = end
        current_attempt.sent = False
        try:
            raw = self._pool.urlopen(
                request.method,
                self._route.base + request.path,
                body=request.body,
                headers=request.headers,
                retries=False,
                redirect=False,
                assert_same_host=False,
                timeout=urllib3.Timeout(connect=connect, read=read),
                preload_content=False,
            )
            if raw.status // 100 == 4:
                current_attempt.sent = False  # it was refused, whatever becomes of the body
            data = read_body(raw) if request.preload_content else None
        except (HTTPError, http.client.HTTPException, OSError) as error:
            if was_never_sent(error):
                current_attempt.sent = False
            raise translate_error(error, self._route.host) from safe_cause(error)
        finally:
            current_attempt.end = math.inf
        return RESTResponse(raw, data, repeated)


def _wait(
    policy: RetryPolicy, attempt: int, end: float, retry_after: Optional[float] = None
) -> Optional[float]:
    return policy.wait(
        attempt,
        remaining=end - time.monotonic(),
        jitter=random.random(),
        retry_after=retry_after,
    )
