"""Environment variables. An empty variable counts as not set."""

import os
from contextlib import suppress
from typing import Any, Callable, Optional, TypeVar

from .exceptions import ApiValueError

_N = TypeVar("_N", int, float)
_FLAGS = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}


def read_text(name: str) -> Optional[str]:
    """Return a variable; None if it is not set."""
    return os.environ.get(name) or None


def read_number(
    name: str, convert: Callable[[str], _N], check: Callable[[str, Any], _N], default: _N
) -> _N:
    """Return a variable as a number; raise ApiValueError if it is not one that `check` accepts."""
    text = read_text(name)
    if text is None:
        return default
    value: Any = None  # for `check` to reject
    with suppress(ValueError):
        value = convert(text)
    return check(name, value)


def read_flag(name: str) -> bool:
    """Return a variable as a bool, True if it is not set; raise ApiValueError if it is invalid."""
    text = read_text(name)
    flag = True if text is None else _FLAGS.get(text.strip().lower())
    if flag is None:
        raise ApiValueError(f"{name} must be one of {', '.join(_FLAGS)}")
    return flag
