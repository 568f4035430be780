"""A successful answer with its HTTP details."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class ApiResponse(Generic[T]):
    """
    A successful answer.

    Attributes:
        status_code: The HTTP status: 2xx, or 409 in answer to a repeated attempt.
        headers: The answer's headers, looked up without case.
        data: The body, as a model.
        raw_data: The body as it came, decompressed.
    """

    status_code: int
    headers: Mapping[str, str] = field(repr=False)
    data: T
    raw_data: bytes = field(repr=False)
