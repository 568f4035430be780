"""What the integrations do is the same in each framework."""

import functools
import logging
from collections.abc import Sequence
from typing import Any, Optional
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutmeshort import ApiTypeError, ApiValueError, click_id

from .shops import PATHS, SHOPS, Get, Page, cookies_of

AGE = 90 * 86_400

each_shop = pytest.mark.parametrize("framework", SHOPS)


@functools.cache
def _shop(framework: str, options: Sequence[tuple[str, Any]]) -> Get:
    return SHOPS[framework](**dict(options))


def shop(framework: str, **options: Any) -> Get:
    """Return the shop of a framework with these options, which tests share."""
    return _shop(framework, tuple(options.items()))


def agreed(request: Any) -> bool:
    """Return the visitor's consent, which the shop keeps in a cookie."""
    return bool(cookies_of(request).get("consent") == "yes")


def value_of(page: Page) -> Optional[str]:
    """Return the value of the cookie that a page sets, "" if it expires it, None if neither."""
    if page.cookie is None:
        return None
    assert page.cookie.key == "cms_rf"
    assert (page.cookie.value == "") == (page.cookie["max-age"] == "0")
    return page.cookie.value


@each_shop
@pytest.mark.parametrize(
    ("model", "query", "cookie", "expected", "kept"),
    [
        ("last", "", "", "None", None),
        ("last", "", "cms_rf=old", "old", None),
        ("last", "cms_rf=new", "", "new", "new"),
        ("last", "cms_rf=new", "cms_rf=old", "new", "new"),
        ("last", "cms_rf=new", "cms_id=old", "new", "new"),
        ("last", "cms_id=new", "cms_rf=old", "new", "new"),
        ("last", "cms_rf=", "cms_rf=old", "old", None),
        ("last", "other=new", "other=old", "None", None),
        ("first", "", "", "None", None),
        ("first", "", "cms_rf=old", "old", None),
        ("first", "cms_rf=new", "", "new", "new"),
        ("first", "cms_rf=new", "cms_rf=old", "old", None),
        ("first", "cms_rf=new", "cms_id=old", "old", None),
        ("first", "cms_rf=new", "cms_rf=", "new", "new"),
    ],
)
def test_the_click_is_read_and_kept(
    framework: str, model: str, query: str, cookie: str, expected: str, kept: Optional[str]
) -> None:
    """The response sets the cookie if the URL has the click id, unless an older click wins."""
    target = f"/page?{query}"
    assert shop(framework, model=model)(target, cookie=cookie).text == expected
    page = shop(framework, model=model, max_age=AGE)(target, cookie=cookie)
    assert (page.text, value_of(page)) == (expected, kept)


@each_shop
@pytest.mark.parametrize(
    ("query", "cookie", "expected"),
    [
        ("cms_rf=new", "shop=old; cms_rf=script", "new"),
        ("", "shop=old; cms_rf=script", "old"),
        ("", "cms_rf=script", "script"),
        ("cms_id=new", "cms_id=old", "None"),
    ],
)
def test_other_names_replace_the_default(
    framework: str, query: str, cookie: str, expected: str
) -> None:
    """The integration reads the names of the option in their order, and no others."""
    get = shop(framework, names=("shop", "cms_rf"))
    assert get(f"/page?{query}", cookie=cookie).text == expected


@each_shop
def test_the_last_of_several_parameters_counts(framework: str) -> None:
    """A click id that a short link appends takes precedence over an older one in its target."""
    assert shop(framework)("/page?cms_rf=old&x=1&cms_rf=new").text == "new"


@each_shop
def test_without_max_age_a_response_is_unchanged(framework: str) -> None:
    """The integration sets no header if it only reads."""
    page = shop(framework)("/page?cms_rf=new", cookie="cms_rf=old", x_cache_control="public")
    assert (page.cookies, page.vary, page.cache_control) == ([], None, "public")


@each_shop
@pytest.mark.parametrize("path", PATHS)
def test_every_response_sets_the_cookie(framework: str, path: str) -> None:
    """Error responses, redirects and streams also set the cookie."""
    page = shop(framework, max_age=AGE)(f"{path}?cms_rf=new", cookie="cms_rf=old")
    assert (page.status, value_of(page)) == (PATHS[path], "new")
    assert page.cache_control == "private"
    if page.status == 200:
        assert page.text == "new"


@each_shop
@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("domain", [None, "shop.example"])
def test_the_cookie_has_safe_attributes(
    framework: str, secure: bool, domain: Optional[str]
) -> None:
    """The cookie is HttpOnly and SameSite=Lax, and it is Secure if the request used https."""
    options = {"max_age": AGE, "domain": domain, "names": ("click", "cms_rf")}
    (header,) = shop(framework, **options)("/page?cms_rf=new", secure=secure).cookies
    pair, *attributes = header.split("; ")
    assert pair == "click=new"
    expected = {"httponly", f"max-age={AGE}", "path=/", "samesite=lax"}
    expected |= {"secure"} if secure else set()
    expected |= {"domain=shop.example"} if domain else set()
    found = {each.lower() for each in attributes if not each.lower().startswith("expires=")}
    assert found == expected


