"""
What the integrations with web frameworks share: which click id a request has, and which cookie its
response sets.
"""

import itertools
import re
from collections.abc import Iterable, Mapping
from http.cookies import CookieError, Morsel
from typing import Any, Callable, NamedTuple, Optional, Union

from typing_extensions import TypedDict

from ..checks import check_count, check_host_name, is_sync_callable
from ..click_id import NAMES, Model, read
from ..exceptions import ApiTypeError, ApiValueError
from ..logs import log_failure

MAX_AGE = 400 * 86_400

# The characters of a cookie's value in RFC 6265.
_STORABLE = re.compile(r"[!#-+\--:<-\[\]-~]+")
# Separated by commas, except for commas in quoted strings.
_DIRECTIVE = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*"|")+')


class ClickIdOptions(TypedDict, total=False):
    """
    The options of the integrations with web frameworks.

    Attributes:
        names: The name of the cookie and of the URL parameter, or several names in the order in
            which they are tried. The cookie that the server sets has the first name.
        model: The attribution model of your CutMeShort account, `last` or `first`.
        max_age: How long to keep the click in a cookie, in seconds, 1 to 34560000 (400 days).
            None, the default: only read.
        consent: A function that gets the request and returns True if the visitor agreed to the
            cookie, False or None if not. It must not be async. None, the default: no consent is
            needed.
        domain: The domain of the cookie. None, the default: only the host that sets the cookie.
    """

    names: Union[str, Iterable[str]]
    model: Model
    max_age: Optional[int]
    consent: Optional[Callable[[Any], Optional[bool]]]
    domain: Optional[str]


class Parts(NamedTuple):
    """The parts of a request that matter here."""

    cookies: Mapping[str, Any]
    query: Mapping[str, Any]
    secure: bool


class Decision(NamedTuple):
    """
    The result for one request.

    Attributes:
        click_id: The click id; None if there is none.
        cookie: The keyword arguments of the framework's `set_cookie`; None to set no cookie.
    """

    click_id: Optional[str]
    cookie: Optional[dict[str, Any]]


class ClickCookie:
    """
    Decides for each request. `decide` never raises an exception.

    Args:
        parts: Returns the parts of a request of the framework.
        names: As in ClickIdOptions, as are the others.

    Attributes:
        consent: The option.

    Raises:
        ApiTypeError: `consent` is not a function, or is async.
        ApiValueError: An option is invalid, or needs `max_age`.
    """

    def __init__(
        self,
        parts: Callable[[Any], Parts],
        *,
        names: Union[str, Iterable[str]] = NAMES,
        model: Model = "last",
        max_age: Optional[int] = None,
        consent: Optional[Callable[[Any], Optional[bool]]] = None,
        domain: Optional[str] = None,
    ) -> None:
        self._parts = parts
        self._names = _check_names(names)
        if model not in ("last", "first"):
            raise ApiValueError('model must be "last" or "first"', "model")
        self._first = model == "first"
        if max_age is not None and check_count("max_age", max_age, 1) > MAX_AGE:
            raise ApiValueError(f"max_age must be at most {MAX_AGE} seconds (400 days)", "max_age")
        self._max_age = max_age
        if consent is not None and not is_sync_callable(consent):
            raise ApiTypeError("consent must be a function that is not async", "consent")
        self.consent = consent
        expected = "a host name like shop.example, without a dot at the start"
        self._domain = None if domain is None else check_host_name("domain", domain, expected)
        for option, value in (("consent", consent), ("domain", domain)):
            if max_age is None and value is not None:
                raise ApiValueError(f"{option} needs max_age: without it, no cookie is set", option)
        self._failures = itertools.count()  # next() is thread-safe

    def decide(self, request: Any) -> Decision:
        """Return the click id of a request, and the cookie for its response."""
        try:
            cookies, query, secure = self._parts(request)
        except Exception:  # noqa: BLE001 - such as Django's TooManyFieldsSent
            return Decision(None, None)
        new = read(None, query, names=self._names)
        if new is None and not any(name in cookies for name in self._names):
            return Decision(None, None)  # without a look-up of the consent
        expired = self._cookie("", 0, secure) if self._names[0] in cookies else None
        agreed = self._agreed(request)
        if not agreed:
            return Decision(new, expired if agreed is False else None)
        kept = read(cookies, names=self._names)
        if new is None or (self._first and kept is not None):
            return Decision(kept, None)
        if self._max_age is None:
            return Decision(new, None)
        storable = _STORABLE.fullmatch(new)  # otherwise, expire the cookie of an older click
        return Decision(new, self._cookie(new, self._max_age, secure) if storable else expired)

    def _agreed(self, request: Any) -> Optional[bool]:
        """Return whether the visitor agreed to the cookie; None if that is unknown."""
        if self.consent is None:
            return True
        try:
            return _to_bool(self.consent(request))
        except Exception as error:  # noqa: BLE001 - the application's function may raise any exception
            if next(self._failures) == 0:
                log_failure("consent", error)
            return None

    def _cookie(self, value: str, max_age: int, secure: bool) -> dict[str, Any]:
        return {
            "key": self._names[0],
            "value": value,
            "max_age": max_age,
            "path": "/",
            "domain": self._domain,
            "secure": secure,
            "httponly": True,
            "samesite": "Lax",
        }


def cache_headers(vary: str, cache_control: str) -> dict[str, str]:
    """Return the headers that keep a response with a cookie out of shared caches."""
    fields = [field.strip() for field in vary.split(",") if field.strip()]
    if not {"*", "cookie"} & {field.lower() for field in fields}:
        fields.append("Cookie")
    found = [directive.strip() for directive in _DIRECTIVE.findall(cache_control)]
    replaced = ("", "private", "public", "s-maxage")
    kept = [each for each in found if each.partition("=")[0].strip().lower() not in replaced]
    return {"Vary": ", ".join(fields), "Cache-Control": ", ".join([*kept, "private"])}


def _check_names(names: Any) -> tuple[str, ...]:
    expected = "the name of a cookie, or several names"
    checked = (names,) if isinstance(names, str) else names
    if not isinstance(checked, Iterable):
        raise ApiTypeError(f"names must be {expected}", "names")
    checked = tuple(checked)
    try:
        for name in checked:
            Morsel[str]().set(name, "", "")
    except (AttributeError, CookieError):
        checked = ()
    if not checked:
        raise ApiValueError(f"names must be {expected}, like {NAMES[0]}", "names")
    return checked


def _to_bool(agreed: object) -> bool:
    if agreed and agreed is not True:  # such as the text "no", or an awaitable
        raise ApiTypeError("consent must return True or False, and must not be async", "consent")
    return bool(agreed)
