"""The view: the JSON of the state, and what has changed in it."""

import threading
from typing import Any, Callable, Optional

import pytest

from cutmeshort import CMSClient
from cutmeshort.models import LeadPayload
from cutmeshort.operations import TRACK_LEAD
from cutmeshort.sandbox import Sandbox
from cutmeshort.sandbox.state.changes import MAX_CHANGES
from cutmeshort.sandbox.state.faults import make_fault
from cutmeshort.sandbox.state.tokens import mask_token
from cutmeshort.sandbox.view import view as views
from cutmeshort.sandbox.view.view import HINT_SECONDS, View

from ..support.events import lead
from ..support.timing import Clock
from .helpers import LEAD, SALE, post
from .scenarios import DEFERRED, WRONG_TOKEN, defer, pay, view_of


@pytest.fixture
def view(sandbox: Sandbox) -> View:
    """A view of the sandbox."""
    return view_of(sandbox)


def _update(view: View, since: int) -> dict[str, Any]:
    update = view.update(since)
    assert update is not None
    return update


def test_the_snapshot_of_an_empty_sandbox(sandbox: Sandbox, view: View) -> None:
    """The snapshot of a sandbox without requests has its settings, and nothing else."""
    snapshot = view.snapshot()
    assert snapshot.pop("sequence") == sandbox._state.changes.sequence
    assert snapshot.pop("totals")["requests"]["total"] == 0
    assert snapshot == {
        "url": sandbox.url,
        "token": "sandbox-token",
        "token_masked": False,
        "version": "2.0.0",
        "data": None,
        "settings": {
            "rate_limit": None,
            "duplicate_status": 200,
            "response": "message",
            "error_status": None,
            "error_response": "envelope",
        },
        "revenue": [],
        "chains": [],
        "hints": [],
        "faults": [],
        "outage": None,
        "undo": False,
    }


def test_the_snapshot_has_the_pending_faults(sandbox: Sandbox, view: View) -> None:
    """The snapshot has the queue of faults with what is left of each, and the outage."""
    sandbox.fail_next(3, status=429, retry_after=30)
    sandbox.fail_next(drop=True, recorded=True, latency=0.5)
    sandbox._state.take_fault()
    with sandbox.outage():
        snapshot = view.snapshot()
    first, second = snapshot["faults"]
    assert first == {
        "id": first["id"],
        "times": 2,
        "label": "429, retry after 30 s",
        "status": 429,
        "drop": False,
        "latency": 0.0,
        "recorded": False,
        "retry_after": 30,
    }
    assert (second["label"], second["times"]) == ("record, then drop, 0.5 s late", 1)
    outage = snapshot["outage"]
    assert (outage["id"], outage["times"], outage["label"]) == (None, None, "503")


@pytest.mark.parametrize(
    ("token", "shown"),
    [
        ("sandbox-token", "sandbox-token"),
        ("a-token-of-24-characters", "••••ters"),
        ("16-characters-ok", "••••s-ok"),
        ("15-characters-o", "••••"),
    ],
)
def test_the_token_is_masked(token: str, shown: str, sandbox: Sandbox) -> None:
    """A token other than the default one is masked, unless it is asked for."""
    view = view_of(sandbox, token=token, data="events.db")
    snapshot = view.snapshot()
    assert (snapshot["token"], snapshot["token_masked"]) == (shown, token != "sandbox-token")
    assert snapshot["data"] == "events.db"
    snapshot = view.snapshot(include_token=True)
    assert (snapshot["token"], snapshot["token_masked"]) == (token, False)


def test_a_mask_hides_most_of_a_token() -> None:
    """The mask of the default token has its last four characters."""
    assert mask_token("sandbox-token") == "••••oken"