@each_shop
@pytest.mark.parametrize(
    ("query", "cookie", "expected", "kept"),
    [
        ("cms_rf=new", "cms_rf=old; consent=yes", "new", "new"),
        ("", "cms_rf=old; consent=yes", "old", None),
        ("cms_rf=new", "", "new", None),
        ("cms_rf=new", "cms_id=old", "new", None),
        ("cms_rf=new", "cms_rf=old; consent=no", "new", ""),
        ("", "cms_rf=old", "None", ""),
        ("", "cms_rf=", "None", ""),
        ("", "cms_id=old", "None", None),
    ],
)
def test_the_cookie_needs_consent(
    framework: str,
    query: str,
    cookie: str,
    expected: str,
    kept: Optional[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Without consent, the cookie is neither read nor set, and one that exists is expired."""
    for model in ("last", "first"):
        get = shop(framework, max_age=AGE, consent=agreed, domain="shop.example", model=model)
        page = get(f"/page?{query}", cookie=cookie)
        if model == "last" or "yes" not in cookie:
            assert (page.text, value_of(page)) == (expected, kept)
        if page.cookie is not None:
            assert (page.cookie["path"], page.cookie["domain"]) == ("/", "shop.example")
            assert (page.vary, page.cache_control) == ("Cookie", "private")
    assert "consent" not in caplog.text


def _fail(_request: Any) -> bool:
    raise LookupError("user_42 is unknown")


async def _agree_async() -> bool:
    return True


class AgreesAsync:
    """An object whose call is async."""

    async def __call__(self, _request: Any) -> bool:
        """Agree."""
        return True


class Ambiguous:
    """An object that is neither true nor false."""

    def __bool__(self) -> bool:
        raise LookupError


class Awaitable:
    """An object that can be awaited."""

    def __await__(self) -> Any:
        return _agree_async().__await__()


@each_shop
@pytest.mark.parametrize(
    ("consent", "error"),
    [
        (_fail, "LookupError"),
        (lambda _request: Ambiguous(), "LookupError"),
        (lambda _request: Awaitable(), "ApiTypeError"),
        (lambda _request: "no", "ApiTypeError"),
        (lambda _request: 1, "ApiTypeError"),
    ],
    ids=["raises", "is ambiguous", "is async", "is text", "is a number"],
)
def test_a_failing_consent_function_is_no_consent(
    framework: str, consent: Any, error: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The request succeeds, no cookie is set or expired, and the first failure is logged."""
    get = SHOPS[framework](max_age=AGE, consent=consent)
    with caplog.at_level(logging.DEBUG, "cutmeshort"):
        for _ in range(2):
            page = get("/page?cms_rf=new", cookie="cms_rf=old")
            assert (page.status, page.text, page.cookies) == (200, "new", [])
            assert get("/page", cookie="cms_rf=old").text == "None"
    (record,) = [each for each in caplog.records if each.name == "cutmeshort"]
    assert record.levelno == logging.ERROR
    assert record.getMessage().startswith(f"{error} in consent\n")
    assert "user_42 is unknown" not in record.getMessage().splitlines()[0]


@each_shop
def test_consent_is_looked_up_once_per_request(framework: str) -> None:
    """The integration calls the function once for each request, even for errors and redirects."""
    calls: list[Any] = []
    get = SHOPS[framework](max_age=AGE, consent=calls.append)
    for path in PATHS:
        get(f"{path}?cms_rf=new")
    assert len(calls) == len(PATHS)


@each_shop
def test_consent_is_looked_up_only_if_there_is_a_click(framework: str) -> None:
    """The integration calls the function for a request with a parameter or cookie of its names."""
    calls: list[Any] = []
    get = SHOPS[framework](max_age=AGE, consent=calls.append)
    for query, cookie in (("", ""), ("other=new", "other=old"), ("cms_rf=", "")):
        assert get(f"/page?{query}", cookie=cookie).text == "None"
    assert not calls
    for query, cookie in (("cms_id=new", ""), ("", "cms_rf=old"), ("", "cms_id=old")):
        get(f"/page?{query}", cookie=cookie)
    assert len(calls) == 3


@each_shop
@pytest.mark.parametrize(
    ("cache_control", "expected"),
    [
        ("", "private"),
        ("public, max-age=60, s-maxage=600", "max-age=60, private"),
        ("PUBLIC,S-MaxAge = 1", "private"),
        ("no-store", "no-store, private"),
        ("max-age=60, , public,", "max-age=60, private"),
        ("Private, no-cache", "no-cache, private"),
        (
            'private="X-A, X-B", no-cache="Set-Cookie, public"',
            'no-cache="Set-Cookie, public", private',
        ),
        ('max-age="60, public', 'max-age="60, private'),
    ],
)
def test_a_response_with_a_cookie_is_private(
    framework: str, cache_control: str, expected: str
) -> None:
    """The response tells shared caches not to store it, and keeps the other directives."""
    page = shop(framework, max_age=AGE)("/page?cms_rf=new", x_cache_control=cache_control)
    assert page.cache_control == expected


@each_shop
@pytest.mark.parametrize(
    ("vary", "expected"),
    [
        ("", "Cookie"),
        ("Accept-Encoding", "Accept-Encoding, Cookie"),
        ("accept, cookie", "accept, cookie"),
        ("*", "*"),
        ("Cookie-Consent", "Cookie-Consent, Cookie"),
    ],
)
def test_a_response_with_a_cookie_varies_by_cookie(
    framework: str, vary: str, expected: str
) -> None:
    """The response has `Cookie` in `Vary`, once."""
    page = shop(framework, max_age=AGE)("/page?cms_rf=new", x_vary=vary)
    assert page.vary == expected


@each_shop
@given(st.one_of(st.text(max_size=8), st.text("".join(map(chr, range(32, 127))), max_size=260)))
def test_the_next_request_reads_the_click_id_or_no_cookie_is_set(
    framework: str, value: str
) -> None:
    """A value never breaks the response, and what the cookie keeps is the click id, unchanged."""
    query = {"cms_rf": value.encode("utf-8", "replace").decode()}
    get = shop(framework, max_age=AGE)
    page = get(f"/page?{urlencode(query)}")
    assert page.status == 200
    assert page.text == str(click_id.read(None, query))
    if page.cookies:
        (header,) = page.cookies
        assert get("/page", cookie=header.partition(";")[0]).text == page.text


@each_shop
@pytest.mark.parametrize("value", ["new click", "a,b", "\u00e9", 'a"b', "a;b", "a\\b"])
def test_a_click_id_that_no_cookie_can_keep_expires_an_older_click(
    framework: str, value: str
) -> None:
    """The response expires the cookie, so that a later request does not credit the older click."""
    target = f"/page?{urlencode({'cms_rf': value})}"
    found = {}
    for model in ("last", "first"):
        for cookie in ("cms_rf=old", "cms_id=old", ""):
            page = shop(framework, max_age=AGE, model=model)(target, cookie=cookie)
            found[model, cookie] = (page.text, value_of(page))
    assert found == {
        ("last", "cms_rf=old"): (value, ""),
        ("last", "cms_id=old"): (value, None),
        ("last", ""): (value, None),
        ("first", "cms_rf=old"): ("old", None),
        ("first", "cms_id=old"): ("old", None),
        ("first", ""): (value, None),
    }
    assert shop(framework)(target, cookie="cms_rf=old").cookies == []


@each_shop
@pytest.mark.parametrize(
    "value", ["A-Z_a.z~09", "aGVsbG8/d29ybGQ+Zm9v==", "!#$%&'()*/:<=>?@[]^`{|}"]
)
def test_usual_click_ids_are_kept(framework: str, value: str) -> None:
    """The cookie keeps every click id whose characters are allowed in cookies."""
    get = shop(framework, max_age=AGE)
    (header,) = get(f"/page?{urlencode({'cms_rf': value})}").cookies
    assert get("/page", cookie=header.partition(";")[0]).text == value


@each_shop
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "newest"}, 'model must be "last" or "first"'),
        ({"model": None}, 'model must be "last" or "first"'),
        ({"names": ()}, "names must be the name of a cookie, or several names, like cms_rf"),
        ({"names": ""}, "names must be the name of a cookie"),
        ({"names": "a b"}, "names must be the name of a cookie"),
        ({"names": ("cms_rf", "a;b")}, "names must be the name of a cookie"),
        ({"names": ("cms_rf", 7)}, "names must be the name of a cookie"),
        ({"names": "path"}, "names must be the name of a cookie"),
        ({"names": 7}, "names must be the name of a cookie"),
        ({"max_age": 0}, "max_age must be a whole number, 1 or more"),
        ({"max_age": True}, "max_age must be a whole number, 1 or more"),
        ({"max_age": 1.5}, "max_age must be a whole number, 1 or more"),
        ({"max_age": 34_560_001}, "max_age must be at most 34560000 seconds"),
        ({"max_age": 1, "consent": True}, "consent must be a function that is not async"),
        ({"max_age": 1, "consent": _agree_async}, "consent must be a function that is not async"),
        ({"max_age": 1, "consent": AgreesAsync()}, "consent must be a function that is not async"),
        ({"max_age": 1, "domain": "a..b"}, "domain must be a host name"),
        ({"max_age": 1, "domain": 7}, "domain must be a host name"),
        ({"max_age": 1, "domain": ".a.example"}, "without a dot at the start"),
        ({"consent": agreed}, "consent needs max_age"),
        ({"domain": "shop.example"}, "domain needs max_age"),
    ],
)
def test_an_invalid_option_is_rejected_at_set_up(
    framework: str, options: dict[str, Any], message: str
) -> None:
    """The integration raises an exception that says what is valid."""
    with pytest.raises((ApiTypeError, ApiValueError), match=message.replace("(", r"\(")):
        SHOPS[framework](**options)


@each_shop
def test_an_unknown_option_is_rejected(framework: str) -> None:
    """A misspelt option is a TypeError."""
    with pytest.raises(TypeError, match="maxage"):
        SHOPS[framework](maxage=1)
