"""The response to a tracked event."""

from collections.abc import Mapping
from typing import Any, Optional

from pydantic import ConfigDict, Field, model_validator

from .base import Model

DEFAULT_MESSAGE = "Event tracked successfully"

_FAILURES = frozenset({"error", "errored", "fail", "failed", "failure", "false"})


def _has_failure(*flags: Any) -> bool:
    """Return whether a value of `success` or `status` means that the event was not tracked."""
    for flag in flags:
        if flag is False or (isinstance(flag, str) and flag.strip().lower() in _FAILURES):
            return True
    return False


class TrackResponse(Model):
    """
    The response to a tracked event.

    The service's responses have several formats, which this model unifies. If a response has no
    `data` object, its other fields become `data`. Any JSON object is valid: fields of an unexpected
    type are ignored, and unknown fields are kept.
    """

    model_config = ConfigDict(extra="allow")

    success: bool = Field(default=True, description="Whether the event was tracked.")
    message: str = Field(
        default=DEFAULT_MESSAGE,
        description="Human-readable message, from the service if it sent one.",
    )
    data: dict[str, Any] = Field(
        default_factory=dict, description="The other data that the service returned."
    )
    request_id: Optional[str] = Field(
        default=None, description="The request id, to quote to the service's support."
    )

    @model_validator(mode="before")
    @classmethod
    def _normalise(cls, body: Any) -> Any:
        # For example: {success, message, data: {}}, {status: true, data: "text"}, {status: "ok"} or
        # {message, requestId, ...}. `dict` comes first because a check for Mapping is slow.
        if not isinstance(body, (dict, Mapping)):
            return body
        fields = dict(body)
        data = fields.pop("data", None)
        message = fields.pop("message", None)
        if not isinstance(message, str) or not message:
            message = data if isinstance(data, str) and data else DEFAULT_MESSAGE
        status = fields.pop("status", None)
        success = fields.pop("success", None)
        has_error = bool(fields.get("error")) and success is not True
        request_id = fields.pop("request_id", None) or fields.get("requestId")
        common = {
            "success": not (_has_failure(status, success) or has_error),
            "message": message,
            "request_id": request_id if isinstance(request_id, str) else None,
        }
        if isinstance(data, (dict, Mapping)):
            fields.pop("requestId", None)  # `common` has it
            return {**fields, **common, "data": data}
        if data is not None and not isinstance(data, str):
            fields["data"] = data
        return {**common, "data": fields}
