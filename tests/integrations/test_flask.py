"""What is special about the extension for Flask."""

from typing import Any

import flask
import pytest

from cutmeshort.integrations.flask import ClickId

from .shops import flask_get


def test_init_app_can_be_called_later() -> None:
    """One ClickId serves several applications, which it gets after it was created."""
    click = ClickId(max_age=60)
    for _ in range(2):
        app = flask.Flask(__name__)
        click.init_app(app)
        app.add_url_rule("/page", view_func=lambda: str(flask.g.cms_click_id))
        page = flask_get(app)("/page?cms_rf=new")
        assert page.text == "new"
        assert page.cookie is not None


def test_earlier_functions_of_before_request_have_the_click_id() -> None:
    """The click id is available in functions that were registered before ClickId."""
    app = flask.Flask(__name__)
    app.before_request(lambda: str(flask.g.cms_click_id))
    ClickId(app)
    assert flask_get(app)("/page?cms_rf=new").text == "new"


@pytest.mark.parametrize("consented", [True, False])
def test_an_earlier_preprocessor_that_aborts_does_not_lose_the_click(consented: bool) -> None:
    """The response sets the cookie even if Flask did not call ClickId before the view."""
    calls: list[Any] = []

    def consent(request: flask.Request) -> bool:
        calls.append(request.path)
        return consented

    app = flask.Flask(__name__)

    @app.url_value_preprocessor
    def reject(*_: Any) -> None:
        flask.abort(404)

    ClickId(app, max_age=60, consent=consent)
    page = flask_get(app)("/page?cms_rf=new")
    assert (page.status, page.cookie is not None) == (404, consented)
    assert calls == ["/page"]


def test_several_headers_of_a_name_are_merged() -> None:
    """The response has one `Vary` and one `Cache-Control`, with the values of all."""
    app = flask.Flask(__name__)
    ClickId(app, max_age=60)

    @app.get("/page")
    def page() -> Any:
        headers = [("Vary", "Accept"), ("Vary", "Origin"), ("Cache-Control", "public")]
        return flask.Response("", headers=[*headers, ("Cache-Control", "no-cache")])

    response = app.test_client().get("/page?cms_rf=new")
    assert response.headers.getlist("Vary") == ["Accept, Origin, Cookie"]
    assert response.headers.getlist("Cache-Control") == ["no-cache, private"]


def test_the_cookie_of_the_session_stays() -> None:
    """The response sets the cookie of the session as well."""
    app = flask.Flask(__name__)
    app.secret_key = "secret"
    ClickId(app, max_age=60)

    @app.get("/page")
    def page() -> str:
        flask.session["user"] = "user_42"
        return ""

    found = flask_get(app)("/page?cms_rf=new")
    assert sorted(each.partition("=")[0] for each in found.cookies) == ["cms_rf", "session"]
    assert found.vary == "Cookie"
