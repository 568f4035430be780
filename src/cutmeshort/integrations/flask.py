"""The click id of a request in Flask: `g.cms_click_id`."""

from typing import Any, Optional

from flask import Flask, Response, g, request
from typing_extensions import Unpack

from .click_cookie import ClickCookie, ClickIdOptions, Parts, cache_headers

_COOKIE = "cutmeshort.click_cookie"


class ClickId:
    """
    Sets `g.cms_click_id` to the click id of the request; None if there is none.

    With `max_age`, it keeps the click in a cookie.

    Args:
        app: The application; None to call `init_app` later.
        options: The options of ClickIdOptions.
    """

    def __init__(self, app: Optional[Flask] = None, **options: Unpack[ClickIdOptions]) -> None:
        self._click = ClickCookie(_parts, **options)
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Set `g.cms_click_id` in each request of an application."""
        # Flask calls this function before all functions of `before_request`.
        app.url_value_preprocessor(self._start)
        app.after_request(self._finish)

    def _start(self, *_: Any) -> None:
        g.cms_click_id, request.environ[_COOKIE] = self._click.decide(request)

    def _finish(self, response: Response) -> Response:
        if _COOKIE not in request.environ:
            self._start()  # another preprocessor of URL values raised an exception
        cookie = request.environ[_COOKIE]
        if cookie is not None:
            response.set_cookie(**cookie)
            vary, cache_control = map(response.headers.getlist, ("Vary", "Cache-Control"))
            response.headers.update(cache_headers(", ".join(vary), ", ".join(cache_control)))
        return response


def _parts(_request: Any) -> Parts:
    query = dict(request.args.items(multi=True))  # the last of several values, as in Django
    return Parts(request.cookies, query, request.is_secure)
