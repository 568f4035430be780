"""Every table of the reference agrees with the code."""

import ast
import http
import inspect
import json
import re
from dataclasses import asdict, fields
from typing import Any, Callable

import pytest
import urllib3

import cutmeshort
from cutmeshort import (
    ApiException,
    ApiResponse,
    ApiValueError,
    CMSClient,
    Configuration,
    Outcome,
    RequestOptions,
    TrackError,
    TrackingApi,
    TrackSuccess,
)
from cutmeshort import outbox as outbox_module
from cutmeshort import sandbox as sandbox_module
from cutmeshort.exceptions import error_spec
from cutmeshort.operations import OPERATIONS, Operation
from cutmeshort.retry import INITIAL_WAIT, MAX_WAIT, is_retried, is_retryable
from cutmeshort.sandbox import Sandbox
from cutmeshort.sandbox.http.dispatch import PAGES
from cutmeshort.sandbox.state.settings import Settings

from ..support.events import TOKEN, lead
from ..support.operations import each_operation, full, minimal, recorded, track
from ..support.paths import ROOT
from ..support.processes import run_python
from ..support.server import Server, respond
from .pages import Row, names, page

CLIENT = page("reference/client")
LOW_LEVEL = page("reference/low-level-api")
PAYLOADS = page("reference/payloads")
RESULTS = page("reference/results")
SANDBOX = page("reference/sandbox")
SETTINGS = page("reference/settings")
DEDUPLICATION = page("explanation/deduplication-and-retries")


def name(row: Row) -> str:
    """Return the name that a row is about: the text in backticks in its first column."""
    (found,) = names(next(iter(row.values())))
    return found


def all_names(rows: list[Row]) -> list[str]:
    """Return the names in the first column of a table."""
    return [found for row in rows for found in names(next(iter(row.values())))]


def parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Return the parameters of a function or class, without `self`."""
    found = dict(inspect.signature(function).parameters)
    found.pop("self", None)
    return found


def default_of(row: Row) -> Any:
    """Return the default that a row shows: a Python literal, or a text."""
    (text,) = names(row["default"])
    return {"None": None, "True": True, "False": False, "()": ()}.get(
        text, int(text) if text.isdigit() else text
    )


# Client


def test_the_table_of_the_constructor_is_complete() -> None:
    """It has each argument, in order, with its variable and its default; the signature is shown."""
    rows = CLIENT.table("Constructor")
    assert [name(row) for row in rows] == list(parameters(CMSClient))
    shown = re.search(r"^`CMSClient\((.*)\)`$", CLIENT.prose, re.MULTILINE)
    assert shown is not None
    written = [part.partition("=")[0] for part in shown[1].split(", ") if part != "*"]
    assert written == list(parameters(CMSClient))
    keyword_only = [n for n, p in parameters(CMSClient).items() if p.kind is p.KEYWORD_ONLY]
    assert written[shown[1].split(", ").index("*") :] == keyword_only
    defaults = Configuration()
    own = {"token": "access_token", "max_retries": "retries"}
    for row in rows:
        if row["environment"] and row["default"] != "required":
            assert getattr(defaults, own.get(name(row), name(row))) == default_of(row)


@each_operation
def test_the_table_of_arguments_has_every_operation(operation: Operation) -> None:
    """The column of an operation has each argument of its method, and says which are required."""
    column = f"`{operation.name}`"
    rows = {name(row): row[column] for row in CLIENT.table("Method arguments")}
    documented = {argument: cell for argument, cell in rows.items() if cell != "–"}
    arguments = parameters(getattr(CMSClient, operation.name))
    assert documented.keys() == arguments.keys()
    for argument, cell in documented.items():
        required = arguments[argument].default is inspect.Parameter.empty
        assert (cell == "required") == required


# Results


def test_the_table_of_keys_is_complete() -> None:
    """It has each key of both dicts, and says in which it is, and whether it always is."""
    rows = {name(row): row["present in"] for row in RESULTS.table("Result format")}
    success, error = TrackSuccess.__annotations__, TrackError.__annotations__
    assert rows.keys() == success.keys() | error.keys()
    always = TrackSuccess.__required_keys__ | TrackError.__required_keys__
    for key, cell in rows.items():
        where, _, when = cell.partition(", ")
        assert (
            where
            == {
                (True, True): "both",
                (True, False): "success",
                (False, True): "error",
            }[key in success, key in error]
        )
        assert (when == "") == (key in always)


def test_the_results_shown_are_real() -> None:
    """Calls return the two dicts of the page."""
    tracked, refused = (eval(block.text) for block in RESULTS.blocks("python"))  # literals
    with (
        Server(respond(json={"message": "Lead tracked successfully"})) as server,
        CMSClient(TOKEN, server.url) as client,
    ):
        assert lead(client) == tracked
        assert client.track_sale("Purchase", "user_42", "inv_1", 4999, "dollars") == refused


def test_the_table_of_types_is_complete() -> None:
    """It has each type that a status can have, with its status, and the SDK's own."""
    rows = RESULTS.table("Error types")
    by_status = {error_spec(status).type for status in range(300, 600)}
    own = {
        "validation_error",
        "invalid_response",
        "network_error",
        "timeout",
        "tls_error",
        "client_closed",
        "disabled",
        "internal_error",
        "outbox_full",
        "outbox_error",
    }
    assert set(all_names(rows)) == by_status | own
    for row in rows:
        for status, error_type in zip(
            re.findall(r"\d{3}", row["`status_code`"]), names(row["`type`"])
        ):
            assert error_type in {error_spec(int(status)).type, "validation_error"}


