"""Reads the id of the click that led the visitor to a request, without a web framework."""

from collections.abc import Iterable, Mapping
from typing import Any, Optional, Union

from typing_extensions import Literal

NAMES = ("cms_rf", "cms_id")
MAX_LENGTH = 255

Model = Literal["last", "first"]


def read(
    cookies: Optional[Mapping[str, object]],
    query: Optional[Mapping[str, object]] = None,
    *,
    names: Union[str, Iterable[str]] = NAMES,
    model: Model = "last",
) -> Optional[str]:
    """
    Return the click id of a request; None if there is none. Never raise an exception.

    A click id has 1 to 255 printable characters, after white space at both ends is stripped. Any
    other value counts as absent. So does an argument of the wrong type, and a mapping that raises
    an exception.

    Args:
        cookies: The cookies of the request, as a mapping of names to values, or None.
        query: The parameters of the URL, as a mapping of names to values, or None.
        names: The name of the cookie and of the parameter, or several names in the order in which
            they are tried.
        model: The attribution model of your CutMeShort account. With `last`, the query takes
            precedence over the cookies, because this request is the newest click. With `first`,
            the cookies take precedence over the query. Any other value acts as `last`.
    """
    try:
        keys = (names,) if isinstance(names, str) else tuple(names)
        sources = (cookies, query) if model == "first" else (query, cookies)
    except Exception:  # noqa: BLE001 - arguments may be of any type
        return None
    found = (_find(source, key) for source in sources for key in keys)
    return next((value for value in found if value is not None), None)


def _find(source: Any, key: str) -> Optional[str]:
    try:
        value = source.get(key)
        text = value.strip() if isinstance(value, str) else ""
        return text if text.isprintable() and 1 <= len(text) <= MAX_LENGTH else None
    except Exception:  # noqa: BLE001 - a mapping may raise any exception
        return None
