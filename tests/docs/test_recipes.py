"""The recipes of the guides do what the guides say, with the real packages."""

import asyncio
import contextvars
import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from textwrap import indent
from typing import Any, Optional

import pytest
import urllib3
import uvicorn

from cutmeshort import Outcome
from cutmeshort.exceptions import error_spec

from ..support.events import CUSTOMER, SECRETS, TOKEN, client_of, lead
from ..support.server import Connection, Server, drop, never_respond, respond
from .pages import page

PAGE = page("how-to/observability")
ASYNC = page("how-to/async")
PRIVATE = [*SECRETS, "Sign up", "Purchase", "user_42", "click_1", "inv_1"]

RETRY = respond(503, headers={"Retry-After": "0"})
OK = respond(json={"success": True, "requestId": "req_8f2"})


def _recipes() -> dict[str, str]:
    """Return the Python code below each heading that has some."""
    recipes: dict[str, str] = {}
    for block in [*PAGE.blocks("python"), *ASYNC.blocks("python")]:
        recipes[block.heading] = f"{recipes.get(block.heading, '')}\n{block.text}"
    return recipes


RECIPES = _recipes()
tested: set[str] = set()


def recipe(heading: str) -> Any:
    """Pass a test the code below a heading, which it runs."""
    tested.add(heading)
    return pytest.mark.parametrize("code", [RECIPES[heading]], ids=[heading])


# Their values are not in the program, whose source may stand in stack traces.
LEAD = {**CUSTOMER, "event_name": "Sign up", "click_id": "click_1"}
SALE = {"invoice_id": "inv_1", "amount": 4999, "currency": "USD"}
EVENTS = {"LEAD": LEAD, "SALE": {**CUSTOMER, **SALE, "event_name": "Purchase"}}
SHOW_ERRORS = "logging.basicConfig(level=logging.ERROR)"  # of on_outcome
PROGRAM = """
import json
import logging
import os

from cutmeshort import CMSClient

LEAD, SALE = json.loads(os.environ["LEAD"]), json.loads(os.environ["SALE"])


def lead(client, **changes):
    return client.track_lead(**{**LEAD, **changes})


def sale(client, **changes):
    return client.track_sale(**{**SALE, **changes})
"""


