"""Requests with every outcome, each with what the sandbox says about it."""

import json
import threading
from dataclasses import dataclass, field
from typing import Any, Callable

import urllib3

from cutmeshort import CMSClient
from cutmeshort.sandbox import Sandbox
from cutmeshort.sandbox.http.bodies import MAX_BODY_BYTES
from cutmeshort.sandbox.state.faults import make_fault
from cutmeshort.sandbox.view.view import View

from ..support.timing import LONG
from .helpers import LEAD, SALE, connect, head, post, read_to_end, request

DEFERRED = ("Sign up", "user_44", "click_3f9c")
WRONG_TOKEN = "sk_live_of_an_account_1234"


def view_of(sandbox: Sandbox, token: str = "", data: Any = None) -> View:
    """Create a view of a sandbox."""
    return View(
        sandbox._state, url=sandbox.url, token=token or sandbox.token, version="2.0.0", data=data
    )


def defer(client: CMSClient) -> None:
    """Track a deferred lead of user_44."""
    assert client.track_lead(*DEFERRED, mode="deferred")["success"]


def pay(client: CMSClient, **arguments: Any) -> Any:
    """Track a sale of user_44, without a click id."""
    sale = {"amount": 4990, "currency": "EUR", "invoice_id": "inv_1", **arguments}
    return client.track_sale("Purchase", customer_external_id="user_44", **sale)


@dataclass(frozen=True)
class Scenario:
    """
    A request, and what the log shows of it.

    Attributes:
        act: Sends the request, after others on which it depends.
        state: The expected state.
        why: A regular expression for the reason.
        settings: The settings of the sandbox.
        expected: Other expected values of the summary.
    """

    act: Callable[[Sandbox, CMSClient], Any]
    state: str
    why: str
    settings: dict[str, Any] = field(default_factory=dict)
    expected: dict[str, Any] = field(default_factory=dict)


def _recorded_twice(_: Sandbox, client: CMSClient) -> None:
    defer(client)
    pay(client)
    pay(client, amount=1)


def _duplicate_lead(_: Sandbox, client: CMSClient) -> None:
    client.track_lead("Sign up", "user_42", "click_1")
    client.track_lead("Sign up", "user_42")


def _retried(sandbox: Sandbox, client: CMSClient) -> None:
    defer(client)
    sandbox.fail_next(drop=True, recorded=True)
    pay(client, max_retries=1)


def _faulty(*, defers: bool = True, **fault: Any) -> Callable[[Sandbox, CMSClient], Any]:
    def act(sandbox: Sandbox, client: CMSClient) -> None:
        if defers:
            defer(client)
        sandbox.fail_next(**fault)
        pay(client)

    return act


def _fault_of_a_duplicate(sandbox: Sandbox, client: CMSClient) -> None:
    defer(client)
    pay(client)
    sandbox.fail_next(status=503, recorded=True)
    pay(client)


def _fault_of_a_refused_lead(sandbox: Sandbox, client: CMSClient) -> None:
    defer(client)
    sandbox.fail_next(status=503, recorded=True)
    client.track_lead("Email confirmed", *DEFERRED[1:])


def _sent_again(_: Sandbox, client: CMSClient) -> None:
    defer(client)
    client.track_lead("Email confirmed", *DEFERRED[1:])


def _limited(_: Sandbox, client: CMSClient) -> None:
    client.track_lead("Sign up", "user_1", "click_1")
    client.track_lead("Sign up", "user_2", "click_2")


def _disconnects(body: bytes, **fault: Any) -> Callable[[Sandbox, CMSClient], Any]:
    """Send a lead with `body` as far as it goes, and close the connection."""

    def act(sandbox: Sandbox, _: CMSClient) -> None:
        if fault:
            sandbox.fail_next(**fault)
        length = len(json.dumps(LEAD).encode())
        logged = threading.Event()
        sandbox._state.changes.listen(lambda: sandbox.requests and logged.set())
        with connect(sandbox) as connection:
            connection.sendall(head(sandbox, f"Content-Length: {length}") + body)
            connection.shutdown(1)
            assert read_to_end(connection) == b""
            assert logged.wait(LONG)

    return act


def _posts(body: Any, path: str = "/track/lead", **headers: str) -> Callable[..., Any]:
    return lambda sandbox, _: post(sandbox, body, path, retries=False, **headers)


def _requests(method: str, **options: Any) -> Callable[..., Any]:
    return lambda sandbox, _: request(sandbox, method, "/track/lead", retries=False, **options)


def _posts_with_fault(body: Any, **fault: Any) -> Callable[..., Any]:
    def act(sandbox: Sandbox, _: CMSClient) -> None:
        sandbox.fail_next(**fault)
        try:
            post(sandbox, body, retries=False)
        except urllib3.exceptions.HTTPError:
            assert "drop" in fault

    return act


