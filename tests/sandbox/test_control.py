"""The JSON endpoints, and the methods of Sandbox that do the same."""

import json
import re
from typing import Any

import pytest

from cutmeshort import ApiValueError, CMSClient
from cutmeshort.sandbox import Sandbox
from cutmeshort.sandbox.control import schemas
from cutmeshort.sandbox.http.bodies import MAX_BODY_BYTES
from cutmeshort.sandbox.state.clicks import MAX_CLICKS

from ..support.events import lead, sale
from .helpers import LEAD, connect, head, post, request

JSON = {"Content-Type": "application/json"}
SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def get(sandbox: Sandbox, path: str) -> Any:
    """Return the JSON of an endpoint."""
    response = request(sandbox, "GET", path)
    assert response.status == 200
    return response.json()


def write(sandbox: Sandbox, method: str, path: str, body: Any = None) -> Any:
    """Change something; return the status and the JSON."""
    data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    response = request(sandbox, method, path, body=data, headers=JSON)
    return response.status, response.json()


def fill(sandbox: Sandbox, client: CMSClient) -> None:
    """Send requests of every type, so that no part of the state is empty."""
    click = sandbox.click("newsletter")
    lead(client, click_id=click, mode="deferred", event_name="Sign up")
    lead(client, click_id="click_2", customer_external_id="a@b.example")
    sale(client, click_id=click)
    sale(client, customer_external_id="user_44", invoice_id="2", amount=49, click_id="click_3")
    sale(client, customer_external_id="user_44", invoice_id="2", amount=49, click_id="click_3")
    sandbox.fail_next(status=503, latency=0.001, recorded=True, retry_after=0)
    lead(client, max_retries=0, customer_external_id="user_45")
    post(sandbox, b"{", Authorization="Bearer wrong")
    sandbox.fail_next(drop=True, times=3)
    lead(client, max_retries=0)


def test_the_state_is_as_described(sandbox: Sandbox, client: CMSClient) -> None:
    """Every part of the state, of the requests and of a chain is in the description."""
    fill(sandbox, client)
    with sandbox.outage():
        text = request(sandbox, "GET", "/_sandbox/state").data
    state = schemas.State.model_validate_json(text)
    assert state.faults
    assert state.outage is not None
    assert state.hints
    assert {step.type for chain in state.chains for step in chain.steps} >= {"click", "deferred"}
    listed = request(sandbox, "GET", "/_sandbox/requests").data
    requests = schemas.TrackedRequests.model_validate_json(listed).requests
    assert {each.state for each in requests} == {
        "recorded",
        "pending",
        "duplicate",
        "refused",
        "failed",
    }
    for each in requests:
        text = request(sandbox, "GET", f"/_sandbox/requests/{each.id}").data
        assert schemas.FullRequest.model_validate_json(text).call == each.call
    text = request(sandbox, "GET", "/_sandbox/chain?customer=user_42").data
    assert schemas.CopiedChain.model_validate_json(text).deferred


def test_the_methods_return_what_the_endpoints_do(sandbox: Sandbox, client: CMSClient) -> None:
    """Each reading method of Sandbox returns the JSON of its endpoint."""
    fill(sandbox, client)
    state = sandbox.state()
    assert get(sandbox, "/_sandbox/state") == json.loads(json.dumps(sandbox.state()))
    assert (sandbox.faults, sandbox.settings) == (state["faults"], state["settings"])
    (first, *_) = get(sandbox, "/_sandbox/requests?limit=1")["requests"]
    assert sandbox.log(1) == [first]
    customer = get(sandbox, "/_sandbox/requests?customer=user_44")["requests"]
    assert sandbox.log(customer="user_44") == customer
    assert len(customer) == 2
    for method, path in (
        (sandbox.request(first["id"]), f"/_sandbox/requests/{first['id']}"),
        (sandbox.chain("user_44"), "/_sandbox/chain?customer=user_44"),
    ):
        assert get(sandbox, path) == json.loads(json.dumps(method))
    assert sandbox.request("req_x") is None
    assert sandbox.chain(0) is None
    assert (
        sandbox.attribution("user_42")[0].click_id == sandbox.chain("user_42")["steps"][0]["click"]
    )  # type: ignore[index]


