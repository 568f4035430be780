"""What is special about the middleware for Django."""

from typing import Any

import pytest
from asgiref.sync import iscoroutinefunction
from django.core.exceptions import TooManyFieldsSent
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory, override_settings
from django.utils.asyncio import async_unsafe

from cutmeshort.integrations.django import ClickIdMiddleware

from .shops import django_async_shop, django_shop


def always(_request: HttpRequest) -> bool:
    """Return that the visitor agreed."""
    return True


def never(_request: HttpRequest) -> bool:
    """Return that the visitor did not agree."""
    return False


def _middleware(**options: Any) -> Any:
    return ClickIdMiddleware(lambda _request: HttpResponse(), **options)


def _get(middleware: Any) -> Any:
    return middleware(RequestFactory().get("/?cms_rf=new")).cookies.get("cms_rf")


@pytest.mark.parametrize(("consent", "kept"), [("always", True), ("never", False)])
def test_consent_can_be_a_dotted_path(consent: str, kept: bool) -> None:
    """The settings name the consent function by its dotted path."""
    options = {"max_age": 60, "consent": f"{__name__}.{consent}"}
    with override_settings(CMS_CLICK_ID=options):
        assert (_get(_middleware()) is not None) == kept


def test_keywords_take_precedence_over_the_settings() -> None:
    """A subclass or a wrapper of the middleware can override single options of the settings."""
    with override_settings(CMS_CLICK_ID={"max_age": 60, "domain": "shop.example"}):
        cookie = _get(_middleware(max_age=120))
    assert (cookie["max-age"], cookie["domain"]) == (120, "shop.example")


def test_without_the_setting_the_middleware_reads() -> None:
    """The middleware works without `CMS_CLICK_ID`, and sets no cookie."""
    assert _get(_middleware()) is None


def test_an_invalid_path_is_reported_at_set_up() -> None:
    """The middleware raises ImportError if there is no such consent function."""
    with pytest.raises(ImportError):
        _middleware(max_age=60, consent=f"{__name__}.missing")


def test_the_middleware_is_async_if_the_next_one_is() -> None:
    """Django can call the middleware in both ways, without an adapter."""

    async def get_response(_request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    assert iscoroutinefunction(ClickIdMiddleware(get_response))
    assert not iscoroutinefunction(_middleware())
    assert ClickIdMiddleware.sync_capable
    assert ClickIdMiddleware.async_capable


def test_the_consent_function_may_use_the_database_under_asgi() -> None:
    """The middleware calls the function outside of the event loop, as Django's database needs."""
    get = django_async_shop(max_age=60, consent=async_unsafe(always))
    assert get("/page?cms_rf=new").cookie is not None


def test_a_query_that_django_rejects_is_left_to_the_view() -> None:
    """The request has no click id, and only a view that reads the query fails."""
    get = django_shop(max_age=60)
    with override_settings(DATA_UPLOAD_MAX_NUMBER_FIELDS=1):
        page = get("/page?cms_rf=new&a=1&b=2", cookie="cms_rf=old")
        with pytest.raises(TooManyFieldsSent):
            RequestFactory().get("/?a=1&b=2").GET.get("a")
    assert (page.status, page.text, page.cookies) == (200, "None", [])