def test_the_table_of_types_says_what_is_retried() -> None:
    """Its last two columns agree with the retry policy."""
    by_type = {error_spec(status).type: status for status in range(599, 299, -1)}
    for row in RESULTS.table("Error types"):
        retried, retryable = row["retried"], row["retryable"]
        for error_type in names(row["`type`"]):
            status = by_type.get(error_type, 0)
            if error_type == "server_error":
                assert retried == retryable
                final = {int(number) for number in re.findall(r"\d{3}", retried)}
                found = {code for code in range(505, 600) if not is_retried(code)}
                assert final == found | {501}
                continue
            assert is_retried(status, error_type) == (retried == "yes")
            # The policy does not decide these.
            if error_type in ("client_closed", "internal_error", "outbox_full", "outbox_error"):
                assert retryable.startswith("yes")
            else:
                assert is_retryable(status, error_type) == (retryable == "yes")
            assert retried in ("yes", "no")


def test_the_table_of_outcome_is_complete() -> None:
    """It has each attribute of Outcome."""
    assert all_names(RESULTS.table("Outcome")) == [field.name for field in fields(Outcome)]


# Settings

NAMES = SETTINGS.table("Setting names and precedence")
VALUES = {
    "bearer token": ("tok_1", "tok_1"),
    "base URL of the service": ("https://gw.example/cms", "https://gw.example/cms"),
    "seconds for the whole call": ("4.0", 4.0),
    "maximum number of retries": ("2", 2),
    "whether anything is sent": ("0", False),
}


def names_in(column: str) -> dict[str, str]:
    """Return the settings that have a name in a column, and these names."""
    return {row["setting"]: names(row[column])[0] for row in NAMES if row[column] != "–"}


def test_the_names_of_settings_are_complete() -> None:
    """The table has each name that is an argument, a variable, an option, and no other."""
    arguments = parameters(CMSClient).keys() - {"on_outcome", "configuration"}
    assert set(names_in("`CMSClient`").values()) == arguments
    source = "".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "src" / "cutmeshort").rglob("*.py")
    )
    variables = set(re.findall(r'read_(?:text|number|flag)\(\s*"(CMS_\w+)"', source))
    of_django = {"CMS_CLICK_ID", "CMS_OUTBOX"}  # settings, not environment variables
    assert variables == set(re.findall(r"\bCMS_[A-Z_]+", source)) - of_django
    assert set(names_in("environment").values()) == variables
    settings = {field.name for field in fields(Configuration)}
    assert set(names_in("`Configuration`").values()) <= settings
    for operation in OPERATIONS:
        method = parameters(getattr(CMSClient, operation.name)).values()
        options = {each.name for each in method if each.kind is each.KEYWORD_ONLY}
        assert set(names_in("`CMSClient` call").values()) == options
    options = set(names_in("`TrackingApi` call").values())
    assert options == RequestOptions.__annotations__.keys()


