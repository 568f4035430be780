"""The options of one call of TrackingApi."""

from collections.abc import Mapping
from typing import Optional

from typing_extensions import TypedDict

from .checks import AttemptTimeout


class RequestOptions(TypedDict, total=False):
    """
    Options for one call. An option that is omitted or None has the client's setting.

    Attributes:
        _request_timeout: Seconds for the steps of one attempt, like Configuration.request_timeout.
        _deadline: Seconds for the whole call, like Configuration.timeout.
        _max_retries: Maximum number of retries, 0 or more.
        _request_auth: The bearer token to send instead of the client's.
        _headers: Headers to add, or to send instead of the SDK's own, `Authorization` included.
            Names are case-insensitive. `Content-Length` and `Transfer-Encoding` are rejected.
    """

    _request_timeout: Optional[AttemptTimeout]
    _deadline: Optional[float]
    _max_retries: Optional[int]
    _request_auth: Optional[str]
    _headers: Optional[Mapping[str, str]]
