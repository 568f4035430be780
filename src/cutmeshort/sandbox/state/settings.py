"""The settings that can be changed while the sandbox runs."""

from dataclasses import dataclass
from typing import Any, Optional

from typing_extensions import Literal, TypedDict, get_args

from ...checks import check_count
from ...exceptions import ApiValueError

RecordingFormat = Literal["message", "timestamp", "status_text", "status_ok", "flat", "empty"]
RejectingFormat = Literal["success_false", "status_false", "status_error", "html", "list"]
ResponseFormat = Literal[RecordingFormat, RejectingFormat]
ErrorFormat = Literal["envelope", "message", "code", "html", "empty"]

RECORDING_FORMATS: tuple[str, ...] = get_args(RecordingFormat)
REJECTING_FORMATS: tuple[str, ...] = get_args(RejectingFormat)
ERROR_FORMATS: tuple[str, ...] = get_args(ErrorFormat)
_MAX_RATE_LIMIT = 1_000_000


class SettingOptions(TypedDict, total=False):
    """The settings as keyword arguments, which `Sandbox` describes."""

    rate_limit: Optional[int]
    duplicate_status: Literal[200, 409]
    response: ResponseFormat
    error_status: Optional[int]
    error_response: ErrorFormat


@dataclass(frozen=True)
class Settings:
    """
    The settings, which `Sandbox` describes.

    Raises:
        ApiValueError: A value is invalid.
    """

    rate_limit: Optional[int] = None
    duplicate_status: int = 200
    response: str = "message"
    error_status: Optional[int] = None
    error_response: str = "envelope"

    def __post_init__(self) -> None:
        limit = self.rate_limit
        if limit is not None and not 1 <= check_count("rate_limit", limit) <= _MAX_RATE_LIMIT:
            raise ApiValueError("rate_limit must be from 1 to 1000000, or None", "rate_limit")
        _check_choice("duplicate_status", self.duplicate_status, (200, 409))
        _check_choice("response", self.response, (*RECORDING_FORMATS, *REJECTING_FORMATS))
        check_error_status("error_status", self.error_status)
        _check_choice("error_response", self.error_response, ERROR_FORMATS)


def check_names(function: str, options: SettingOptions) -> None:
    """
    Check that all settings exist.

    Raises:
        TypeError: One does not; the message is Python's for a call of the function.
    """
    unknown = options.keys() - SettingOptions.__annotations__.keys()
    if unknown:
        raise TypeError(f"{function}() got an unexpected keyword argument {min(unknown)!r}")


def check_error_status(name: str, value: Optional[int]) -> None:
    """Check that `value` is None or a status from 300 to 599."""
    if value is not None and not 300 <= check_count(name, value) <= 599:
        raise ApiValueError(f"{name} must be from 300 to 599, or None", name)


def _check_choice(name: str, value: Any, choices: tuple[object, ...]) -> None:
    if value not in choices:
        raise ApiValueError(f"{name} must be one of {', '.join(map(str, choices))}", name)
