"""What the description of the API says about the responses of an endpoint."""

from http import HTTPStatus
from typing import Any

from pydantic import BaseModel

from .schemas import ErrorMessage


def returns(model: type[BaseModel], *errors: int, status: int = 200) -> dict[Any, dict[str, Any]]:
    """Describe the JSON of a response, and the errors beside those of all endpoints."""
    return {status: {"model": model}, **errors_of(*errors)}


def errors_of(*statuses: int) -> dict[Any, dict[str, Any]]:
    """Describe errors."""
    return {
        status: {"model": ErrorMessage, "description": HTTPStatus(status).phrase}
        for status in statuses
    }