def test_a_sandbox_that_does_not_run_shows_its_state() -> None:
    """Before the start, the methods return the state, which has no URL yet."""
    sandbox = Sandbox(rate_limit=7)
    sandbox.fail_next(drop=True)
    assert sandbox.state()["url"] == ""
    assert sandbox.settings["rate_limit"] == 7
    assert [fault["label"] for fault in sandbox.faults] == ["drop"]
    with sandbox:
        assert sandbox.state()["url"] == sandbox.url


def test_health_is_a_url_to_wait_for(sandbox: Sandbox) -> None:
    """A program that waits for the sandbox gets 200, whether it sends GET or HEAD."""
    assert get(sandbox, "/_sandbox/health") == {"status": "ok"}
    assert request(sandbox, "HEAD", "/_sandbox/health").status == 200


def test_the_token_is_masked_unless_asked_for() -> None:
    """A token that is not the default one is in the state only on demand, and never in the log."""
    token = "secret-token-of-the-shop"
    with Sandbox(token=token) as sandbox:
        post(sandbox, LEAD)
        (entry,) = sandbox.log()
        for path in ("/state", f"/requests/{entry['id']}", "/export", "/requests"):
            assert token not in request(sandbox, "GET", f"/_sandbox{path}").data.decode()
            shown = request(sandbox, "GET", f"/_sandbox{path}?include_token=true").data.decode()
            assert (token in shown) == (path != "/requests")
        assert sandbox.state()["token_masked"] is True
        assert sandbox.state(include_token=True)["token"] == token


def test_faults_are_added_and_removed(sandbox: Sandbox, client: CMSClient) -> None:
    """Faults of the endpoint are those of `fail_next`, and each can be removed by its id."""
    status, added = write(sandbox, "POST", "/_sandbox/faults", {"status": 429, "retry_after": 30})
    assert status == 201
    status, added = write(
        sandbox, "POST", "/_sandbox/faults", {"times": 2, "drop": True, "recorded": True}
    )
    assert [fault["label"] for fault in added["faults"]] == [
        "429, retry after 30 s",
        "record, then drop",
    ]
    schemas.Faults.model_validate(added)
    first, second = (fault["id"] for fault in added["faults"])
    for _ in range(2):  # the second time, it is not pending
        status, left = write(sandbox, "DELETE", f"/_sandbox/faults?id={first}")
        assert (status, [fault["id"] for fault in left["faults"]]) == (200, [second])
    assert lead(client, max_retries=0)["type"] == "network_error"
    assert len(sandbox.leads) == 1
    sandbox.fail_next(status=503)
    sandbox.clear_faults(second)
    assert [fault["label"] for fault in sandbox.faults] == ["503"]
    assert write(sandbox, "DELETE", "/_sandbox/faults") == (200, {"faults": []})


