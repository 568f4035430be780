"""`cutmeshort lead` and `cutmeshort sale`: what they send, print and exit with."""

import json
from typing import Any

import pytest

from cutmeshort import from_minor_units
from cutmeshort.operations import OPERATIONS, Operation
from cutmeshort.sandbox import Sandbox

from ..support.operations import each_operation, full, optional
from ..support.server import Server, respond
from .conftest import Run

LEAD = ("lead", "Sign up", "user_42", "--click-id", "click_1")
SALE = ("sale", "Purchase", "user_42", "inv_1", "49.99", "USD", "--click-id", "click_1")
OPTIONS = (
    *("--name", "Ann Lee", "--email", "ann@example.com"),
    *("--avatar", "https://example.com/ann.png", "--timestamp", "2026-01-31T12:00:00+01:00"),
)
SENT = {
    "customerExternalId": "user_42",
    "clickId": "click_1",
    "customerName": "Ann Lee",
    "customerEmail": "ann@example.com",
    "customerAvatar": "https://example.com/ann.png",
    "timestamp": "2026-01-31T12:00:00+01:00",
}


def test_a_lead_is_tracked(sandbox: Sandbox, run: Run) -> None:
    """The command sends a lead with its options, prints one line, and exits with 0."""
    done = run(*LEAD, *OPTIONS, "--mode", "deferred")
    assert done == (0, "tracked: Lead tracked successfully\n", "")
    (lead,) = sandbox.leads
    assert lead.to_dict() == {**SENT, "eventName": "Sign up", "mode": "deferred"}


def test_a_sale_is_tracked(sandbox: Sandbox, run: Run) -> None:
    """The command converts the amount to the minor unit, and sends it with the options."""
    assert run(*SALE, *OPTIONS) == (0, "tracked: Sale tracked successfully\n", "")
    (sale,) = sandbox.sales
    invoice = {"invoiceId": "inv_1", "amount": 4999, "currency": "USD"}
    assert sale.to_dict() == {**SENT, "eventName": "Purchase", **invoice}


@each_operation
def test_a_command_sends_each_field(operation: Operation, sandbox: Sandbox, run: Run) -> None:
    """A command has an argument for each required field, and an option for each other field."""
    event = full(operation)
    given = dict(event)
    if "amount" in given:
        given["amount"] = from_minor_units(event["amount"], event["currency"])
    options = [
        f"--{name.removeprefix('customer_').replace('_', '-')}={given.pop(name)}"
        for name in optional(operation)
    ]
    assert run(operation.event, *map(str, given.values()), *options).code == 0
    recorded = getattr(sandbox, f"assert_{operation.event}")()
    assert recorded == operation.request_model.from_dict(event)
    assert recorded.model_fields_set == event.keys()


def test_each_operation_has_a_command(run: Run) -> None:
    """The help lists a command for each operation."""
    shown = run("--help").out
    for operation in OPERATIONS:
        assert f"    {operation.name.removeprefix('track_')} " in shown


@pytest.mark.parametrize(
    ("amount", "currency", "minor_units"),
    [("0", "usd", 0), ("500", "JPY", 500), ("1.234", "KWD", 1234), ("7", "EUR", 700)],
)
def test_an_amount_is_in_the_major_unit(
    amount: str, currency: str, minor_units: int, sandbox: Sandbox, run: Run
) -> None:
    """The amount is converted exactly, with the decimal places of its currency."""
    assert run("sale", "Purchase", "user_42", "inv", amount, currency, "--click-id", "c").code == 0
    assert [sale.amount for sale in sandbox.sales] == [minor_units]


@pytest.mark.parametrize(
    ("amount", "currency", "reason"),
    [
        ("49,99", "USD", 'amount must be a number like "49.99"'),
        ("$49.99", "USD", 'amount must be a number like "49.99"'),
        ("-1", "USD", "amount must be 0 or more"),
        ("49.999", "USD", "amount must not have more decimal places than USD has"),
        ("1", "dollars", "currency must be a three-letter code"),
    ],
)
def test_an_amount_that_can_not_be_converted_is_a_usage_error(
    amount: str, currency: str, reason: str, sandbox: Sandbox, run: Run
) -> None:
    """The command says what to write, exits with 2, and sends nothing."""
    done = run("sale", "Purchase", "user_42", "inv_1", amount, currency, "--click-id", "click_1")
    assert (done.code, done.out) == (2, "")
    assert f"cutmeshort sale: error: {reason}" in done.err
    assert sandbox.sales == sandbox.refused == []


OUTCOMES: list[Any] = [
    ({"status": 401}, 4, "unauthorized"),
    ({"status": 403}, 4, "forbidden"),
    ({"status": 429, "retry_after": 99}, 75, "rate_limit_exceeded"),
    ({"status": 503}, 75, "service_unavailable"),
    ({"drop": True}, 75, "network_error"),
    ({"status": 400}, 1, "bad_request"),
    ({"status": 409}, 1, "conflict"),
    ({"status": 302}, 1, "redirect"),
]


