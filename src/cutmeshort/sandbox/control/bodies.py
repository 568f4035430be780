"""The bodies of the requests that change something."""

from typing import Optional

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import Literal

from ..state.settings import ErrorFormat, ResponseFormat


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class FaultBody(_Body):
    """What happens to the next requests; it needs a status, `drop` or a latency."""

    times: int = Field(1, ge=1, description="The number of requests.")
    status: Optional[int] = Field(
        None, ge=300, le=599, description="Responds with this error status.", examples=[503]
    )
    drop: bool = Field(False, description="Closes the connection without a response.")
    latency: float = Field(
        0.0,
        ge=0,
        le=86400,
        description="Seconds before the response, or before the connection is closed.",
    )
    recorded: Optional[bool] = Field(
        None, description="Whether a valid event is recorded although the request fails."
    )
    retry_after: Optional[int] = Field(
        None, ge=0, description="Whole seconds in the Retry-After header; it needs a status."
    )


class SettingsBody(_Body):
    """The settings to change; those that are left out stay as they are."""

    duplicate_status: Literal[200, 409] = Field(
        200, description="Status of the response to an event that is already recorded."
    )
    response: ResponseFormat = Field(
        "message", description="Format of the response to a valid event."
    )
    rate_limit: Optional[int] = Field(
        None, ge=1, description="Maximum number of requests per minute; null for no limit."
    )
    error_status: Optional[int] = Field(
        None, ge=300, le=599, description="Rejects every event with this status; null for none."
    )
    error_response: ErrorFormat = Field("envelope", description="Format of error responses.")