def test_settings_change_one_by_one(sandbox: Sandbox) -> None:
    """Settings that a request leaves out stay as they are."""
    assert write(sandbox, "PATCH", "/_sandbox/settings", {"rate_limit": 3})[0] == 200
    status, settings = write(
        sandbox,
        "PATCH",
        "/_sandbox/settings",
        {"duplicate_status": 409, "response": "flat", "error_status": 500},
    )
    assert status == 200
    schemas.Settings.model_validate(settings)
    assert settings == sandbox.settings
    assert settings == {
        "rate_limit": 3,
        "duplicate_status": 409,
        "response": "flat",
        "error_status": 500,
        "error_response": "envelope",
    }
    status, settings = write(sandbox, "PATCH", "/_sandbox/settings", {"rate_limit": None})
    assert settings["rate_limit"] is None
    assert write(sandbox, "PATCH", "/_sandbox/settings") == (200, settings)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    [
        ("POST", "/faults", None, 422, "fail_next needs a status"),
        ("POST", "/faults", {"status": 200}, 422, "status: Input should be greater"),
        ("POST", "/faults", {"status": "503"}, 422, "status: Input should be a valid integer"),
        ("POST", "/faults", {"status": 503, "times": 0}, 422, "times"),
        ("POST", "/faults", {"status": 503, "drop": True}, 422, "can't be combined"),
        ("POST", "/faults", {"latency": -1}, 422, "latency"),
        ("POST", "/faults", b'{"latency": NaN}', 422, "latency"),
        ("POST", "/faults", {"status": 503, "x": 1, "y": 2}, 422, "x: Extra inputs .*; y: Extra"),
        ("POST", "/faults", b"{", 400, "must be JSON"),
        ("POST", "/faults", b"[" * 100_000, 400, "."),
        ("POST", "/faults", [], 422, "."),
        ("POST", "/faults", b" " * (MAX_BODY_BYTES + 1), 413, "must not exceed 1048576 bytes"),
        ("DELETE", "/faults?id=x", None, 422, "id: "),
        ("PATCH", "/settings", {"duplicate_status": 500}, 422, "duplicate_status"),
        ("PATCH", "/settings", {"rate_limit": True}, 422, "rate_limit"),
        ("POST", "/requests/req_x/replay", None, 404, "No request that is kept has this id"),
        ("GET", "/requests/req_x", None, 404, "No request that is kept has this id"),
        ("GET", "/chain?customer=x", None, 404, "No event of this customer"),
        ("GET", "/chain", None, 422, "customer"),
        ("GET", "/requests?limit=0", None, 422, "limit"),
        ("POST", "/undo", None, 409, "nothing to restore"),
        ("POST", "/import", {}, 422, "."),
        ("POST", "/state", None, 405, "Method Not Allowed"),
        ("GET", "/elsewhere", None, 404, "Not Found"),
        ("GET", "/docs/../x.py", None, 404, "Not Found"),
    ],
)
def test_an_error_is_one_line(
    method: str, path: str, body: Any, status: int, message: str, sandbox: Sandbox
) -> None:
    """An invalid request gets its status and one line that says what is wrong."""
    code, error = write(sandbox, method, f"/_sandbox{path}", body)
    assert (code, error.keys()) == (status, {"error"})
    assert re.search(message, error["error"])
    assert "\n" not in error["error"]
    assert sandbox.faults == []


def test_a_client_that_leaves_during_a_write_changes_nothing(
    sandbox: Sandbox, log: pytest.LogCaptureFixture
) -> None:
    """A body that is closed early changes nothing, and nothing is logged."""
    sandbox.fail_next(status=503)
    start = head(sandbox, "Content-Length: 9", "Expect: 100-continue")
    for _ in range(3):
        with connect(sandbox) as connection:
            connection.sendall(start.replace(b"/track/lead", b"/_sandbox/clear"))
            assert connection.recv(65536).startswith(b"HTTP/1.1 100")
            connection.sendall(b"{}")
    assert get(sandbox, "/_sandbox/health") == {"status": "ok"}
    assert len(sandbox.faults) == 1
    assert not log.records


def test_clear_can_be_undone(sandbox: Sandbox, client: CMSClient) -> None:
    """A clear forgets what happened, and the undo restores it once."""
    lead(client)
    assert write(sandbox, "POST", "/_sandbox/clear") == (200, {"undo": True})
    assert (sandbox.leads, sandbox.log()) == ([], [])
    assert write(sandbox, "POST", "/_sandbox/undo") == (200, {"undo": False})
    assert len(sandbox.leads) == len(sandbox.log()) == 1
    sandbox.clear()
    assert sandbox.state()["chains"] == []
    assert (sandbox.undo(), sandbox.undo()) == (True, False)
    assert len(sandbox.state()["chains"]) == 1


