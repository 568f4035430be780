"""A call: its attempts and its deadline."""

import http.client
import math
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Optional

import urllib3
from urllib3.exceptions import HTTPError

from ..configuration import Configuration
from ..exceptions import ApiException
from ..retry import RetryPolicy, is_retryable, parse_retry_after
from .answer import Answer
from .attempt import current_attempt
from .body import decode_body
from .errors import safe_cause, translate_error, was_never_sent
from .route import Route

_NO_REPEAT = urllib3.Retry(False)
_timeout = lru_cache(maxsize=16)(urllib3.Timeout)


@dataclass
class RESTRequest:
    """
    One call, ready to be sent.

    Attributes:
        method: The HTTP method.
        path: The target, from the host's root, `/` first.
        headers: All headers but the body's length; see RESTClientObject.headers.
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


class RESTResponse:
    """
    An answer, of whatever status.

    Attributes:
        raw: urllib3's response.
        status: The HTTP status.
        head: The headers as one text.
        data: The body; None when it was not to be read, is too large or can't be decompressed.
        repeated: Whether an earlier attempt of the same call may have reached the service.
    """

    def __init__(self, raw: Answer, data: Optional[bytes], repeated: bool) -> None:
        self.raw = raw
        self.status = raw.status
        self.head = raw.head
        self.data = data
        self.repeated = repeated

    def retry_after(self) -> Optional[float]:
        """Seconds that the service asks to wait, if it does."""
        return parse_retry_after(self.raw.headers.get("Retry-After"), time.time())


class RESTClientObject:
    """
    Sends requests to one host, over connections that it keeps. Any number of threads may use it.

    Attributes:
        headers: What each request has to have, if not of other values.

    Raises:
        ApiValueError: A certificate, key or proxy of the configuration can't be used.
    """

    def __init__(self, configuration: Configuration) -> None:
        self._route = Route(configuration)
        self.headers = self._route.headers
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
                    wait = _wait(request, attempt, end, 0.0 if stale else None)
                if wait is None:
                    raise
            else:
                if not is_retryable(response.status):
                    return response
                wait = _wait(request, attempt, end, response.retry_after())
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
        current_attempt.end = end
        current_attempt.sent = False
        try:
            raw: Any = self._pool.urlopen(
                request.method,
                self._route.base + request.path,
                body=request.body,
                headers=self._route.headers_on_the_way(request.headers),
                retries=_NO_REPEAT,
                redirect=False,
                assert_same_host=False,
                timeout=_timeout(None, *request.attempt_timeout),
                preload_content=request.preload_content,
            )
        except (HTTPError, http.client.HTTPException, OSError) as error:
            if was_never_sent(error):
                current_attempt.sent = False
            failure, cause = translate_error(error, self._route.host), safe_cause(error)
        else:
            data = decode_body(raw) if request.preload_content else None
            return RESTResponse(raw, data, repeated)
        finally:
            current_attempt.end = math.inf
        raise failure from cause  # out here, so that what was caught isn't its context


def _wait(
    request: RESTRequest, attempt: int, end: float, retry_after: Optional[float] = None
) -> Optional[float]:
    return RetryPolicy(request.max_retries).wait(
        attempt,
        remaining=end - time.monotonic(),
        jitter=random.random(),
        retry_after=retry_after,
    )
