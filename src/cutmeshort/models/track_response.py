"""The response to a tracked event."""

from collections.abc import Mapping
from typing import Any, Optional

from pydantic import ConfigDict, Field, model_validator

from .base import Model

DEFAULT_MESSAGE = "Event tracked successfully"

_FAILED_STATUS = frozenset({"error", "errored", "fail", "failed", "failure", "false"})


def _is_failed(*flags: Any) -> bool:
    """Tell whether a `success` or `status` says that the event was not tracked."""
    for flag in flags:
        if flag is False or (isinstance(flag, str) and flag.strip().lower() in _FAILED_STATUS):
            return True
    return False


class TrackResponse(Model):
    """
    The response to a tracked event.

    The service's responses have several forms; this is the common one. If a response has no `data`
    object, its other fields become `data`. Any JSON object is valid: a field of an unexpected type
    counts as absent, and unknown fields are kept.
    """

    model_config = ConfigDict(extra="allow")

    success: bool = Field(default=True, description="Whether the event was tracked.")
    message: str = Field(
        default=DEFAULT_MESSAGE, description="Human-readable message of the service."
    )
    data: dict[str, Any] = Field(
        default_factory=dict, description="What else the service returned."
    )
    request_id: Optional[str] = Field(
        default=None, description="The service's id of the request, to quote to its support."
    )

    @model_validator(mode="before")
    @classmethod
    def _normalise(cls, body: Any) -> Any:
        if not isinstance(body, (dict, Mapping)):  # the check for dict alone is fast
            return body
        fields = dict(body)
        data = fields.pop("data", None)
        message = fields.pop("message", None)
        if not isinstance(message, str) or not message:
            message = data if isinstance(data, str) and data else DEFAULT_MESSAGE
        status, success = fields.pop("status", None), fields.pop("success", None)
        failed = _is_failed(status, success)
        has_error = bool(fields.get("error")) and success is not True
        request_id = fields.pop("request_id", None) or fields.get("requestId")
        common = {
            "success": not (failed or has_error),
            "message": message,
            "request_id": request_id if isinstance(request_id, str) else None,
        }
        if isinstance(data, (dict, Mapping)):
            fields.pop("requestId", None)  # `common` has it
            return {**fields, **common, "data": data}
        if data is not None and not isinstance(data, str):
            fields["data"] = data
        return {**common, "data": fields}