def test_an_update_has_what_a_request_changed(
    sandbox: Sandbox, client: CMSClient, view: View
) -> None:
    """After a recorded event, the update has the request, the chain, the revenue and the totals."""
    defer(client)
    sequence = view.snapshot()["sequence"]
    pay(client)
    update = _update(view, sequence)
    assert update["sequence"] == sandbox._state.changes.sequence
    assert [request["event"] for request in update["requests"]] == ["Purchase"]
    assert [chain["customer"] for chain in update["chains"]] == ["user_44"]
    assert update["revenue"][0]["amount"] == 4990
    assert update["totals"]["requests"]["total"] == 2
    assert update.keys() == {"sequence", "requests", "chains", "revenue", "totals"}
    assert _update(view, update["sequence"]) == {"sequence": update["sequence"]}


def test_an_update_has_each_chain_once(client: CMSClient, view: View) -> None:
    """An update with several requests has them oldest first, and each chain once."""
    sequence = view.snapshot()["sequence"]
    for number in range(3):
        client.track_lead(f"Lead {number}", "user_44", "click_1")
    client.track_lead("Lead", "user_45", "click_1")
    update = _update(view, sequence)
    events = [request["event"] for request in update["requests"]]
    assert events == ["Lead 0", "Lead 1", "Lead 2", "Lead"]
    assert [chain["customer"] for chain in update["chains"]] == ["user_44", "user_45"]


@pytest.mark.parametrize(
    ("change", "keys"),
    [
        (lambda state: state.add_fault(make_fault(status=503), 1), {"faults", "outage"}),
        (lambda state: state.set_outage(make_fault(status=503)), {"faults", "outage"}),
        (lambda state: state.update_settings(duplicate_status=409), {"settings", "totals"}),
        (lambda state: state.follow_link("newsletter"), {"totals"}),
    ],
    ids=["fault", "outage", "settings", "click"],
)
def test_an_update_has_only_what_changed(
    change: Callable[[Any], object], keys: set[str], sandbox: Sandbox, view: View
) -> None:
    """An update after another change has only the part that has changed."""
    sequence = view.snapshot()["sequence"]
    change(sandbox._state)
    assert _update(view, sequence).keys() == {"sequence", *keys}
    sandbox._state.set_outage(None)


def test_a_click_is_counted_and_dated(sandbox: Sandbox, client: CMSClient, view: View) -> None:
    """A click through a short link is in the totals, and in the chain with its link."""
    click = sandbox._state.follow_link("newsletter").click_id
    assert view.snapshot()["totals"]["clicks"] == 1
    sandbox._state.follow_link("newsletter")
    client.track_lead("Sign up", "user_1", click)
    snapshot = view.snapshot()
    assert snapshot["totals"]["clicks"] == 2
    step = snapshot["chains"][0]["steps"][0]
    assert (step["click"], step["link"]) == (click, "newsletter")
    assert step["time"] is not None


@pytest.mark.parametrize("action", ["clear", "undo", "reset"])
def test_an_update_after_a_clear_needs_a_snapshot(
    action: str, sandbox: Sandbox, client: CMSClient, view: View
) -> None:
    """After a clear, an undo or a reset, there is no update but a new snapshot."""
    state = sandbox._state
    pay(client, click_id="click_1")
    before = view.snapshot()
    state.clear()
    if action == "undo":
        sequence = view.snapshot()["sequence"]
        state.undo()
    else:
        sequence = before["sequence"]
        getattr(state, action)()
    assert view.update(sequence) is None
    after = view.snapshot()
    assert after["undo"] is (action == "clear")
    assert bool(after["chains"]) is (action == "undo")
    assert after["revenue"] == (before["revenue"] if action == "undo" else [])
    assert len(view.requests()["requests"]) == (action == "undo")


def test_an_update_needs_a_known_number(sandbox: Sandbox, view: View) -> None:
    """After a number that is unknown or too old, there is no update."""
    sequence = view.snapshot()["sequence"]
    assert view.update(1) is None
    assert view.update(sequence + 1000) is None
    for _ in range(MAX_CHANGES + 1):
        sandbox._state.remove_faults()
    assert view.update(sequence) is None


