"""The response to an event that was not tracked."""

from typing import Any, Optional, Union

from pydantic import ConfigDict, Field, ValidationError, field_validator

from .base import Model


class ErrorResponse(Model):
    """
    The response to an event that was not tracked, as far as the service says.

    It is made of any JSON object: a field of an unexpected type counts as absent, and an unknown
    field is kept.
    """

    model_config = ConfigDict(extra="allow")

    success: Optional[bool] = Field(default=None, description="False.")
    error: Optional[str] = Field(default=None, description="What went wrong, human-readable.")
    message: Optional[str] = Field(default=None, description="The same, in another form.")
    type: Optional[str] = Field(default=None, description="What went wrong, machine-readable.")
    status_code: Optional[int] = Field(
        default=None,
        description="The status as the service states it; the HTTP status line takes precedence.",
    )
    details: Union[dict[str, Any], list[Any], None] = Field(
        default=None, description="What is wrong with which field."
    )
    request_id: Optional[str] = Field(
        default=None, description="The service's id of the request, for its support."
    )

    @field_validator("*", mode="wrap")
    @classmethod
    def _ignore_unexpected_types(cls, value: Any, validate: Any) -> Any:
        try:
            return validate(value)
        except ValidationError:
            return None
