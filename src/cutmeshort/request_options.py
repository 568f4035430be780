"""The options of one call of TrackingApi."""

from collections.abc import Mapping
from typing import Optional

from typing_extensions import TypedDict

from .checks import AttemptTimeout


class RequestOptions(TypedDict, total=False):
    """
    Options for one call. None stands for the configuration's setting.

    Attributes:
        _request_timeout: Seconds for one attempt, to connect and for the whole response: a number
            for both, or a (connect, read) pair. An attempt never passes the call's deadline.
        _deadline: Seconds for the whole call, retries and waits included.
        _max_retries: How often a failed attempt is retried.
        _request_auth: Another bearer token.
        _headers: Headers to add, or to send instead of the SDK's own. Names are compared without
            case.
    """

    _request_timeout: Optional[AttemptTimeout]
    _deadline: Optional[float]
    _max_retries: Optional[int]
    _request_auth: Optional[str]
    _headers: Optional[Mapping[str, str]]
