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
        status_code: The HTTP status: 2xx, or 409 for a `duplicate`.
        headers: The response's headers, a case-insensitive mapping, with the token redacted.
        data: The body, as a model, with the token redacted.
        raw_data: The body, decompressed, with the token redacted.
        attempts: The number of attempts.
        duplicate: Whether the service had already recorded an earlier attempt of this call (409).
        request_id: The request id, to quote to the service's support; None if it is not known.
    """

    status_code: int
    headers: Mapping[str, str] = field(repr=False)
    data: T
    raw_data: bytes = field(repr=False)
    attempts: int = 1
    duplicate: bool = False
    request_id: Optional[str] = None
