"""Requests and chains that are copied as Python, curl and a test for pytest."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutmeshort import CMSClient
from cutmeshort.operations import OPERATIONS
from cutmeshort.sandbox import Sandbox
from cutmeshort.sandbox.state.exchanges import Body, Exchange
from cutmeshort.sandbox.view.pytest_snippets import MAX_CALLS, Earlier, to_pytest
from cutmeshort.sandbox.view.seen import read_exchange
from cutmeshort.sandbox.view.snippets import TRUNCATED, to_curl, to_python

from ..support.strategies import TEXT
from .helpers import LEAD, SALE, post
from .scenarios import SCENARIOS, WRONG_TOKEN, defer, pay, view_of

HOSTILE = "a'b\"c\\d\n$(touch x) `x` %s {0} \u202e</script> é 😀"


class Copied(NamedTuple):
    """
    What is copied from the requests of all scenarios, which one sandbox received.

    Attributes:
        requests: The newest request of each scenario, with its copies.
        chains: Tests that are copied from chains.
    """

    requests: dict[str, dict[str, Any]]
    chains: dict[str, str]


@pytest.fixture(scope="module")
def copied() -> Copied:
    """What is copied from all scenarios, and from some chains."""
    requests: dict[str, dict[str, Any]] = {}
    chains: dict[str, str] = {}
    with Sandbox() as sandbox, CMSClient(sandbox.token, sandbox.url, max_retries=0) as client:
        for name, scenario in SCENARIOS.items():
            sandbox.reset()
            sandbox.update_settings(**scenario.settings)
            scenario.act(sandbox, client)
            sandbox._state.set_outage(None)
            view = view_of(sandbox)
            requests[name] = view.request(view.requests()["requests"][0]["id"]) or {}
        sandbox.reset()
        client.track_lead("Sign up", "user_44", "click_a")
        defer(client)
        pay(client)
        client.track_lead(HOSTILE, HOSTILE, HOSTILE)
        client.track_lead("Sign up", "busy", "click_1")
        for number in range(MAX_CALLS):
            sale = {"invoice_id": number, "amount": 1, "currency": "EUR"}
            client.track_sale("Purchase", customer_external_id="busy", click_id="c", **sale)
        for customer in ("user_44", HOSTILE, "busy"):
            chains[customer] = (view_of(sandbox).chain(customer) or {})["copy"]["pytest"]
    return Copied(requests, chains)


def test_each_copied_test_passes(copied: Copied, tmp_path: Path) -> None:
    """The test that is copied from a request or chain passes as it is, whatever the outcome."""
    sources = [each["copy"]["pytest"] for each in copied.requests.values()]
    sources += copied.chains.values()
    for number, source in enumerate(sources):
        (tmp_path / f"test_{number}.py").write_text(source, encoding="utf-8")
    output = _run_pytest(tmp_path)
    assert f"{len(sources) - 1} passed, 1 skipped" in output, output  # the truncated one


def test_a_copied_test_fails_if_the_outcome_differs(copied: Copied, tmp_path: Path) -> None:
    """A copied test fails if the response or the recorded event is not the expected one."""
    changes = [
        ("follow-up", "click_3f9c", "click_b"),
        ("click sent again", "409", "422"),
        ("503", "cms_sandbox.fail_next(status=503)", "pass"),
        ("no JSON", "400", "200"),
        ("record, then drop", ", recorded=True", ""),
    ]
    for number, (scenario, old, new) in enumerate(changes):
        head, _, tail = copied.requests[scenario]["copy"]["pytest"].rpartition(old)
        (tmp_path / f"test_{number}.py").write_text(head + new + tail, encoding="utf-8")
    assert f"{len(changes)} failed in" in _run_pytest(tmp_path)


def _run_pytest(directory: Path) -> str:
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "."], cwd=directory, capture_output=True, text=True, check=False
    )
    return done.stdout


def _bodies_of(copied: Copied) -> list[Any]:
    """Return the bodies that the copies send, except of requests that can't be copied."""
    return [
        "too large" if scenario == "too large" else _parsed(each["request"]["body"])
        for scenario, each in copied.requests.items()
        if scenario != "truncated"
    ]


def _received_bodies(sandbox: Sandbox) -> list[Any]:
    exchanges = zip(sandbox._state.log.newest(), sandbox.requests)
    return [
        "too large"
        if received.status == 413
        else _parsed(exchange.body.data.decode("utf-8", "replace"))
        for exchange, received in exchanges
    ]