def test_a_view_catches_up_with_changes_that_are_forgotten(
    sandbox: Sandbox, client: CMSClient, view: View
) -> None:
    """A view that was last used long ago has all events and the newest requests."""
    client.track_lead("Sign up", "user_44", "click_1")
    view.snapshot()
    client.track_lead("Confirmed", "user_44", "click_1")
    for number in range(MAX_CHANGES):
        payload = LeadPayload(
            event_name=str(number), customer_external_id="user_44", click_id="click_1"
        )
        sandbox._state.record(TRACK_LEAD, payload, "req_1")
    chain = view.snapshot()["chains"][0]
    assert chain["earlier"] + len(chain["steps"]) == 1 + 2 + MAX_CHANGES
    events = [request["event"] for request in view.requests()["requests"]]
    assert events == ["Confirmed", "Sign up"]


def test_the_requests_are_newest_first(client: CMSClient, view: View) -> None:
    """`requests` has the newest requests first, limited in number or to one customer."""
    for customer in ("user_1", "user_2", "user_1"):
        client.track_lead("Sign up", customer, "click_1")

    def customers(**options: Any) -> list[Any]:
        found = view.requests(**options)
        assert found["total"] == 3
        return [request["customer"] for request in found["requests"]]

    assert customers() == ["user_1", "user_2", "user_1"]
    assert customers(limit=2) == ["user_1", "user_2"]
    assert customers(customer="user_2") == ["user_2"]
    assert customers(limit=1, customer="user_1") == ["user_1"]
    assert customers(limit=0) == customers(customer="user_3") == []


def test_a_request_has_both_messages(sandbox: Sandbox, view: View) -> None:
    """`request` has the request and the response with headers and bodies, the token masked."""
    post(sandbox, {**SALE, "amount": "1"}, "/track/sale")
    summary = view.requests()["requests"][0]
    request = view.request(summary["id"])
    assert request is not None
    assert {key: request[key] for key in summary} == summary
    sent, response = request["request"], request["response"]
    assert (sent["method"], sent["path"]) == ("POST", "/track/sale")
    assert ["Authorization", "Bearer ••••oken"] in sent["headers"]
    assert '"amount": "1"' in sent["body"]
    assert (response["status"], response["truncated"]) == (422, False)
    assert ["Content-Type", "application/json"] in response["headers"]
    assert '"statusCode":422' in response["body"]
    assert request["copy"].keys() == {"python", "curl", "pytest"}
    in_full = view.request(summary["id"], include_token=True) or {}
    assert ["Authorization", "Bearer sandbox-token"] in in_full["request"]["headers"]
    assert view.request("req_unknown") is None


@pytest.mark.parametrize(
    ("authorization", "shown"),
    [
        (f"Bearer {WRONG_TOKEN}", "Bearer ••••1234"),
        (WRONG_TOKEN, "••••1234"),
        ("Basic dTpw", "Basic ••••"),
    ],
)
def test_every_token_is_masked(
    authorization: str, shown: str, sandbox: Sandbox, view: View
) -> None:
    """The token in a request is masked, whatever its scheme."""
    post(sandbox, LEAD, Authorization=authorization)
    request = view.request(view.requests()["requests"][0]["id"]) or {}
    assert ["Authorization", shown] in request["request"]["headers"]


def test_a_request_without_a_response_has_none(
    sandbox: Sandbox, client: CMSClient, view: View
) -> None:
    """The response of a request that the sandbox dropped is null, and bytes become text."""
    sandbox.fail_next(drop=True)
    pay(client, max_retries=0)
    post(sandbox, b"\xff" + b"x" * 20_000)
    garbled, dropped = (view.request(each["id"]) or {} for each in view.requests()["requests"])
    assert dropped["response"] is None
    assert garbled["request"]["body"].startswith("\ufffdx")
    assert garbled["request"]["truncated"] is True