def _lead(*arguments: Any, **options: Any) -> Callable[[Sandbox, CMSClient], Any]:
    arguments = arguments or ("Sign up", "user_42", "click_1")
    return lambda _, client: client.track_lead(*arguments, **options)


_LEAD_JSON = json.dumps(LEAD).encode()
_NOT_RECORDED = "The event was not recorded"

SCENARIOS = {
    "lead": Scenario(_lead(), "recorded", "Credited to click_1, the clickId that the request sent"),
    "follow-up": Scenario(
        lambda _, client: [defer(client), client.track_lead("Email confirmed", "user_44")],
        "recorded",
        "Credited to click_3f9c by the deferred lead of user_44: the request sent no clickId",
    ),
    "sale": Scenario(
        lambda _, client: [defer(client), pay(client)],
        "recorded",
        "Credited to click_3f9c by the deferred lead of user_44",
        expected={"amount": 4990, "currency": "EUR", "exponent": 2, "invoice": "inv_1"},
    ),
    "sale with another click": Scenario(
        lambda _, client: [defer(client), pay(client, click_id="click_b")],
        "recorded",
        "Credited to click_b, .*, although a deferred lead associated user_44 with click_3f9c. ",
    ),
    "all fields": Scenario(
        _lead(
            customer_name='Ann "A" O\'Neil',
            customer_email="ann@example.com",
            customer_avatar="https://example.com/a.png",
            timestamp="2026-01-31T12:00:00+01:00",
        ),
        "recorded",
        "Credited to click_1",
    ),
    "late": Scenario(
        _faulty(latency=0.01), "recorded", r"on purpose|sent this response 0.01 s late, on purpose"
    ),
    "deferred": Scenario(
        lambda _, client: defer(client),
        "pending",
        "user_44 is now associated with click_3f9c.* need no clickId, .* must not send one",
    ),
    "duplicate sale": Scenario(
        _recorded_twice,
        "duplicate",
        r"A sale with the invoiceId inv_1 is already recorded \(..:..:.. UTC\), so it is not "
        "recorded again",
    ),
    "duplicate lead": Scenario(
        _duplicate_lead, "duplicate", 'The lead "Sign up" of user_42 is already recorded'
    ),
    "duplicate deferred lead": Scenario(
        lambda _, client: [defer(client), defer(client)], "duplicate", "is already recorded"
    ),
    "duplicate as 409": Scenario(
        _recorded_twice,
        "duplicate",
        "The setting duplicate_status=409 makes it an error, which is not retried",
        {"duplicate_status": 409},
        {"status": 409, "type": "duplicate_event"},
    ),
    "invoice again": Scenario(
        lambda _, client: [defer(client), pay(client), pay(client)],
        "duplicate",
        "A sale with the invoiceId inv_1 is already recorded .* The SDK reports success.$",
    ),
    "invoice again with another amount": Scenario(
        lambda _, client: [defer(client), pay(client), pay(client, amount=5990)],
        "duplicate",
        "success. The recorded sale differs: 49.90 EUR of user_44. Give each payment an invoiceId",
    ),
    "invoice of a currency without a minor unit": Scenario(
        lambda _, client: [defer(client), pay(client, currency="XAU"), pay(client)],
        "duplicate",
        "The recorded sale differs: 4990 XAU of user_44",
    ),
    "retry of a recorded event": Scenario(
        _retried,
        "duplicate",
        "already recorded .*, so this retry is deduplicated: sending an event again is safe",
        expected={"attempt": 2},
    ),
    "retry of a recorded event, with 409": Scenario(
        _retried,
        "duplicate",
        "already recorded .*, so this retry is deduplicated: the SDK reports success",
        {"duplicate_status": 409},
        {"attempt": 2},
    ),
    "click sent again": Scenario(
        _sent_again,
        "refused",
        "Already associated .*, because a deferred lead of user_44 sent click_3f9c. .* clickId out",
        expected={"status": 409, "type": "duplicate_attribution"},
    ),
    "no click": Scenario(
        _lead("Sign up", "user_1"),
        "refused",
        "clickId is required: .* Send the visitor's click id .* or a deferred lead",
    ),
    "no token": Scenario(
        _requests("POST", body=_LEAD_JSON),
        "refused",
        "no Authorization header. Send `Authorization: Bearer <token>`",
        expected={"status": 401, "event": "Sign up"},
    ),
    "wrong token": Scenario(
        _posts(LEAD, Authorization=f"Bearer {WRONG_TOKEN}"),
        "refused",
        "The token ••••1234 is not the one of this sandbox, ••••oken",
    ),
    "another scheme": Scenario(
        _posts(LEAD, Authorization=f"Basic {WRONG_TOKEN}"), "refused", "must be `Bearer`, a space"
    ),
    "another host": Scenario(
        _posts(LEAD, Host="shop.example"),
        "refused",
        "does not respond under the host name shop.example. .* shows as CMS_HOST",
        expected={"status": 403},
    ),
    "no host": Scenario(
        _posts(LEAD, Host="a b"), "refused", "one valid Host header", expected={"status": 400}
    ),
    "no JSON type": Scenario(
        _posts(LEAD, **{"Content-Type": "text/plain"}),
        "refused",
        "Content-Type must be application/json. Send a JSON object with",
        expected={"status": 400},
    ),
    "no JSON": Scenario(
        _posts(b"{'a': \xff\0 100% \\"), "refused", "The body must be a JSON object"
    ),
    "amount as text": Scenario(
        _posts({**SALE, "amount": "49.99"}, "/track/sale"),
        "refused",
        r'amount: Input should be an int .* to_minor_units\("49.99", "USD"\)',
        expected={"amount": None, "currency": "USD", "status": 422},
    ),
    "amount as a fraction": Scenario(
        _posts({**SALE, "amount": 49.99}, "/track/sale"), "refused", "to_minor_units"
    ),
    "unknown field": Scenario(
        _posts({**LEAD, "plan": "pro"}), "refused", "Unknown fields: plan. CMSClient checks"
    ),
    "wrong method": Scenario(
        _requests("PUT", body=b"a"), "refused", "Method Not Allowed. Send the event with POST"
    ),
    "HEAD": Scenario(_requests("HEAD"), "refused", "Method Not Allowed"),
    "too large": Scenario(
        _posts(b"x" * (MAX_BODY_BYTES + 1)), "refused", "must not exceed .* needs less than 20 KiB"
    ),
    "truncated": Scenario(
        _posts({**LEAD, "customerName": "x" * 20_000}),
        "refused",
        "customerName",
        expected={"event": None},
    ),
    "rate limit": Scenario(
        _limited,
        "refused",
        r"1 requests per minute. The next request is accepted in \d+ s",
        {"rate_limit": 1},
        {"customer": "user_2"},
    ),
    "503": Scenario(
        _faulty(defers=False, status=503),
        "failed",
        f"Failed on purpose: 503. {_NOT_RECORDED}. The SDK retries the call",
        expected={"fault": "503", "recorded": False},
    ),
    "503 and recorded": Scenario(
        _faulty(status=503, recorded=True),
        "failed",
        "record, then 503. The event was recorded nevertheless",
        expected={"recorded": True},
    ),
    "503 of a duplicate": Scenario(
        _fault_of_a_duplicate, "failed", "record, then 503. The event was already recorded"
    ),
    "503 of a refused lead": Scenario(_fault_of_a_refused_lead, "failed", _NOT_RECORDED),
    "429 with a time": Scenario(
        _faulty(defers=False, status=429, retry_after=30),
        "failed",
        "429, retry after 30 s. .* The SDK retries after 30 s if the timeout .* has retry_after",
    ),
    "422 on purpose": Scenario(
        _faulty(defers=False, status=422),
        "failed",
        "does not retry: the call returns an error of the type unprocessable_entity",
    ),
    "drop": Scenario(
        _faulty(defers=False, drop=True),
        "failed",
        f"Failed on purpose: drop. {_NOT_RECORDED}. The SDK retries",
        expected={"status": None, "type": "dropped"},
    ),
    "record, then drop": Scenario(
        _faulty(drop=True, recorded=True), "failed", "record, then drop. The event was recorded"
    ),
    "outage": Scenario(
        lambda sandbox, client: [sandbox._state.set_outage(make_fault(status=500)), pay(client)],
        "failed",
        "Failed on purpose: 500",
    ),
    "error_status": Scenario(
        _lead(),
        "failed",
        "The setting error_status=502 rejects every event.",
        {"error_status": 502},
    ),
    "html": Scenario(
        _lead(),
        "failed",
        'The setting response="html" .* does not retry: .* of the type invalid_response',
        {"response": "html"},
        {"status": 200},
    ),
    "success_false": Scenario(
        _lead(), "failed", "of the type api_error", {"response": "success_false"}
    ),
    "client timeout": Scenario(
        _disconnects(_LEAD_JSON, latency=3600),
        "failed",
        r"The client closed the connection after \d+\.\d s, .* delayed it on purpose: 3600 s late. "
        "The event was recorded nevertheless",
        expected={"status": None, "type": "disconnected"},
    ),
    "half a body": Scenario(
        _disconnects(_LEAD_JSON[:20]), "failed", f"usually its timeout was over. {_NOT_RECORDED}"
    ),
    "no JSON and 503": Scenario(_posts_with_fault(b"[]", status=503), "failed", _NOT_RECORDED),
    "no JSON and drop": Scenario(_posts_with_fault(b"[]", drop=True), "failed", _NOT_RECORDED),
}