def _parsed(body: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body


def test_a_copied_script_sends_the_request(
    copied: Copied, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The script that is copied from a request sends the same body again."""
    monkeypatch.setenv("CMS_HOST", sandbox.url)
    monkeypatch.setenv("CMS_BEARER_TOKEN", sandbox.token)
    for each in copied.requests.values():
        exec(each["copy"]["python"], {})
    assert _received_bodies(sandbox) == _bodies_of(copied)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_a_copied_command_sends_the_request(copied: Copied, sandbox: Sandbox) -> None:
    """The curl command that is copied from a request sends the same request again."""
    script = "\n".join(each["copy"]["curl"] for each in copied.requests.values())
    environment = {**os.environ, "CMS_HOST": sandbox.url, "CMS_BEARER_TOKEN": sandbox.token}
    subprocess.run(["/bin/sh", "-c", script], env=environment, capture_output=True, check=False)
    assert _received_bodies(sandbox) == _bodies_of(copied)
    methods = [exchange.method for exchange in sandbox._state.log.newest()]
    sent = [each for name, each in copied.requests.items() if name != "truncated"]
    assert methods == [each["request"]["method"] for each in sent]
    refused = {
        "no token": 401,
        "wrong token": 401,
        "another scheme": 401,
        "another host": 403,
        "no host": 400,
        "no JSON type": 400,
        "no JSON": 400,
        "too large": 413,
    }
    statuses = dict(zip([each["id"] for each in sent], sandbox.requests))
    for name, status in refused.items():
        assert statuses[copied.requests[name]["id"]].status == status


def test_a_copy_has_no_token(copied: Copied) -> None:
    """No copy of a request contains a token, neither the sandbox's nor another one."""
    for each in copied.requests.values():
        for source in each["copy"].values():
            assert "sandbox-token" not in source
            assert WRONG_TOKEN not in source


def test_a_truncated_request_is_not_copied(copied: Copied) -> None:
    """The copies of a request whose body is truncated say why they do not send it."""
    copies = copied.requests["truncated"]["copy"]
    assert copies["python"] == copies["curl"] == f"# {TRUNCATED}\n"
    assert f'pytest.skip("{TRUNCATED}")' in copies["pytest"]


def test_a_copied_test_is_named_after_its_event(copied: Copied) -> None:
    """The name of a copied test has the event, the customer and the outcome."""
    names = [
        re.findall(r"def (\w+)", copied.requests[name]["copy"]["pytest"])[0]
        for name in ("deferred", "duplicate sale", "no JSON")
    ]
    assert names == [
        "test_sign_up_of_user_44_pending",
        "test_purchase_of_user_44_duplicate",
        "test_lead_refused",
    ]
    assert "def test_attribution_of_user_44(" in copied.chains["user_44"]


def test_a_long_chain_is_copied_in_part(copied: Copied) -> None:
    """The test of a chain with many events has the first ones, and says so."""
    assert f"# Only the first {MAX_CALLS} of {MAX_CALLS + 1} events." in copied.chains["busy"]
    assert f'("c", 0, {MAX_CALLS - 1}' in copied.chains["busy"]


@pytest.mark.parametrize(("status", "has_token"), [(200, True), (401, False)])
def test_a_masked_token_is_copied_as_the_token(status: int, has_token: bool) -> None:
    """A request whose token a document has masked is copied as a call, unless it was rejected."""
    exchange = _exchange(json.dumps(LEAD).encode(), authorization="Bearer ••••oken")
    exchange.status = status
    assert ("client.track_lead" in to_python(exchange, "token")) is has_token
    assert ("Bearer $CMS_BEARER_TOKEN" in to_curl(exchange, "token")) is has_token


def _exchange(data: bytes, operation: int = 0, **headers: str) -> Exchange:
    headers = {"authorization": "Bearer token", "content-type": "application/json", **headers}
    return Exchange(
        "req_1",
        OPERATIONS[operation],
        "POST",
        [(name.encode(), value.encode("utf-8")) for name, value in headers.items()],
        datetime.now(timezone.utc),
        Body(data, len(data)),
        status=200,
        data={"clickId": "click_1"},
    )


@given(st.sampled_from([LEAD, SALE]), TEXT, st.text(max_size=300), st.booleans())
def test_copied_source_is_always_valid(
    event: dict[str, Any], text: str, header: str, escaped: bool
) -> None:
    """Whatever a request contains, its copies are valid Python, which has the same values."""
    fields = dict.fromkeys(("eventName", "customerExternalId", "clickId", "customerName"), text)
    data = json.dumps({**event, **fields}, ensure_ascii=escaped).encode()
    exchange = _exchange(data, operation=int(event is SALE))
    seen = read_exchange(exchange)
    tree = ast.parse(to_python(exchange, "token"))
    assert text in [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    compile(to_pytest(exchange, seen, "token", Earlier()), "test", "exec")
    odd = _exchange(data + header.encode("utf-8", "replace"), authorization=header)
    compile(to_python(odd, "token"), "script", "exec")
    compile(to_pytest(odd, read_exchange(odd), "token", Earlier()), "test", "exec")


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_a_hostile_body_is_quoted_for_the_shell(sandbox: Sandbox, tmp_path: Path) -> None:
    """A body with quotes, substitutions, options or control characters arrives as it was."""
    paste = "\x1b[201~\x03\r\ntouch x\n\t\x9b"
    bodies = [json.dumps({"a": HOSTILE}, ensure_ascii=False), HOSTILE, "@/etc/passwd", "\0%s\\n"]
    bodies += ["-\0", "--\0", paste]
    for body in bodies:
        post(sandbox, body.encode(), retries=False)
    view = view_of(sandbox)
    requests = reversed(view.requests()["requests"])
    commands = [(view.request(each["id"]) or {})["copy"]["curl"] for each in requests]
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", "".join(commands))
    environment = {**os.environ, "CMS_HOST": sandbox.url, "CMS_BEARER_TOKEN": sandbox.token}
    subprocess.run(
        ["/bin/sh", "-c", "\n".join(commands)],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    received = [exchange.body.data.decode() for exchange in sandbox._state.log.newest()]
    assert received == [*bodies, *bodies]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("size", ["\u00b2", "9" * 5000])
def test_an_odd_size_is_not_copied(size: str) -> None:
    """A size that only an imported request can have leaves the size of the body that was read."""
    exchange = _exchange(b"xyz")
    exchange.headers = [(b"content-length", size.encode("latin-1"))]
    exchange.status = 413
    assert "head -c 3 /dev/zero" in to_curl(exchange, "token")


def test_a_header_does_not_control_the_terminal() -> None:
    """Control characters of a header, which a terminal may act on, are replaced in a command."""
    command = to_curl(_exchange(b"{}", **{"content-type": "a\x03\x1bb"}), "token")
    assert "Content-Type: a??b" in command
