"""The click id of a request in Django: `request.cms_click_id`."""

from typing import Any, Callable, Optional

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.conf import settings
from django.utils.module_loading import import_string
from typing_extensions import Unpack

from .click_cookie import ClickCookie, ClickIdOptions, Parts, cache_headers


class ClickIdMiddleware:
    """
    Sets `request.cms_click_id` to the click id of the request; None if there is none.

    The options are the dict `CMS_CLICK_ID` in the settings. There, `consent` can be a dotted path.

    Args:
        get_response: The next middleware, sync or async.
        options: Options that take precedence over those of the settings.
    """

    sync_capable = async_capable = True

    def __init__(self, get_response: Callable[[Any], Any], **options: Unpack[ClickIdOptions]):
        self.get_response = get_response
        merged: Any = {**getattr(settings, "CMS_CLICK_ID", {}), **options}
        if isinstance(merged.get("consent"), str):
            merged["consent"] = import_string(merged["consent"])
        self._click = ClickCookie(_parts, **merged)
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: Any) -> Any:
        """Return the response of the view."""
        if iscoroutinefunction(self):
            return self._call_async(request)
        request.cms_click_id, cookie = self._click.decide(request)
        return _finish(self.get_response(request), cookie)

    async def _call_async(self, request: Any) -> Any:
        if self._click.consent:  # it may use the database, which Django allows only in sync code
            request.cms_click_id, cookie = await sync_to_async(self._click.decide)(request)
        else:
            request.cms_click_id, cookie = self._click.decide(request)
        return _finish(await self.get_response(request), cookie)


def _parts(request: Any) -> Parts:
    return Parts(request.COOKIES, request.GET, request.is_secure())


def _finish(response: Any, cookie: Optional[dict[str, Any]]) -> Any:
    if cookie is not None:
        response.set_cookie(**cookie)
        vary, cache_control = response.get("Vary", ""), response.get("Cache-Control", "")
        for name, value in cache_headers(vary, cache_control).items():
            response[name] = value
    return response
