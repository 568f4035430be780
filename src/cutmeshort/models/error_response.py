"""The response to an event that was not tracked."""

from typing import Any, Optional, Union

from pydantic import ConfigDict, Field, ValidationError, field_validator

from .base import Model


class ErrorResponse(Model):
    """
    The response to an event that was not tracked.

    Any JSON object is valid: fields of an unexpected type are ignored, and unknown fields are kept.
    """

    model_config = ConfigDict(extra="allow")

    success: Optional[bool] = Field(default=None, description="False, if the response says so.")
    error: Optional[str] = Field(default=None, description="Human-readable reason.")
    message: Optional[str] = Field(
        default=None, description="Human-readable reason, if it has this name instead."
    )
    type: Optional[str] = Field(default=None, description="Machine-readable reason.")
    status_code: Optional[int] = Field(
        default=None,
        description="The status in the body; the HTTP status line takes precedence.",
    )
    details: Union[dict[str, Any], list[Any], None] = Field(
        default=None, description="The invalid fields and the reasons."
    )
    request_id: Optional[str] = Field(
        default=None, description="The request id, to quote to the service's support."
    )

    @field_validator("*", mode="wrap")
    @classmethod
    def _ignore_unexpected_types(cls, value: Any, validate: Any) -> Any:
        try:
            return validate(value)
        except ValidationError:
            return None
