"""
Requests and chains as tests for pytest, which use the fixtures of the pytest plugin.

Each test sets up what the request needs, sends it, and checks the response and what is recorded.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple, Optional

from ...operations import OPERATIONS
from ..state.exchanges import Exchange
from ..state.service import Recorded
from .calls import Call, body_source, call_of, call_with, literal
from .seen import Seen, type_of
from .snippets import TRUNCATED, http_request

MAX_CALLS = 50
_INDENT = "    "
_MAX_NAME = 40


class Earlier(NamedTuple):
    """
    The recorded events that a request may depend on.

    Attributes:
        original: The event of which the request sends a copy; None if there is none.
        deferred: The deferred lead of the customer; None if there is none.
    """

    original: Optional[Recorded] = None
    deferred: Optional[Recorded] = None


def to_pytest(exchange: Exchange, seen: Seen, token: str, earlier: Earlier) -> str:
    """Return a test that sends a request, and passes if the response is the one of the log."""
    name = _name(seen.event or exchange.operation.event, seen.customer, exchange.outcome)
    call, body = call_of(exchange, token), body_source(exchange)
    if call is None and body is None:
        return f"import pytest\n\n\ndef {name}():\n    pytest.skip({literal(TRUNCATED)})\n"
    setup, counts = _setup(exchange, seen, earlier)
    lines = [*setup, *_fault(exchange)]
    modules = []
    if call is not None:
        lines += _call_lines(exchange, call)
    else:
        lines += _request_lines(exchange, body or "", token)
        modules = ["urllib3"] if exchange.status is not None else ["pytest", "urllib3"]
    event = exchange.operation.event
    if exchange.recorded and call is not None:
        lines.append(f"cms_sandbox.assert_{event}(**{event})")
    else:
        count = counts[event] + exchange.recorded
        lines.append(f"assert len(cms_sandbox.{event}s) == {count}")
    return _test(name, lines, modules)


def chain_to_pytest(customer: str, recorded: Sequence[Recorded]) -> str:
    """Return a test that tracks a customer's events and checks which click each is credited to."""
    events = recorded[:MAX_CALLS]
    lines = []
    if len(recorded) > MAX_CALLS:
        lines.append(f"# Only the first {MAX_CALLS} of {len(recorded)} events.")
    credited: dict[str, Counter[str]] = {}
    for each in events:
        source = call_with(each.operation, each.event).source("cms_client", _INDENT)
        lines.append(f'assert {source}["success"]')
        credited.setdefault(each.click_id, Counter())[each.operation.event] += 1
    names = [operation.event for operation in OPERATIONS]
    lengths = ", ".join(f"len(each.{name}s)" for name in names)
    lines += [
        "credited = [",
        f"    (each.click_id, {lengths})",
        f"    for each in cms_sandbox.attribution({literal(customer)})",
        "]",
        "assert credited == [",
        *(
            f"    ({literal(click)}, {', '.join(str(counts[name]) for name in names)}),"
            for click, counts in credited.items()
        ),
        "]",
    ]
    return _test(_name("attribution", customer), lines)


def _test(name: str, lines: Sequence[str], modules: Sequence[str] = ()) -> str:
    imports = "".join(f"import {module}\n" for module in modules)
    body = "".join(f"{_INDENT}{line}\n" for line in lines)
    return f"{imports}\n\ndef {name}(cms_client, cms_sandbox):\n{body}".lstrip()


def _name(what: str, customer: Optional[str], outcome: str = "") -> str:
    """Return the name of a test function: ASCII letters, digits and underscores."""
    of_customer = f"of {customer}" if customer else ""
    words = [
        re.sub("[^a-z0-9]+", "_", part.lower())[:_MAX_NAME].strip("_")
        for part in (what, of_customer, outcome)
    ]
    return "_".join(["test", *filter(None, words)])


def _setup(exchange: Exchange, seen: Seen, earlier: Earlier) -> tuple[list[str], Counter[str]]:
    """Return the lines before the request, and how many leads and sales they record."""
    failed = exchange.fault is not None and exchange.fault.fails
    type_ = "" if failed else type_of(exchange)
    if exchange.forced is not None:
        return [f"cms_sandbox.update_settings({exchange.forced})"], Counter()
    if exchange.status == 429 and not failed:
        lines = [
            "cms_sandbox.update_settings(rate_limit=1)",
            'cms_client.track_lead("Sign up", "another_customer", "another_click")',
        ]
        return lines, Counter(lead=1)
    lines = []
    if type_ == "duplicate_event":
        lines.append("cms_sandbox.update_settings(duplicate_status=409)")
    events = []
    duplicate = type_ == "duplicate_event" or "duplicate" in (exchange.data or {})
    if duplicate and earlier.original is not None:
        events.append(earlier.original)
        bound = earlier.original.event.click_id is None
    else:
        bound = type_ == "duplicate_attribution" or (exchange.recorded and seen.click is None)
    if bound and earlier.deferred is not None:
        events.insert(0, earlier.deferred)
    calls = [call_with(each.operation, each.event) for each in events]
    lines += [call.source("cms_client", _INDENT) for call in calls]
    return lines, Counter(each.operation.event for each in events)


def _fault(exchange: Exchange) -> list[str]:
    """Return the lines that inject the fault of a request."""
    fault = exchange.fault
    recorded = ", recorded=True" if exchange.data is not None else ""
    if exchange.type == "disconnected":
        return [
            "# The client closed the connection first; for the client, a drop is the same.",
            f"cms_sandbox.fail_next(drop=True{recorded})",
        ]
    if fault is None:
        return []
    if not fault.fails:
        return [f"cms_sandbox.fail_next(latency=0.1)  # it was {fault.label}"]
    if fault.drop:
        return [f"cms_sandbox.fail_next(drop=True{recorded})"]
    wait = f", retry_after={fault.retry_after}" if fault.retry_after is not None else ""
    return [f"cms_sandbox.fail_next(status={fault.status}{recorded}{wait})"]


def _call_lines(exchange: Exchange, call: Call) -> list[str]:
    """Return the lines that call CMSClient and check the result."""
    event = exchange.operation.event
    lines = [
        f"{event} = {{",
        *(f"    {literal(name)}: {literal(value)}," for name, value in call.arguments.items()),
        "}",
        f"result = cms_client.{call.method}(**{event})",
    ]
    if exchange.status is None:
        lines += _error_lines(0, "network_error")
    elif exchange.status // 100 != 2 or exchange.data is None:
        lines += _error_lines(exchange.status, type_of(exchange))
    else:
        lines.append('assert result["success"], result')
        for name, value in exchange.data.items():
            operator = "is" if value is True else "=="
            lines.append(f'assert result["data"][{literal(name)}] {operator} {literal(value)}')
    return lines


def _error_lines(status: int, type_: str) -> list[str]:
    return [
        'assert not result["success"], result',
        f'assert result["status_code"] == {status}',
        f'assert result["type"] == {literal(type_)}',
    ]


def _request_lines(exchange: Exchange, body: str, token: str) -> list[str]:
    """Return the lines that send a request that CMSClient does not send."""
    request = http_request(
        exchange, body, token, "cms_sandbox.url", "cms_sandbox.token", _INDENT * 2
    )
    if exchange.status is None:
        return [
            "with urllib3.PoolManager() as http, pytest.raises(urllib3.exceptions.HTTPError):",
            f"    {request}",
        ]
    return [
        "with urllib3.PoolManager() as http:",
        f"    response = {request}",
        f"assert response.status == {exchange.status}",
    ]
