"""The exception that becomes an error response."""

from collections.abc import Mapping
from typing import Optional

from ...exceptions import error_spec


class Refusal(Exception):  # noqa: N818 - a response of the service, not a failure of the sandbox
    """
    The service rejects a request.

    Args:
        status: The HTTP status of the response.
        message: Human-readable reason; by default, what the status means.
        type: Machine-readable reason; by default, the SDK's for the status.
        details: The invalid fields, each as a dict with `field` and `message`.
        headers: Additional headers of the response.
    """

    def __init__(
        self,
        status: int,
        message: Optional[str] = None,
        *,
        type: Optional[str] = None,
        details: Optional[list[dict[str, str]]] = None,
        headers: Optional[Mapping[str, str]] = None,
    ) -> None:
        spec = error_spec(status)
        self.status = status
        self.message = spec.message if message is None else message
        self.type = spec.type if type is None else type
        self.details = details
        self.headers = headers
        super().__init__(self.message)
