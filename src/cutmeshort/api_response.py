"""A successful response with its HTTP details."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, Optional, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class ApiResponse(Generic[T]):
    """
    A successful response.

    Attributes:
        status_code: The HTTP status: 2xx, or 409 when an earlier attempt was recorded.
        headers: The response's headers, looked up without case.
        data: The body, as a model.
        raw_data: The body as it came, decompressed.
        attempts: How many attempts were made.
        duplicate: Whether the status is 409, because the service has the event already: from an
            earlier attempt of this call.
        request_id: The service's id of the request, for its support, if it is known.
    """

    status_code: int
    headers: Mapping[str, str] = field(repr=False)
    data: T
    raw_data: bytes = field(repr=False)
    attempts: int = 1
    duplicate: bool = False
    request_id: Optional[str] = None