def test_a_chain_has_a_copy(client: CMSClient, view: View) -> None:
    """`chain` has the chain of the snapshot and its copy; an unknown customer has none."""
    defer(client)
    client.track_lead(DEFERRED[0], "user_1", "click_1")
    chain = view.chain("user_44")
    assert chain is not None
    assert "user_1" not in chain.pop("copy")["pytest"]
    assert chain in view.snapshot()["chains"]
    assert view.chain("user_2") is None


def test_the_hints_are_found_at_most_twice_a_second(client: CMSClient, view: View) -> None:
    """Updates skip the hints for half a second; `due` says when to ask for them."""
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(views.time, "monotonic", clock.monotonic)
        sequence = view.snapshot()["sequence"]
        assert view.due() is None
        clock.advance(0.2)
        client.track_lead("Sign up", "ann@example.com", "click_1")
        update = _update(view, sequence)
        assert "hints" not in update
        assert view.due() == pytest.approx(HINT_SECONDS - 0.2)
        clock.advance(HINT_SECONDS - 0.2)
        assert view.due() == 0
        update = _update(view, update["sequence"])
        assert [hint["type"] for hint in update["hints"]] == ["email_as_id"]
        assert view.due() is None
        client.track_lead("Sign up", "user_1", "click_1")
        clock.advance(HINT_SECONDS)
        later = _update(view, update["sequence"])
        assert "hints" not in later  # they are the same


def test_new_hints_wake_those_who_wait(client: CMSClient, sandbox: Sandbox, view: View) -> None:
    """When an update finds other hints, the listeners of the changes are called."""
    view.snapshot()
    client.track_lead("Sign up", "ann@example.com", "click_1")
    sequence = sandbox._state.changes.sequence
    called = threading.Event()
    sandbox._state.changes.listen(called.set)
    snapshot = view.snapshot()
    sandbox._state.changes.stop_listening(called.set)
    assert len(snapshot["hints"]) == 1
    assert called.is_set()
    assert _update(view, sequence)["hints"] == snapshot["hints"]


def test_the_use_of_the_rate_limit_falls(client: CMSClient, sandbox: Sandbox, view: View) -> None:
    """While requests count towards the rate limit, an update is due; it has the totals."""
    sandbox.update_settings(rate_limit=10)
    lead(client)
    snapshot = view.snapshot()
    assert snapshot["totals"]["rate_limit"] == {"limit": 10, "used": 1}
    assert view.due() == 1.0
    sandbox._state.rate_limit.reset()  # as after a minute
    sequence: Optional[int] = snapshot["sequence"]
    _update(view, sequence or 0)
    assert _update(view, sequence or 0)["totals"]["rate_limit"]["used"] == 0
    assert view.due() is None


def test_a_summary_is_rendered_once(client: CMSClient, view: View) -> None:
    """Several streams get the same objects, so that a burst of requests is rendered once."""
    sequence = view.snapshot()["sequence"]
    lead(client)
    first, second = _update(view, sequence), _update(view, sequence)
    assert first["requests"][0] is second["requests"][0] is view.requests()["requests"][0]
    assert first["chains"][0] is second["chains"][0] is view.snapshot()["chains"][0]


def test_threads_can_share_a_view(sandbox: Sandbox, client: CMSClient, view: View) -> None:
    """Updates that threads ask for while requests arrive add up to the same state."""
    start = view.snapshot()["sequence"]
    done = threading.Event()
    seen: list[set[str]] = []

    def follow() -> None:
        sequence, ids = start, set()
        while not done.is_set() or sequence < sandbox._state.changes.sequence:
            update = _update(view, sequence)
            sequence = update["sequence"]
            ids.update(request["id"] for request in update.get("requests", ()))
        seen.append(ids)

    threads = [threading.Thread(target=follow) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(100):
        client.track_lead(f"Lead {number}", "user_44", "click_1")
    done.set()
    for thread in threads:
        thread.join()
    assert seen == [{received.request_id for received in sandbox.requests}] * 3