@pytest.mark.parametrize(("fault", "code", "type_"), OUTCOMES)
def test_the_exit_code_says_what_to_do(
    fault: dict[str, Any], code: int, type_: str, sandbox: Sandbox, run: Run
) -> None:
    """The exit code tells a rejected token, a retryable failure and other failures apart."""
    sandbox.fail_next(**fault)
    done = run(*LEAD, "--max-retries", "0")
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith(f"not tracked: {type_}: ")
    assert (" (retryable" in done.err) is (code == 75)
    assert done.err.count("\n") == 1


def test_a_failure_is_printed_with_what_to_do(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line says how long to wait, and which request id to quote to the service's support."""
    headers = {"Retry-After": "30", "X-Request-Id": "req_9"}
    with Server(respond(429, "{}", headers)) as server:
        monkeypatch.setenv("CMS_HOST", server.url)
        done = run(*LEAD)
    assert done.code == 75
    assert done.err.endswith(" (retryable, retry after 30 s, request id req_9)\n")


def test_options_limit_the_call(sandbox: Sandbox, run: Run) -> None:
    """`--timeout` and `--max-retries` apply to the call."""
    sandbox.fail_next(latency=60)
    done = run(*LEAD, "--timeout", "0.2", "--max-retries", "5", "--json")
    assert done.code == 75
    assert json.loads(done.out)["type"] == "timeout"
    sandbox.reset()
    sandbox.fail_next(9, status=503, retry_after=0)
    assert json.loads(run(*LEAD, "--max-retries", "1", "--json").out)["attempts"] == 2


def test_the_result_is_printed_as_json(sandbox: Sandbox, run: Run) -> None:
    """`--json` prints the result dict and nothing else, even if the SDK rejects a field."""
    done = run(*LEAD, "--email", "not an address", "--json")
    result = json.loads(done.out)
    assert (done.code, done.err, result["success"]) == (0, "", True)
    assert [warning["field"] for warning in result["warnings"]] == ["customer_email"]
    done = run(*LEAD, "--mode", "later", "--json")
    assert (done.code, done.err) == (1, "")
    assert json.loads(done.out)["type"] == "validation_error"
    assert len(sandbox.leads) == 1


def test_warnings_are_printed(sandbox: Sandbox, run: Run) -> None:
    """A field that is left out of the event, and a timestamp without an offset, are reported."""
    done = run(*LEAD, "--email", "not an address", "--timestamp", "2026-01-31T12:00:00")
    assert (done.code, done.out) == (0, "tracked: Lead tracked successfully\n")
    fields = [line.split(": ")[:2] for line in done.err.splitlines()]
    assert fields == [["warning", "customer_email"], ["warning", "timestamp"]]
    assert sandbox.leads[0].customer_email is None


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("CMS_BEARER_TOKEN", "", "CMS_BEARER_TOKEN is not set"),
        ("CMS_BEARER_TOKEN", "Bearer x", "token (or CMS_BEARER_TOKEN) must be"),
        ("CMS_HOST", "http://api.example", "host (or CMS_HOST) must begin with https://"),
        ("CMS_TIMEOUT", "soon", "CMS_TIMEOUT must be"),
        ("CMS_ENABLED", "perhaps", "CMS_ENABLED must be"),
    ],
)
def test_a_setting_that_is_not_valid_exits_with_2(
    name: str, value: str, message: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command prints the SDK's message in one line, without a traceback."""
    monkeypatch.setenv(name, value)
    done = run(*LEAD)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert done.err.startswith(f"cutmeshort lead: {message}")


@pytest.mark.parametrize("option", ["--timeout=-1", "--max-retries=-1"])
def test_an_option_out_of_range_exits_with_2(option: str, run: Run) -> None:
    """An option that is a number, but out of range, is a usage error."""
    done = run(*LEAD, option)
    assert (done.code, done.out) == (2, "")
    assert "must be a" in done.err


def test_a_disabled_command_sends_nothing(
    sandbox: Sandbox, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With CMS_ENABLED=0, the command exits with 1 and says why."""
    monkeypatch.setenv("CMS_ENABLED", "0")
    done = run(*LEAD)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("not tracked: disabled: ")
    assert sandbox.leads == []


def test_a_message_of_the_service_is_one_printable_line(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command does not print control characters of the service, which may change a terminal."""
    with Server(respond(json={"success": True, "message": "a\x1b[31mb\nc"})) as server:
        monkeypatch.setenv("CMS_HOST", server.url)
        assert run(*LEAD) == (0, "tracked: a [31mb c\n", "")
