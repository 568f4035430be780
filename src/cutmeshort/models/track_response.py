"""The response to a tracked event."""

from collections.abc import Mapping
from typing import Any, Optional

from pydantic import ConfigDict, Field, model_validator

from .base import Model

DEFAULT_MESSAGE = "Event tracked successfully"

_FAILED_STATUS = frozenset({"error", "errored", "fail", "failed", "failure", "false"})


def _deny(*flags: Any) -> bool:
    for flag in flags:
        if flag is False or (isinstance(flag, str) and flag.strip().lower() in _FAILED_STATUS):
            return True
    return False


class TrackResponse(Model):
    """
    The response to a tracked event.

    The service responds in several forms, which become one here. Fields of a form that has no
    `data` object become `data`. It is made of any JSON object: a field of an unexpected type counts
    as absent, and an unknown field is kept.
    """

    model_config = ConfigDict(extra="allow")

    success: bool = Field(default=True, description="Whether the event was tracked.")
    message: str = Field(default=DEFAULT_MESSAGE, description="What happened, human-readable.")
    data: dict[str, Any] = Field(default_factory=dict, description="What the service adds.")
    request_id: Optional[str] = Field(
        default=None, description="The service's id of the request, for its support."
    )

    @model_validator(mode="before")
    @classmethod
    def _one_form(cls, body: Any) -> Any:
        if not isinstance(body, (dict, Mapping)):  # the first is a quick response
            return body
        fields = dict(body)
        data = fields.pop("data", None)
        text = fields.pop("message", None)
        if not isinstance(text, str) or not text:
            text = data if isinstance(data, str) and data else DEFAULT_MESSAGE
        status, stated = fields.pop("status", None), fields.pop("success", None)
        accused = bool(fields.get("error")) and stated is not True
        success = not (accused or _deny(status, stated))
        request_id = fields.pop("request_id", None) or fields.get("requestId")
        one = {
            "success": success,
            "message": text,
            "request_id": request_id if isinstance(request_id, str) else None,
        }
        if isinstance(data, (dict, Mapping)):
            fields.pop("requestId", None)  # as `request_id`, it is in `one`
            return {**fields, **one, "data": data}
        if data is not None and not isinstance(data, str):
            fields["data"] = data
        return {**one, "data": fields}