def run(*code: str, server: Server, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a program in a process of its own: recipes change what is global."""
    environment.update({name: json.dumps(event) for name, event in EVENTS.items()})
    environment.update(CMS_BEARER_TOKEN=TOKEN, CMS_HOST=server.url)
    command = [sys.executable, "-W", "error", "-c", "\n".join([PROGRAM, *code])]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done


def assert_private(text: str) -> None:
    """Check that there is nothing of the token, the event and the customer."""
    assert [value for value in PRIVATE if value in text] == []


def test_each_python_block_is_run() -> None:
    """A block below a heading without a test is found."""
    assert {block.heading for block in PAGE.blocks("python")} <= tested


# The log


@recipe("Turn on DEBUG")
def test_the_log_has_the_lines_of_the_table(code: str) -> None:
    """With DEBUG on, each line of the table appears, and no other warning or error."""
    rows = re.findall(r"^\| (DEBUG|WARNING|ERROR) \| [^|]* \| `(.*?)`", PAGE.text, re.MULTILINE)
    calls = """
def fail(outcome):
    raise LookupError


with CMSClient() as client, CMSClient(on_outcome=fail) as failing:
    sale(client)
    lead(client)
    lead(client)
    lead(client, customer_email="zoe")
    sale(client, currency="dollars")
    sale(failing)
    sale(failing)
    client.tracking_api.track_lead_with_http_info = None  # as a bug
    assert lead(client, max_retries=0)["type"] == "internal_error"
"""
    with Server(RETRY, OK, respond(401), RETRY, RETRY, RETRY, RETRY, OK) as server:
        text = run(code, calls, server=server).stderr
    assert_private(text)
    text = re.sub(r"127\.0\.0\.1:[0-9]+", "api.cme.sh", text)
    lines = re.findall(r"^[0-9-]+ [0-9:,]+ ([A-Z]+) cutmeshort: (.*)$", text, re.MULTILINE)
    documented, logged = (
        [(level, re.sub(r"[0-9]+\.[0-9]+ s\b", "TIME", line)) for level, line in each]
        for each in (rows, lines)
    )
    assert len(documented) == 9
    assert set(documented) <= set(logged)
    bug = "track_lead not tracked: internal_error (retryable): The SDK failed (TypeError); "
    for level, line in set(logged) - set(documented):
        assert level == "DEBUG" or line == f"{bug}see the log of `cutmeshort`."
    assert logged.count(("ERROR", "LookupError in on_outcome")) == 1


def test_without_logging_set_up_nothing_is_shown() -> None:
    """A program that sets up no log handler sees no warning."""
    with Server(respond(401)) as server:
        done = run('assert lead(CMSClient())["type"] == "unauthorized"', server=server)
    assert (done.stdout, done.stderr) == ("", "")


@recipe("Show warnings in Django")
def test_django_shows_warnings(code: str) -> None:
    """With Django's way to set up logging, a warning is shown as on the page."""
    calls = """
import logging.config
import random

logging.config.dictConfig(LOGGING)
random.random = lambda: 0.0
configuration = Configuration(request_timeout=0.05)
sale(CMSClient(configuration=configuration))
sale(CMSClient(enabled=False))
"""
    imports = "from cutmeshort import Configuration"
    with Server(*[never_respond] * 4) as server:
        text = run(imports, code, calls, server=server).stderr
        shown = PAGE.block("text", "track_sale not tracked").replace(
            "api.cme.sh", server.url.partition("//")[2]
        )
    assert_private(text)
    logged, documented = (re.sub(r"[0-9.]+ s\b", "TIME", each) for each in (text, shown))
    assert logged == documented


@recipe("Log as JSON")
def test_a_json_line_has_the_outcome(code: str) -> None:
    """A warning of the SDK has `cms` as the page shows it; a record of another logger has none."""
    calls = 'lead(CMSClient())\nlogging.getLogger("shop").warning("closed")'
    too_many = respond(429, json={"requestId": "req_8f2"}, headers={"Retry-After": "60"})
    with Server(too_many) as server:
        text = run(code, calls, server=server).stderr
    assert_private(text)
    warning, other = map(json.loads, text.splitlines())
    shown = json.loads(PAGE.block("json", "{"))
    assert 0 < warning["cms"].pop("seconds") < shown.pop("seconds") + 5
    assert warning["cms"] == shown
    assert (warning["level"], warning["logger"]) == ("WARNING", "cutmeshort")
    assert warning["message"].startswith("track_lead not tracked: rate_limit_exceeded (429)")
    assert (other["message"], other.keys()) == ("closed", warning.keys() - {"cms"})


# Prometheus

PRINT_METRICS = """
from prometheus_client import generate_latest

print(generate_latest().decode())
"""


@recipe("Prometheus")
def test_metrics_are_counted_by_operation_and_type(code: str) -> None:
    """Two calls give the lines that the page shows, and times of both calls."""
    calls = 'lead(client)\nsale(client)\nsale(client, currency="dollars")'
    with Server(RETRY, OK, respond(401)) as server:
        done = run(SHOW_ERRORS, code, calls, PRINT_METRICS, server=server)
    lines = done.stdout.splitlines()
    shown = PAGE.block("text", "cutmeshort_calls_total").splitlines()
    counters = ("cutmeshort_calls_total", "cutmeshort_attempts_total", "cutmeshort_retries_total")
    refused = 'cutmeshort_calls_total{operation="track_sale",type="validation_error"} 1.0'
    assert {line for line in lines if line.startswith(counters)} == {*shown, refused}
    for operation in ("track_lead", "track_sale"):
        assert f'cutmeshort_call_seconds_count{{operation="{operation}"}} 1.0' in lines
    assert done.stderr == ""
    assert_private(done.stdout)


@recipe("Prometheus")
def test_types_of_the_service_do_not_become_labels(code: str) -> None:
    """Types that aren't in the allow-list are `other`; all that the SDK knows are in it."""
    steps = [respond(400, json={"type": f"limit of shop {number}"}) for number in range(3)]
    calls = "for _ in range(3):\n    sale(client)\nprint(*sorted(TYPES))"
    with Server(*steps) as server:
        first, *lines = run(code, calls, PRINT_METRICS, server=server).stdout.splitlines()
    found = [line for line in lines if line.startswith("cutmeshort_calls_total")]
    assert found == ['cutmeshort_calls_total{operation="track_sale",type="other"} 3.0']
    own = "validation_error invalid_response network_error timeout tls_error client_closed"
    conflicts = "duplicate_attribution duplicate_event"
    by_status = {error_spec(status).type for status in range(300, 600)}
    known = {*own.split(), *conflicts.split(), "internal_error", "disabled", *by_status}
    assert first.split() == sorted(known)


# OpenTelemetry

PROVIDER = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
"""
PRINT_SPANS = """
for span in exporter.get_finished_spans():
    print(span.to_json(indent=None))
"""


def spans_of(*code: str, server: Server, **environment: str) -> list[dict[str, Any]]:
    done = run(SHOW_ERRORS, PROVIDER, *code, PRINT_SPANS, server=server, **environment)
    assert done.stderr == ""
    assert_private(done.stdout.replace(TOKEN, "the token") if environment else done.stdout)
    return [json.loads(line) for line in done.stdout.splitlines()]


@recipe("OpenTelemetry")
def test_the_spans_of_a_call_are_beneath_one(code: str) -> None:
    """Each attempt is a span beneath the one around the call, with the attributes shown."""
    with Server(RETRY, drop, OK) as server:
        *attempts, parent = spans_of(code, server=server)
    assert parent["parent_id"] is None
    assert {span["parent_id"] for span in attempts} == {parent["context"]["span_id"]}
    lines = [
        [span["name"], span["status"]["status_code"]]
        + [f"{name}={value}" for name, value in span["attributes"].items()]
        for span in [parent, *attempts]
    ]
    shown = PAGE.block("text", "track_lead").replace("https://api.cme.sh", server.url)
    assert lines == [line.split() for line in shown.splitlines()]
    assert [[event["name"] for event in span["events"]] for span in attempts] == [
        [],
        ["exception"],
        [],
    ]
    sent = [request.headers["traceparent"][0].split("-")[2] for request in server.requests]
    assert [f"0x{each}" for each in sent] == [span["context"]["span_id"] for span in attempts]


def echo(connection: Connection) -> bool:
    """Refuse an event, with all that was sent in the body and in a header."""
    assert connection.request is not None
    sent = {**connection.request.json, "token": TOKEN}
    body = {"type": "unknown", "error": str(sent), "details": [sent]}
    return respond(400, json=body, headers={"X-Sent": json.dumps(sent)})(connection)


@recipe("OpenTelemetry")
def test_a_call_that_fails_is_an_error_without_private_data(code: str) -> None:
    """The span around it has type and status of the failure; no span has data of the event."""
    calls = """
with tracer.start_as_current_span("track_sale"):
    sale(client, max_retries=0)
    sale(client, max_retries=0)
"""
    with Server(OK, drop, echo) as server:
        *_, unreachable, refused, parent = spans_of(code, calls, server=server)
    assert unreachable["status"]["status_code"] == "ERROR"
    assert refused["attributes"]["http.status_code"] == 400
    assert parent["status"] == {"status_code": "ERROR", "description": "unknown"}
    expected = {"cms.attempts": 1, "cms.status_code": 400, "cms.type": "unknown"}
    assert parent["attributes"] == expected


@recipe("OpenTelemetry")
def test_captured_headers_can_be_sanitized(code: str) -> None:
    """The token is in spans whose headers are captured, unless it is sanitized."""
    prefix = "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS"
    capture = {f"{prefix}_CLIENT_REQUEST": ".*"}
    sanitize = {f"{prefix}_SANITIZE_FIELDS": "authorization"}
    with Server(OK) as server:
        captured = str(spans_of(code, server=server, **capture))
        sanitized = str(spans_of(code, server=server, **capture, **sanitize))
    if "http.request.header" not in captured:
        pytest.skip("this version can't capture headers")
    assert (TOKEN in captured, TOKEN in sanitized) == (True, False)


# Sentry

# The DSN must not be a part of the server's URL: Sentry ignores requests to itself.
SENTRY = """
import functools

import sentry_sdk
from sentry_sdk.transport import Transport

events = []


class Memory(Transport):
    def capture_envelope(self, envelope):
        events.extend(item.payload.json for item in envelope.items)


sentry_sdk.init = functools.partial(
    sentry_sdk.init,
    dsn="http://key@sentry.invalid/1",
    transport=Memory,
    traces_sample_rate=1.0,
)
"""
PRINT_EVENTS = "print(json.dumps(events))"


def events_of(*code: str, server: Server) -> list[dict[str, Any]]:
    done = run(SENTRY, *code, PRINT_EVENTS, server=server)
    assert done.stderr == ""
    assert_private(done.stdout)
    events = json.loads(done.stdout)
    assert isinstance(events, list)
    return events


def breadcrumbs_of(event: dict[str, Any]) -> list[dict[str, Any]]:
    breadcrumbs = event["breadcrumbs"]["values"]
    assert isinstance(breadcrumbs, list)
    return breadcrumbs


@recipe("Sentry")
def test_sentry_sees_no_attempt_but_a_span_around_the_call(code: str) -> None:
    """An attempt is no span, no breadcrumb and has no trace header; a request of urllib3 is."""
    other = """
sentry_sdk.capture_message("between")
import urllib3
with urllib3.PoolManager() as pool:
    pool.request("POST", os.environ["CMS_HOST"])
sentry_sdk.capture_message("after")
"""
    transaction = 'with sentry_sdk.start_transaction(name="checkout"):\n'
    program = transaction + indent(code + other, "    ")
    with Server(RETRY, OK) as server:
        between, after, finished = events_of("sentry_sdk.init()", program, server=server)
    spans = [(span["op"], span["description"]) for span in finished["spans"]]
    assert spans == [("function", "track_lead"), ("http.client", f"POST {server.url}/")]
    assert breadcrumbs_of(between) == []
    assert [breadcrumb["type"] for breadcrumb in breadcrumbs_of(after)] == ["http"]
    traced = [{"sentry-trace", "baggage"} & request.headers.keys() for request in server.requests]
    assert traced == [set(), set(), {"sentry-trace", "baggage"}]


TWO_CALLS = """
logging.getLogger("cutmeshort").setLevel(logging.DEBUG)
with CMSClient() as client:
    lead(client)
    lead(client)
"""
NO_LOG = "logging.getLogger().addHandler(logging.NullHandler())"  # else Python prints warnings
CAPTURE = 'sentry_sdk.capture_message("later")'


def test_a_warning_is_a_breadcrumb_by_default() -> None:
    """Without a recipe, the call that failed is the one breadcrumb, with the outcome's repr."""
    with Server(OK, respond(401)) as server:
        (event,) = events_of("sentry_sdk.init()", TWO_CALLS, CAPTURE, server=server)
    (breadcrumb,) = breadcrumbs_of(event)
    assert event["message"] == "later"
    assert (breadcrumb["level"], breadcrumb["category"]) == ("warning", "cutmeshort")
    assert breadcrumb["message"].startswith("track_lead not tracked: unauthorized (401) after 1")
    assert breadcrumb["data"]["cms"].startswith("Outcome(operation='track_lead', success=False, ")


@recipe("Warnings as breadcrumbs")
def test_a_breadcrumb_has_the_outcome_as_fields(code: str) -> None:
    """The recipe puts the outcome's fields into the SDK's breadcrumb, and leaves others alone."""
    other = 'logging.getLogger("shop").warning("closed", extra={"door": 2})'
    with Server(OK, respond(401)) as server:
        (event,) = events_of(code, TWO_CALLS, NO_LOG, other, CAPTURE, server=server)
    warning, closed = breadcrumbs_of(event)
    assert 0 < warning["data"].pop("seconds") < 5
    assert warning["data"] == {
        "operation": "track_lead",
        "success": False,
        "type": "unauthorized",
        "status_code": 401,
        "attempts": 1,
        "retryable": False,
        "retry_after": None,
        "request_id": None,
    }
    assert closed["data"] == {"door": 2}


@recipe("Warnings as events")
def test_a_warning_is_an_event_with_the_outcome(code: str) -> None:
    """Of all warnings, the SDK's are events: with a group, and without local variables."""
    other = 'logging.getLogger("shop").warning("closed")\nlogging.getLogger("shop").error("fire")'
    with_stacks = "sentry_sdk.init.keywords.update(attach_stacktrace=True)"
    with Server(OK, respond(401)) as server:
        events = events_of(with_stacks, code, TWO_CALLS, NO_LOG, other, CAPTURE, server=server)
    warning, error, message = events
    assert error["logentry"]["message"] == "fire"
    assert message["message"] == "later"
    assert warning["level"] == "warning"
    assert warning["fingerprint"] == ["cutmeshort", "track_lead", "unauthorized"]
    context = warning["contexts"]["cutmeshort"]
    assert (context["type"], context["status_code"], context["attempts"]) == (
        "unauthorized",
        401,
        1,
    )
    assert "cms" not in warning["extra"]
    (thread,) = warning["threads"]["values"]
    frames = thread["stacktrace"]["frames"]
    assert "_track" in [frame["function"] for frame in frames]


# asyncio


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """Serve an application with uvicorn, in a thread."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none", lifespan="off"))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


class Slow:
    """
    A service that responds when it is told to.

    Attributes:
        arrived: Set when there is a request.
        respond: To be set.
    """

    def __init__(self) -> None:
        self.arrived = threading.Event()
        self.respond = threading.Event()

    def __call__(self, connection: Connection) -> bool:
        """Respond when `respond` is set."""
        self.arrived.set()
        self.respond.wait(10)
        return OK(connection)


async def health() -> dict[str, bool]:
    return {"healthy": True}


@recipe("FastAPI")
def test_an_application_is_responsive_during_a_call(
    code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the service does not respond, another endpoint of the application does."""
    slow = Slow()
    namespace: dict[str, Any] = {"__name__": "shop"}
    with Server(slow) as service, ThreadPoolExecutor(1) as threads:
        monkeypatch.setenv("CMS_HOST", service.url)
        monkeypatch.setenv("CMS_BEARER_TOKEN", TOKEN)
        exec(compile(code, str(ASYNC), "exec"), namespace)
        namespace["app"].get("/health")(health)
        url = "/sign-up?user_id=user_42&cms_rf=click_1"
        with (
            namespace["client"],
            serving(namespace["app"]) as shop,
            urllib3.PoolManager(retries=False, timeout=10) as pool,
        ):
            signed_up = threads.submit(pool.request, "POST", shop + url)
            try:
                assert slow.arrived.wait(10)
                healthy = pool.request("GET", f"{shop}/health")
                waiting = not signed_up.done()
            finally:
                slow.respond.set()
            assert (healthy.json(), waiting) == ({"healthy": True}, True)
            assert signed_up.result().json() == {"tracked": True}
        (request,) = service.requests
    assert (request.json["customerExternalId"], request.json["clickId"]) == ("user_42", "click_1")


@recipe("FastAPI")
@pytest.mark.parametrize(
    ("query", "cookie", "sent"),
    [("&cms_rf=click_1", "click_2", "click_1"), ("&cms_rf=", "click_2", "click_2"), ("", "", None)],
)
def test_an_application_reads_the_click_id_from_the_request(
    code: str, query: str, cookie: str, sent: Optional[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The URL parameter comes before the cookie, and a visitor without either is not tracked."""
    namespace: dict[str, Any] = {"__name__": "shop"}
    with Server(OK) as service:
        monkeypatch.setenv("CMS_HOST", service.url)
        monkeypatch.setenv("CMS_BEARER_TOKEN", TOKEN)
        exec(compile(code, str(ASYNC), "exec"), namespace)
        with (
            namespace["client"],
            serving(namespace["app"]) as shop,
            urllib3.PoolManager(retries=False, timeout=10) as pool,
        ):
            headers = {"Cookie": f"cms_rf={cookie}"}
            url = f"{shop}/sign-up?user_id=user_42{query}"
            response = pool.request("POST", url, headers=headers)
        clicks = [request.json["clickId"] for request in service.requests]
    assert response.json() == {"tracked": sent is not None}
    assert clicks == ([] if sent is None else [sent])


def test_a_call_outlives_its_task() -> None:
    """When the task is cancelled, the call is not, and `on_outcome` is told what came of it."""
    slow = Slow()
    told: list[Outcome] = []

    async def cancel() -> None:
        task = asyncio.create_task(asyncio.to_thread(lead, client))
        assert await asyncio.to_thread(slow.arrived.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert told == []
        slow.respond.set()

    with Server(slow) as server, client_of(server, on_outcome=told.append) as client:
        asyncio.run(cancel())  # its end waits for the thread
    assert [outcome.success for outcome in told] == [True]


def test_context_variables_reach_the_call() -> None:
    """`on_outcome` sees the value that the task has set, in the thread of the call."""
    user: contextvars.ContextVar[Optional[str]] = contextvars.ContextVar("user", default=None)
    told: list[tuple[Optional[str], bool]] = []

    def note(_outcome: Outcome) -> None:
        told.append((user.get(), threading.current_thread() is threading.main_thread()))

    async def track(name: str) -> None:
        user.set(name)
        await asyncio.to_thread(lead, client)

    with Server(OK) as server, client_of(server, on_outcome=note) as client:
        asyncio.run(track("ann"))
    assert told == [("ann", False)]
