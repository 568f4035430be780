"""ApiResponse: a successful response with its HTTP details."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, Optional, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class ApiResponse(Generic[T]):
    """
    A successful response.

    Attributes:
        status_code: The HTTP status: 2xx, or 409 if an earlier attempt was recorded.
        headers: The response's headers, a mapping without regard to case.
        data: The body, as a model.
        raw_data: The body as received, decompressed.
        attempts: How many attempts were made.
        duplicate: Whether the service had already recorded an earlier attempt of this call (409).
        request_id: The service's id of the request, to quote to its support, if it is known.
    """

    status_code: int
    headers: Mapping[str, str] = field(repr=False)
    data: T
    raw_data: bytes = field(repr=False)
    attempts: int = 1
    duplicate: bool = False
    request_id: Optional[str] = None
