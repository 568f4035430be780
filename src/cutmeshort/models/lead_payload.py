"""The payload of a lead."""

from typing import Optional

from pydantic import ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from typing_extensions import Literal

from .base import EventPayload
from .fields import RequiredText


class LeadPayload(EventPayload):
    """A lead: a visitor who clicked a link signed up, or did something else of value."""

    model_config = ConfigDict(defer_build=False)

    mode: Optional[Literal["deferred"]] = Field(
        default=None,
        description="`deferred` associates the customer with the click, for later leads.",
    )
    click_id: Optional[RequiredText] = Field(
        default=None,
        validate_default=True,
        description="The id of the click to credit. Required, except in leads that follow a "
        "deferred lead, which must not have one. 1 to 255 characters.",
    )

    @field_validator("click_id")
    @classmethod
    def _required_when_deferred(cls, value: Optional[str], info: ValidationInfo) -> Optional[str]:
        if value is None and info.data.get("mode") == "deferred":
            raise PydanticCustomError("missing_click", 'Input is required with mode="deferred"')
        return value
