"""The guide and the reference of the click id: the examples work, and the tables are correct."""

import importlib
import os
import re
from pathlib import Path
from typing import Any

import flask
import pytest

from cutmeshort import click_id
from cutmeshort.integrations.asgi import ClickIdMiddleware
from cutmeshort.integrations.click_cookie import MAX_AGE, ClickCookie, ClickIdOptions
from cutmeshort.integrations.flask import ClickId
from cutmeshort.sandbox import Sandbox

from ..integrations.shops import asgi_get, django_shop, flask_get, flask_shop, starlette_app
from ..support.paths import ROOT, SOURCE
from ..support.processes import run_program
from .pages import names, page
from .test_guides import code_with
from .test_tables import name, parameters

GUIDE = page("how-to/click-id")
REFERENCE = page("reference/click-id")

OWN_CODE = """
from types import SimpleNamespace

def create_user(email):
    return 42

def charge(user_id):
    return SimpleNamespace(id=f"inv_{user_id}", amount=4999, currency="USD")
"""
DJANGO = """
import django, settings
from django.conf import settings as configured

names = {name: value for name, value in vars(settings).items() if name.isupper()}
configured.configure(**names, ROOT_URLCONF="urls", ALLOWED_HOSTS=["*"])
django.setup()
import urls
from django.test import Client

def post(path, fields, cookie):
    client = Client()
    client.cookies.load(cookie)
    response = client.post(path, fields, secure=True)
    assert response.status_code == 200
    return [morsel.OutputString() for morsel in response.cookies.values()]

client = urls.views.client
"""
URLS = """
import views
from django.urls import path

urlpatterns = [path("sign-up", views.sign_up), path("checkout", views.checkout)]
"""
FLASK = """
from flask_shop import app, client

def post(path, fields, cookie):
    with app.test_client(use_cookies=False) as http:
        response = http.post(path, data=fields, headers={"Cookie": cookie})
    assert response.status_code == 200
"""
FASTAPI = """
from fastapi.testclient import TestClient
from fastapi_shop import app, client

def post(path, fields, cookie):
    response = TestClient(app).post(path, params=fields, headers={"Cookie": cookie})
    assert response.status_code == 200
"""
VISIT = """
for cookie in ("cms_rf=click_1; cookie_consent=yes", ""):
    post("/sign-up", {"email": "ann@example.com"}, cookie)
    post("/checkout", {"user": 42}, cookie)
client.close()
"""
CONSENT = """
landing = "/sign-up?cms_rf=click_1", {"email": "ann@example.com"}
assert post(*landing, "") == []
(cookie,) = post(*landing, "cookie_consent=yes")
assert "Max-Age=7776000" in cookie
client.close()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of the guide, together with those that a reader has."""
    for block in GUIDE.blocks("python"):
        file = re.match(r"# (\w+\.py)\n", block.text)
        if file is not None:
            with (tmp_path / file[1]).open("a", encoding="utf-8") as code:
                code.write(block.text)
    (tmp_path / "shop.py").write_text(OWN_CODE, encoding="utf-8")
    (tmp_path / "urls.py").write_text(URLS, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    return tmp_path


@pytest.mark.parametrize("shop", [DJANGO, FLASK, FASTAPI], ids=["django", "flask", "fastapi"])
@pytest.mark.usefixtures("folder")
def test_the_shops_of_the_guide_track_visitors_who_clicked(shop: str, sandbox: Sandbox) -> None:
    """A sign-up and a checkout are credited to the click, and those without a click are skipped."""
    run_program(shop + VISIT)
    assert [(lead.event_name, lead.click_id) for lead in sandbox.leads] == [("Sign up", "click_1")]
    assert [(sale.amount, sale.click_id) for sale in sandbox.sales] == [(4999, "click_1")]
    assert not sandbox.refused


@pytest.mark.usefixtures("folder", "sandbox")
def test_the_settings_of_the_guide_ask_for_consent() -> None:
    """The shop in Django keeps the click for 90 days if the visitor agreed."""
    run_program(DJANGO + CONSENT)


def test_the_options_for_90_days_are_those_of_the_frameworks() -> None:
    """The code for each framework makes a landing page set a cookie for 90 days."""
    for row in GUIDE.table("Keep the click in a cookie"):
        code = names(row["keep the click for 90 days"])[0]
        environment: dict[str, Any] = {"ClickId": ClickId, "ClickIdMiddleware": ClickIdMiddleware}
        is_flask = row["framework"] == "Flask"
        environment["app"] = app = flask.Flask(__name__) if is_flask else starlette_app()
        exec(code, environment)
        if "CMS_CLICK_ID" in environment:
            get = django_shop(**environment["CMS_CLICK_ID"])
        else:
            get = flask_get(app) if isinstance(app, flask.Flask) else asgi_get(app)
        cookie = get("/page?cms_rf=new").cookie
        assert cookie is not None
        assert cookie["max-age"] == "7776000"


@pytest.mark.parametrize(
    ("query", "cookie", "expected"),
    [
        ("cms_rf=new%20click", "cms_rf=old", "new click"),
        ("", 'bad cookie {"a": 1}; a=b=c; cms_rf=old; x', "old"),
        ("cms_rf", "", None),
        ("", 'x=1; cms_rf="a/b="; y=2', "a/b="),
    ],
)
def test_the_click_id_can_be_read_in_plain_wsgi(query: str, cookie: str, expected: Any) -> None:
    """The function of the guide reads query and cookies of an environ, even malformed ones."""
    namespace: dict[str, Any] = {"click_id": click_id}
    exec(code_with(GUIDE, "def click_of"), namespace)
    assert namespace["click_of"]({"QUERY_STRING": query, "HTTP_COOKIE": cookie}) == expected
    assert namespace["click_of"]({}) is None


def test_the_table_of_arguments_is_complete() -> None:
    """It has each argument of `click_id.read` with its default."""
    rows = {name(row): row["default"].strip("`") for row in REFERENCE.table("click_id.read")}
    for each, value in parameters(click_id.read).items():
        default = rows.pop(each)
        assert default == "required" or eval(default) == value.default
        assert (default == "required") == (value.default is value.empty)
    assert not rows


def test_the_table_of_options_is_complete() -> None:
    """It has each option of the integrations with its default, and the limit of `max_age`."""
    rows = REFERENCE.table("Options")
    defaults = {name(row): eval(names(row["default"])[0]) for row in rows}
    accepted = parameters(ClickCookie)
    del accepted["parts"]
    assert defaults == {each: value.default for each, value in accepted.items()}
    assert defaults.keys() == ClickIdOptions.__annotations__.keys()
    (max_age,) = (row["description"] for row in rows if name(row) == "max_age")
    assert f"1 to {MAX_AGE}, which is {MAX_AGE // 86_400} days" in max_age


def test_the_table_of_the_middleware_is_complete() -> None:
    """It has the class of each integration, its extra, and the oldest version of the framework."""
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    rows = {names(row["class"])[0]: row for row in REFERENCE.table("Middleware")}
    modules = {
        f"cutmeshort.integrations.{path.stem}"
        for path in (SOURCE / "integrations").glob("*.py")
        if "import ClickCookie" in path.read_text(encoding="utf-8")
    }
    assert {path.rpartition(".")[0] for path in rows} == modules
    for path, row in rows.items():
        module, _, class_name = path.rpartition(".")
        assert hasattr(importlib.import_module(module), class_name)
        (extra,) = names(row["extra"])
        ((package, floor),) = re.findall(rf'^{extra} = \["(\w+)>=([\d.]+)"\]$', project, re.M)
        assert f"{package} {floor} or later" in row["framework"].lower()


@pytest.mark.parametrize("model", ["last", "first"])
def test_the_table_of_responses_is_true(model: str) -> None:
    """A request has the click id that the table says, and the response sets the cookie or not."""
    requests = [("cms_rf=new", ""), ("", "cms_rf=old"), ("cms_rf=new", "cms_rf=old"), ("", "")]
    text_of = {"from the URL": "new", "from the cookie": "old", "`None`": "None"}
    get = flask_shop(max_age=60, model=model)
    rows = REFERENCE.table("The cookie of a response")
    for row, (query, cookie) in zip(rows, requests):
        found = get(f"/page?{query}", cookie=cookie)
        assert found.text == text_of[row[f'click id with `model="{model}"`']]
        says = next(
            (each for each in row["the response"].split(",") if f"`{model}`" in each),
            row["the response"],
        )
        assert (found.cookie is not None) == ("sets the cookie" in says)
    assert len(rows) == len(requests)


def test_the_table_of_attributes_is_complete() -> None:
    """It has the name and each attribute of the cookie, except the `Expires` of some frameworks."""
    (header,) = django_shop(max_age=60, domain="a.example")("/page?cms_rf=new", secure=True).cookies
    attributes = {each.partition("=")[0].lower() for each in header.split("; ")[1:]}
    rows = REFERENCE.table("The cookie of a response", 2)
    documented = {row["attribute"].strip("`").lower() for row in rows}
    assert documented - {"name"} == attributes - {"expires"}
