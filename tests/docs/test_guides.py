"""The code of the how-to guides does what the guides say."""

import re
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from dateutil.parser import isoparse
from starlette.requests import Request

from cutmeshort import CMSClient, Configuration, click_id
from cutmeshort.proxies import find_proxy

from ..support.events import TOKEN, client_of, lead
from ..support.paths import ROOT, SOURCE
from ..support.server import Server, respond
from .pages import Page, names, page

RESULTS = page("how-to/handle-results")
CLICK_ID = page("how-to/click-id")
WATCH = page("how-to/watch-your-integration")

CONFLICT, DUPLICATE = {"type": "conflict"}, {"type": "duplicate_event"}
OTHER_CLICK = {"type": "duplicate_attribution"}


def code_with(source: Page, text: str) -> str:
    """Return the one block of Python that contains a text."""
    (found,) = (block.text for block in source.blocks("python") if text in block.text)
    return found


PURCHASES = [
    (409, CONFLICT, "tracked"),
    (409, DUPLICATE, "tracked"),
    (409, OTHER_CLICK, "logged"),
    (503, {}, "queued"),
    (401, {}, "logged"),
]
SIGN_UPS = [
    (409, DUPLICATE, "tracked"),
    (409, CONFLICT, "logged"),
    (409, OTHER_CLICK, "logged"),
    (503, {}, "queued"),
]
QUEUE_EXAMPLES = [
    (RESULTS, "track_purchase"),
    (RESULTS, "track_sign_up"),
]


class QueueExample:
    """
    The functions of a queue example.

    Args:
        source: The page.
        function: The name of the function to call.
        client: The client that it uses.

    Attributes:
        queued: The name and the arguments of each job that was added to the queue.
        logged: The messages that were logged.
    """

    def __init__(self, source: Page, function: str, client: CMSClient) -> None:
        code = code_with(source, f"def {function}")
        end = code.index("\n\n\n", code.rindex("def "))  # without the calls at the end
        names: dict[str, Any] = {
            "datetime": datetime,
            "timedelta": timedelta,
            "timezone": timezone,
            "client": client,
            "enqueue": lambda job, *rest, **_: self.queued.append((job.__name__, *rest)),
            "log": SimpleNamespace(error=lambda text, *values: self.logged.append(text % values)),
        }
        exec(code[code.index("def ") : end], names)
        self.queued: list[Any] = []
        self.logged: list[str] = []
        self._function = names[function]

    def run(self, timestamp: datetime) -> tuple[Any, ...]:
        """Report an event that happened at a time. Return the function's name and arguments."""
        name = self._function.__name__
        arguments = (
            ("user_42", "inv_1", 999) if name == "track_purchase" else ("user_42", "click_1")
        )
        self._function(*arguments, timestamp)
        return (name, *arguments, timestamp)


@pytest.mark.parametrize(
    ("source", "function", "status", "body", "outcome"),
    [
        *((RESULTS, "track_purchase", *case) for case in PURCHASES),
        *((RESULTS, "track_sign_up", *case) for case in SIGN_UPS),
    ],
    ids=str,
)
def test_the_queue_example_drops_no_event(
    source: Page, function: str, status: int, body: dict[str, str], outcome: str
) -> None:
    """What was not tracked is queued or logged, and what was tracked before is neither."""
    with Server(respond(status, json=body)) as server, client_of(server, max_retries=0) as client:
        example = QueueExample(source, function, client)
        example.run(datetime.now(timezone.utc))
    done = ["queued"] * len(example.queued) + ["logged"] * len(example.logged)
    assert (done or ["tracked"]) == [outcome]


@pytest.mark.parametrize(("source", "function"), QUEUE_EXAMPLES, ids=str)
def test_the_queue_example_passes_on_when_the_event_happened(source: Page, function: str) -> None:
    """A retry sends the time of the event, and an event that is a day old is logged instead."""
    hour = timedelta(hours=1)
    with (
        Server(respond(503), respond(503)) as server,
        client_of(server, max_retries=0) as client,
    ):
        example = QueueExample(source, function, client)
        job = example.run(datetime.now(timezone.utc) - 23 * hour)
        assert (example.queued, example.logged) == ([job], [])
        example.run(datetime.now(timezone.utc) - 25 * hour)
    assert example.queued == [job]
    (message,) = example.logged
    assert "not tracked: " in message
    sent = isoparse(server.requests[0].json["timestamp"])
    assert abs(sent - job[-1]) < timedelta(seconds=1)


@pytest.mark.parametrize("row", CLICK_ID.table("Read it from the request"), ids=str)
@pytest.mark.parametrize(
    ("parameter", "cookie", "expected"),
    [
        ("click_1", "click_2", "click_1"),
        (None, "click_2", "click_2"),
        ("", "click_2", "click_2"),
        ("click_1", None, "click_1"),
        (None, None, None),
        ("", None, None),
        ("", "", None),
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
    (expression,) = names(row["click id"])
    assert eval(expression, {"request": request, "click_id": click_id}) == expected


def test_a_visitor_without_a_click_is_not_tracked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The view of the guide calls only for a visitor who clicked."""
    namespace: dict[str, Any] = {}
    with Server(respond()) as server:
        monkeypatch.setenv("CMS_BEARER_TOKEN", TOKEN)
        monkeypatch.setenv("CMS_HOST", server.url)
        exec(code_with(CLICK_ID, "def track_sign_up"), namespace)
        with namespace["client"]:
            for query in ({}, {"cms_rf": ""}, {"cms_rf": "click_1"}):
                namespace["track_sign_up"](
                    SimpleNamespace(GET=query, COOKIES={"cms_rf": ""}), "user_42"
                )
        (request,) = server.requests
    assert request.json["clickId"] == "click_1"


def test_every_result_has_a_line_that_says_what_to_do() -> None:
    """The types that the guide names are documented ones."""
    rows = RESULTS.table("Decide what to do")
    named = {each for row in rows for each in names(row["result"])} - {"success", "retryable"}
    types = page("reference/results").text
    assert all(f"`{each}`" in types for each in named - {"True", "type"})
    assert rows[-1]["result"] == "anything else"


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


def test_the_contributing_page_names_what_exists() -> None:
    """Each file and each private or dotted name on the contributing page is in the project."""
    folders = [ROOT, ROOT / "src" / "cutmeshort", ROOT / "docs" / "reference"]
    folders.append(ROOT / ".github" / "workflows")
    code = "".join(
        path.read_text(encoding="utf-8")
        for folder in ("src", "tests")
        for path in ROOT.glob(f"{folder}/**/*.py")
    )
    found = set(re.findall(r"`([\w./]+)`", page("contributing").text))
    for name in found - {"examples/refund_example.py"}:
        if name.endswith((".py", ".md", ".yml", ".html", ".js")):
            assert any((folder / name).is_file() for folder in folders), name
        elif re.fullmatch(r"\w+\.\w+|_\w+", name):
            assert re.search(rf"\b{name.rpartition('.')[2]}\b", code), name


def test_the_names_on_the_page_of_the_sandbox_are_those_of_the_guide() -> None:
    """Each name in bold or in italics is a text of the page."""
    folder = SOURCE / "sandbox" / "page"
    texts = "".join((folder / name).read_text("utf-8") for name in ("index.html", "page.js"))
    shown = re.findall(r"(?<!\*)\*{1,2}([A-Z][^*`]*)\*", WATCH.prose)
    assert len(shown) > 8
    assert [name for name in (" ".join(each.split()) for each in shown) if name not in texts] == []