@pytest.mark.parametrize("setting", VALUES)
def test_the_names_of_a_setting_mean_the_same(
    setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An argument, a variable and a field of Configuration set the same field."""
    text, value = VALUES[setting]
    field = names_in("`Configuration`")[setting]
    token = {} if setting == "bearer token" else {"token": TOKEN}
    settings: dict[str, Any] = {names_in("`CMSClient`")[setting]: value}
    with CMSClient(**token, **settings) as client:
        assert getattr(client.api_client.configuration, field) == value
    monkeypatch.setenv(names_in("environment")[setting], text)
    with CMSClient(**token) as client:
        assert getattr(client.api_client.configuration, field) == value


def test_every_setting_with_a_variable_is_compared() -> None:
    """No row with a variable is left out above."""
    assert names_in("environment").keys() == VALUES.keys()


@pytest.mark.parametrize("setting", names_in("`TrackingApi` call"))
def test_an_option_of_a_call_does_what_its_row_says(setting: str) -> None:
    """The options of the client and of TrackingApi reach the request as the same value."""
    values = {
        "bearer token": "tok_1",
        "seconds for the whole call": 4.0,
        "maximum number of retries": 2,
        "seconds for one attempt": (1.0, 2.0),
        "additional headers": {"X-Trace": "1"},
    }
    value = values[setting]
    requests: list[Any] = []
    with Server(*[respond()] * 2) as server, CMSClient(TOKEN, server.url) as client:
        rest: Any = client.api_client._rest
        send = rest.request
        rest.request = lambda request: requests.append(request) or send(request)
        payload = {"event_name": "Sign up", "customer_external_id": 1, "click_id": "click_1"}
        option: Any = {names_in("`TrackingApi` call")[setting]: value}
        client.tracking_api.track_lead(payload, **option)
        own = names_in("`CMSClient` call").get(setting)
        if own is not None:
            lead(client, **{own: value})
    for request in requests:
        headers = dict(request.headers)
        assert {
            "bearer token": headers["Authorization"].partition(" ")[2],
            "seconds for the whole call": request.timeout,
            "maximum number of retries": request.max_retries,
            "seconds for one attempt": request.attempt_timeout,
            "additional headers": {"X-Trace": headers.get("X-Trace")},
        }[setting] == value
    assert len(requests) == (1 if own is None else 2)


def test_the_table_of_configuration_is_complete() -> None:
    """It has each field, and the defaults that it shows are those of the code."""
    rows = SETTINGS.table("Configuration")
    assert set(all_names(rows)) == {field.name for field in fields(Configuration)}
    configuration = Configuration()
    for row in rows:
        for shown in names(row["default"]):
            assert getattr(configuration, name(row)) == eval(shown)  # a literal


def test_the_table_of_times_has_the_defaults() -> None:
    """The times and the number of attempts are those of the code."""
    text = str(page("explanation/time-and-limits").table("Maximum duration of a call"))
    configuration = Configuration()
    connect, read = configuration.request_timeout  # type: ignore[misc]
    waits = f"up to {INITIAL_WAIT:g}, {INITIAL_WAIT * 2:g}, {INITIAL_WAIT * 4:g} … {MAX_WAIT:g} s"
    for shown in (f"{configuration.timeout:g} s", f"{connect:g} s", f"{read:g} s", waits):
        assert shown in text
    assert f"at most {configuration.retries + 1}" in text
    assert waits.removesuffix(" s") in DEDUPLICATION.prose


# Payloads


def test_the_table_of_operations_is_complete() -> None:
    """It has each operation with its method, request and payload."""
    rows = [[names(cell)[0] for cell in row.values()] for row in PAYLOADS.table("Operations")]
    assert rows == [
        [each.name, f"{each.method} {each.path}", each.request_model.__name__]
        for each in OPERATIONS
    ]


@each_operation
def test_the_table_of_fields_has_every_operation(operation: Operation) -> None:
    """The column of a payload has each of its fields, with its name on the wire."""
    model = operation.request_model
    rows = PAYLOADS.table("Fields")
    column = f"`{model.__name__}`"
    documented = {name(row): names(row["on the wire"])[0] for row in rows if row[column] == "yes"}
    assert documented == {field: info.alias for field, info in model.model_fields.items()}
    assert {row[column] for row in rows} <= {"yes", "no"}


def test_the_table_of_headers_is_complete() -> None:
    """It has each header that a call sends, with its value."""
    with Server(respond()) as server, CMSClient(TOKEN, server.url) as client:
        assert lead(client)["success"]
    (request,) = server.requests
    rows = {name(row).lower(): row["value"] for row in PAYLOADS.table("Headers")}
    assert rows.keys() == request.headers.keys() - {"host", "content-length"}
    for header, value in rows.items():
        if "the" not in value.split():
            assert request.headers[header] == names(value)
    assert request.headers["authorization"] == [f"Bearer {TOKEN}"]
    assert request.headers["x-cms-sdk-version"] == [cutmeshort.__version__]
    assert request.headers["user-agent"][0].startswith(names(rows["user-agent"])[0])


# Low-level API


def test_the_table_of_methods_is_complete() -> None:
    """It has the three forms of each operation, and TrackingApi has no other method."""
    rows = [
        [names(cell)[0] for cell in list(row.values())[1:]] for row in LOW_LEVEL.table("Methods")
    ]
    forms = ("", "_with_http_info", "_without_preload_content")
    assert rows == [[operation.name + form for form in forms] for operation in OPERATIONS]
    public = {method for method in vars(TrackingApi) if not method.startswith("_")}
    assert public == {method for row in rows for method in row}
    for field in fields(ApiResponse):
        assert f"`{field.name}`" in LOW_LEVEL.prose


def test_the_table_of_options_is_complete() -> None:
    """It has each option of a call."""
    rows = LOW_LEVEL.table("Per-call options")
    assert set(all_names(rows)) == RequestOptions.__annotations__.keys()


def test_the_tables_of_exceptions_are_complete() -> None:
    """They have each exception with its status, and each attribute of ApiException."""
    rows = {name(row): row["when"] for row in LOW_LEVEL.table("Exceptions")}
    public = [getattr(cutmeshort, each) for each in cutmeshort.__all__]
    classes = [each for each in public if isinstance(each, type) and issubclass(each, Exception)]
    assert rows.keys() == {each.__name__ for each in classes}
    for status in http.HTTPStatus:
        if status >= 300:
            expected = error_spec(status).exception.__name__
            documented = {
                k for k, v in rows.items() if v in (str(status.value), f"{status // 100}xx")
            }
            assert documented in ({expected}, set())
            assert documented or expected == "ApiException"
    attributes = all_names(LOW_LEVEL.table("Exceptions", 1))
    assert attributes == list(vars(ApiException()))


def test_the_python_api_has_every_public_name() -> None:
    """Each name of the package, of the outbox and of the sandbox has an entry."""
    text = page("reference/api").text
    directive = r"^\.\. auto(?:class|exception|data|function):: cutmeshort\.(\S+)$"
    entries = re.findall(directive, text, re.M)
    public = {*cutmeshort.__all__, "click_id.read"} - {"__version__", "click_id"}
    public |= {f"sandbox.{each}" for each in sandbox_module.__all__}
    public |= {f"outbox.{each}" for each in outbox_module.__all__}
    public.add("integrations.celery.CeleryTracker")
    others = {"operations.Operation", "models.EventPayload", "testing.redirect"}
    assert sorted(entries) == sorted(public | others)


# Sandbox and pytest plugin


def test_the_table_of_fixtures_is_complete() -> None:
    """It has each fixture of the plugin, and its scope."""
    source = ast.parse((ROOT / "src" / "pytest_cutmeshort.py").read_text(encoding="utf-8"))
    fixtures = {}
    for function in source.body:
        if isinstance(function, ast.FunctionDef) and not function.name.startswith("_"):
            decorators = "".join(map(ast.unparse, function.decorator_list))
            if "pytest.fixture" in decorators:
                fixtures[function.name] = "session" if "session" in decorators else "function"
    rows = page("reference/pytest-plugin").table("Fixtures")
    assert {name(row): row["scope"] for row in rows} == fixtures


def test_the_table_of_the_sandboxs_arguments_is_complete() -> None:
    """It has each argument with its default."""
    rows = {name(row): default_of(row) for row in SANDBOX.table("Sandbox arguments")}
    arguments = {key: value.default for key, value in parameters(Sandbox).items()}
    del arguments["settings"]
    assert rows == {**arguments, **asdict(Settings())}


def test_the_table_of_the_sandboxs_attributes_is_complete() -> None:
    """It has each public attribute and method."""
    public = {each for each in dir(Sandbox()) if not each.startswith("_")}
    assert set(all_names(SANDBOX.table("Attributes and methods"))) == public


def test_the_table_of_pages_is_complete() -> None:
    """It has each path that the sandbox serves beside the operations and the endpoints."""
    paths = {name(row) for row in SANDBOX.table("Pages")}
    assert {path for path in paths if "{" not in path} == PAGES
    with Sandbox() as sandbox, urllib3.PoolManager() as pool:
        for path in paths:
            response = pool.request("GET", sandbox.url + path.format(link="a-1"), redirect=False)
            assert response.status == (302 if "{" in path else 200)


def test_the_table_of_endpoints_is_complete() -> None:
    """It has each endpoint of the description with its method of `Sandbox`, and each parameter."""
    rows = {name(row): row for row in SANDBOX.table("JSON endpoints")}
    with Sandbox() as sandbox, urllib3.PoolManager() as pool:
        paths = pool.request("GET", f"{sandbox.url}/openapi.json").json()["paths"]
    described = {
        f"{method.upper()} {path}": operation
        for path, methods in paths.items()
        for method, operation in methods.items()
        if path.startswith("/_sandbox/")
    }
    assert rows.keys() == described.keys()
    public = {each for each in dir(Sandbox) if not each.startswith("_")}
    for endpoint, operation in described.items():
        row = rows[endpoint]
        assert set(names(row["`Sandbox`"])) <= public
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "query" and parameter["name"] not in ("include_token", "after"):
                assert f"`{parameter['name']}`" in row["description"]


def test_the_table_of_faults_is_complete() -> None:
    """It has each argument of `fail_next`."""
    assert set(all_names(SANDBOX.table("fail_next"))) == parameters(Sandbox.fail_next).keys()


@pytest.mark.parametrize(("number", "argument"), [(0, "response"), (1, "error_response")])
def test_the_tables_of_forms_are_complete(number: int, argument: str) -> None:
    """They have each form of response, and its keys and status are those of a real response."""
    rows = {name(row): list(row.values())[1] for row in SANDBOX.table("Response formats", number)}
    unknown: Any = {argument: "?"}
    with pytest.raises(ApiValueError) as caught:
        Sandbox(**unknown)
    assert str(caught.value) == f"{argument} must be one of {', '.join(rows)}"
    body = {"eventName": "Sign up", "customerExternalId": "user_42"}
    if argument == "response":
        body["clickId"] = "click_1"
    for form, cell in rows.items():
        settings: Any = {argument: form}
        with Sandbox(**settings) as sandbox, urllib3.PoolManager() as pool:
            headers = {"Authorization": f"Bearer {sandbox.token}"}
            url = f"{sandbox.url}/track/lead"
            response = pool.request("POST", url, json=body, headers=headers)
            recorded = len(sandbox.leads) == 1
        status = re.search(r"status (\d{3})", cell)
        default = 200 if argument == "response" else 422
        assert response.status == (int(status[1]) if status else default)
        assert recorded == (argument == "response" and "nothing is recorded" not in cell)
        shown = set(re.findall(r'"(\w+)":', cell))
        if shown:
            keys = json.loads(response.data).keys()
            assert shown <= keys if "…, …" in cell or "details" in cell else shown == keys
        assert ("HTML" in cell) == response.headers.get("Content-Type", "").startswith("text/html")


def test_the_table_of_the_command_line_is_complete() -> None:
    """It has each option of the command, with its default."""
    text = run_python("-m", "cutmeshort.sandbox", "--help")
    options = text.partition("options:")[2] or text.partition("optional arguments:")[2]
    described = dict(re.findall(r"^  (--[\w-]+) (.*?)(?=^  --|\Z)", options, re.M | re.S))
    rows = SANDBOX.table("Command line")
    assert {name(row) for row in rows} == described.keys()
    for row in rows:
        default = "None" if row["default"] == "none" else names(row["default"])[0]
        assert f"(default: {default})" in " ".join(described[name(row)].split())


# Deduplication


@each_operation
def test_the_table_of_keys_says_what_counts_as_the_same_event(operation: Operation) -> None:
    """Events that differ in a field of the key count each; events that differ elsewhere don't."""
    (key,) = (
        set(names(row["key"]))
        for row in DEDUPLICATION.table("What counts as the same event")
        if name(row) == operation.name
    )
    for field in minimal(operation):
        with Sandbox() as sandbox, CMSClient(sandbox.token, sandbox.url) as client:
            for changes in ({}, {field: full(operation)[field]}):
                assert track(client, operation, **changes)["success"]
            counted = len(recorded(sandbox, operation))
        assert counted == (2 if field in key else 1)


def test_a_deferred_lead_counts_separately() -> None:
    """A deferred lead and a later lead with the same name count each, as the table says."""
    assert (
        "a deferred lead and a later lead with the same name count separately"
        in (DEDUPLICATION.table("What counts as the same event")[0]["key"])
    )
    with Sandbox() as sandbox, CMSClient(sandbox.token, sandbox.url) as client:
        for arguments in ({"click_id": "click_1", "mode": "deferred"}, {}):
            event: Any = {"event_name": "Event", "customer_external_id": "user_1", **arguments}
            assert client.track_lead(**event)["success"]
        assert len(sandbox.leads) == 2


def test_the_statuses_that_are_retried_are_the_codes() -> None:
    """The list on the page agrees with the retry policy."""
    client, server = re.findall(r"^- .*status.*\d.*$", DEDUPLICATION.prose, re.MULTILINE)[:2]
    retried = {int(number) for number in re.findall(r"\d{3}", client)}
    assert retried == {status for status in range(300, 500) if is_retried(status)}
    final = {int(number) for number in re.findall(r"\d{3}", server)}
    assert final == {status for status in range(500, 600) if not is_retried(status)}