def test_an_export_can_be_imported(sandbox: Sandbox, client: CMSClient) -> None:
    """What one sandbox exports, another one imports, by HTTP and by method."""
    lead(client)
    response = request(sandbox, "GET", "/_sandbox/export")
    exported = {**sandbox.export(), "exported_at": response.json()["exported_at"]}
    assert json.loads(json.dumps(exported)) == response.json()
    assert "attachment" in response.headers["Content-Disposition"]
    for imported in (
        lambda: write(sandbox, "POST", "/_sandbox/import", response.data)[1],
        lambda: sandbox.import_(sandbox.export()),
    ):
        assert schemas.Imported.model_validate(imported()).events == 1
        assert len(sandbox.leads) == 1
        assert sandbox.undo() is True
    with pytest.raises(ApiValueError):
        sandbox.import_([])


def test_a_short_link_returns_its_click(sandbox: Sandbox, client: CMSClient) -> None:
    """The click id of `click` is that of the chain's first step, with its link."""
    click = sandbox.click("newsletter")
    lead(client, click_id=click)
    chain = sandbox.chain("user_42")
    assert chain is not None
    assert (chain["steps"][0]["click"], chain["steps"][0]["link"]) == (click, "newsletter")
    assert sandbox.click() != click


@pytest.mark.parametrize("link", [5, None, "", "a/b", "\ud800", "x" * 65])
def test_a_link_with_an_invalid_name_has_no_click(sandbox: Sandbox, link: Any) -> None:
    """Sandbox.click rejects a name that no short link can have, and adds no click."""
    with pytest.raises(ApiValueError, match="link must be 1 to 64 letters"):
        sandbox.click(link)
    assert sandbox.export()["clicks"] == []


def test_the_newest_clicks_are_kept(sandbox: Sandbox) -> None:
    """The sandbox keeps the newest 10,000 clicks."""
    _oldest, *newest = [sandbox.click() for _ in range(MAX_CLICKS + 1)]
    assert [each["click"] for each in sandbox.export()["clicks"]] == newest


def test_the_interface_is_outside_limit_faults_and_log(sandbox: Sandbox) -> None:
    """Requests to the interface are never limited, failed or logged, and need no token."""
    sandbox.update_settings(rate_limit=1, error_status=500)
    with sandbox.outage():
        for _ in range(3):
            assert request(sandbox, "GET", "/_sandbox/state").status == 200
            assert write(sandbox, "POST", "/_sandbox/faults", {"drop": True})[0] == 201
    assert sandbox.requests == []
    assert sandbox.state()["totals"]["rate_limit"]["used"] == 0


@pytest.mark.parametrize(
    "path",
    ["/_sandbox/state", "/_sandbox/elsewhere", "/docs", "/openapi.json", "/_sandbox/docs/docs.js"],
)
def test_every_response_has_the_security_headers(path: str, sandbox: Sandbox) -> None:
    """No other site can read, embed or cache what the interface responds."""
    headers = request(sandbox, "GET", path).headers
    assert {name: headers.get_all(name) for name in SECURITY_HEADERS if name in headers} == {
        name: [value] for name, value in SECURITY_HEADERS.items()
    }
    assert not [name for name in headers if name.lower().startswith("access-control")]


def test_a_bug_of_the_interface_is_reported(log: pytest.LogCaptureFixture) -> None:
    """An unexpected exception gets 500 in the format of the interface, and is logged."""
    with Sandbox() as sandbox, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sandbox._state, "clear", lambda: 1 // 0)
        status, error = write(sandbox, "POST", "/_sandbox/clear")
    assert (status, error.keys()) == (500, {"error"})
    assert "Exception in ASGI application" in log.text
