"""The code of the how-to guides does what the guides say."""

from types import SimpleNamespace
from typing import Any

import pytest
from starlette.requests import Request

from cutmeshort import Configuration
from cutmeshort.proxies import find_proxy

from ..support.events import TOKEN, client_of, lead
from ..support.server import Server, respond
from .pages import README, ROOT, Page, names, page

RESULTS = page("how-to/handle-results")
CLICK_ID = page("how-to/click-id")

CONFLICT, DUPLICATE = {"type": "conflict"}, {"type": "duplicate_event"}


def code_with(source: Page, text: str) -> str:
    """Return the one block of Python that contains a text."""
    (found,) = (block.text for block in source.blocks("python") if text in block.text)
    return found


PURCHASES = [
    (409, CONFLICT, "tracked"),
    (409, DUPLICATE, "tracked"),
    (503, {}, "queued"),
    (401, {}, "logged"),
]
SIGN_UPS = [
    (409, DUPLICATE, "tracked"),
    (409, CONFLICT, "logged"),
    (409, {"type": "duplicate_attribution"}, "logged"),
    (503, {}, "queued"),
]


@pytest.mark.parametrize(
    ("source", "function", "status", "body", "outcome"),
    [
        *((README, "track_purchase", *case) for case in PURCHASES),
        *((RESULTS, "track_purchase", *case) for case in PURCHASES),
        *((RESULTS, "track_sign_up", *case) for case in SIGN_UPS),
    ],
    ids=str,
)
def test_the_queue_example_drops_no_event(
    source: Page, function: str, status: int, body: dict[str, str], outcome: str
) -> None:
    """What was not tracked is queued or logged, and what was tracked before is neither."""
    done: list[str] = []
    code = code_with(source, f"def {function}")
    functions = code[code.index("def ") : code.rindex("\n\n\n")]  # without the calls at the end
    with Server(respond(status, json=body)) as server, client_of(server, max_retries=0) as client:
        names: dict[str, Any] = {
            "client": client,
            "enqueue": lambda *_, **__: done.append("queued"),
            "log": SimpleNamespace(error=lambda *_: done.append("logged")),
        }
        exec(functions, names)
        names[function]("user_42", "inv_or_click", *([999] * (function == "track_purchase")))
    assert (done or ["tracked"]) == [outcome]


@pytest.mark.parametrize(
    ("responses", "outcome"),
    [
        ([respond(503), respond(503), respond(200)], "tracked"),
        ([respond(503), respond(409, json=CONFLICT)], "tracked"),
        ([respond(401)], "The service rejected the token: "),
    ],
)
def test_the_celery_task_retries_what_is_retryable(
    responses: list[Any], outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The task runs again after a transient error, and ends with what the guide returns."""
    pytest.importorskip("celery")
    code = code_with(RESULTS, "from celery import")
    names: dict[str, Any] = {"__name__": "shop"}
    with Server(*responses) as server:
        monkeypatch.setenv("CMS_BEARER_TOKEN", TOKEN)
        monkeypatch.setenv("CMS_HOST", server.url)
        monkeypatch.setenv("CMS_MAX_RETRIES", "0")
        exec(code, names)
        task = names["track_order"]
        arguments = ("user_42", "inv_1", 999, "2026-01-31T12:00:00Z")
        with names["client"]:
            assert task.apply(args=arguments).get().startswith(outcome)
        assert len(server.requests) == len(responses)
        assert {request.json["timestamp"] for request in server.requests} == {arguments[3]}


@pytest.mark.parametrize("row", CLICK_ID.table("Read it from the request"), ids=str)
@pytest.mark.parametrize(
    ("parameter", "cookie", "expected"),
    [
        ("click_1", "click_2", "click_1"),
        (None, "click_2", "click_2"),
        ("", "click_2", "click_2"),
        ("click_1", None, "click_1"),
        (None, None, None),
    ],
)
def test_the_click_id_is_the_parameter_else_the_cookie(
    row: dict[str, str], parameter: Any, cookie: Any, expected: Any
) -> None:
    """Each framework's expression reads the parameter of the URL first, and then the cookie."""
    query = {} if parameter is None else {"cms_rf": parameter}
    cookies = {} if cookie is None else {"cms_rf": cookie}
    request: Any
    if "Starlette" in row["framework"]:
        text = "&".join(f"{key}={value}" for key, value in query.items())
        headers = [(b"cookie", f"cms_rf={cookie}".encode())] if cookies else []
        request = Request({"type": "http", "query_string": text.encode(), "headers": headers})
    else:
        request = SimpleNamespace(GET=query, COOKIES=cookies, args=query, cookies=cookies)
    (expression,) = names(row["the click id, or `None`"])
    assert eval(expression, {"request": request}) == expected


def test_a_visitor_without_a_click_is_not_tracked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The view of the guide calls only for a visitor who clicked."""
    namespace: dict[str, Any] = {}
    with Server(respond()) as server:
        monkeypatch.setenv("CMS_BEARER_TOKEN", TOKEN)
        monkeypatch.setenv("CMS_HOST", server.url)
        exec(code_with(CLICK_ID, "def track_sign_up"), namespace)
        with namespace["client"]:
            for query in ({}, {"cms_rf": "click_1"}):
                namespace["track_sign_up"](SimpleNamespace(GET=query, COOKIES={}), "user_42")
        (request,) = server.requests
    assert request.json["clickId"] == "click_1"


def test_every_result_has_a_line_that_says_what_to_do() -> None:
    """The types that the guide names are documented ones."""
    rows = RESULTS.table("Decide what to do")
    named = {each for row in rows for each in names(row["result"])} - {"success", "retryable"}
    types = page("reference/results").text
    assert all(f"`{each}`" in types for each in named - {"True", "type"})
    assert rows[-1]["result"] == "any other"


def test_the_messages_of_connections_are_those_of_the_sdk() -> None:
    """What the guide says that `error` contains is a text of the SDK, with its type."""
    source = "".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "src" / "cutmeshort").rglob("*.py")
    )
    for row in page("how-to/proxies-and-tls").table("Find out why a connection fails"):
        (text,) = names(row["`error` contains"])
        assert all(part.strip() in source for part in text.split("…"))
        assert f'"{names(row["`type`"])[0]}"' in source


def test_the_setting_proxy_takes_precedence_over_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`NO_PROXY` excludes hosts from the proxies of the environment only."""
    monkeypatch.setenv("HTTPS_PROXY", "http://environment.example:1")
    monkeypatch.setenv("NO_PROXY", "*")
    assert find_proxy(Configuration()) is None
    proxy = find_proxy(Configuration(proxy="http://setting.example:2"))
    assert proxy is not None
    assert proxy.url == "http://setting.example:2"


def test_a_disabled_client_calls_on_outcome() -> None:
    """The hook gets an outcome of type `disabled`."""
    told: list[Any] = []
    with Server() as server, client_of(server, enabled=False, on_outcome=told.append) as client:
        lead(client)
    assert [(outcome.type, outcome.attempts) for outcome in told] == [("disabled", 0)]
