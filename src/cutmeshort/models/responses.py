"""
The service's answers, in all the forms in which they come.

Both models take any JSON object: a field of an unexpected kind counts as absent, and one that they
don't know is kept.
"""

from collections.abc import Mapping
from typing import Any, Optional, Union

from pydantic import ConfigDict, Field, ValidationError, field_validator, model_validator

from .base import Model

DEFAULT_MESSAGE = "Event tracked successfully"

_FAILURE_WORDS = frozenset({"error", "errored", "fail", "failed", "failure", "false"})


def _deny(*flags: Any) -> bool:
    for flag in flags:
        if flag is False or (isinstance(flag, str) and flag.strip().lower() in _FAILURE_WORDS):
            return True
    return False


class TrackResponse(Model):
    """
    The answer to a tracked event.

    The service answers in several forms; here they are one. Fields of a form that has no `data`
    object become `data`.
    """

    model_config = ConfigDict(extra="allow")

    success: bool = Field(default=True, description="Whether the event was tracked.")
    message: str = Field(default=DEFAULT_MESSAGE, description="What happened, for people.")
    data: dict[str, Any] = Field(default_factory=dict, description="What the service adds.")

    @model_validator(mode="before")
    @classmethod
    def _one_form(cls, body: Any) -> Any:
        if not isinstance(body, (dict, Mapping)):  # the first is a quick answer
            return body
        fields = dict(body)
        data = fields.pop("data", None)
        text = fields.pop("message", None)
        if not isinstance(text, str) or not text:
            text = data if isinstance(data, str) and data else DEFAULT_MESSAGE
        status, stated = fields.pop("status", None), fields.pop("success", None)
        accused = bool(fields.get("error")) and stated is not True
        success = not (accused or _deny(status, stated))
        if isinstance(data, (dict, Mapping)):
            return {**fields, "success": success, "message": text, "data": data}
        if data is not None and not isinstance(data, str):
            fields["data"] = data
        return {"success": success, "message": text, "data": fields}


class ErrorResponse(Model):
    """The answer to an event that was not tracked, as far as the service tells."""

    model_config = ConfigDict(extra="allow")

    success: Optional[bool] = Field(default=None, description="False.")
    error: Optional[str] = Field(default=None, description="What went wrong, for people.")
    message: Optional[str] = Field(default=None, description="The same, in another form.")
    type: Optional[str] = Field(default=None, description="What went wrong, for programs.")
    status_code: Optional[int] = Field(
        default=None, description="The service's idea of the status; the status line decides."
    )
    details: Union[dict[str, Any], list[Any], None] = Field(
        default=None, description="What is wrong with which field."
    )

    @field_validator("*", mode="wrap")
    @classmethod
    def _none_of_another_kind(cls, value: Any, validate: Any) -> Any:
        try:
            return validate(value)
        except ValidationError:
            return None
