"""The reason of each response, `why`, and the other values of its summary."""

import json
import re
from typing import Any

import pytest

from cutmeshort import CMSClient
from cutmeshort.operations import TRACK_LEAD
from cutmeshort.sandbox import Sandbox
from cutmeshort.sandbox.state.exchanges import Exchange
from cutmeshort.sandbox.view.reasons import Known, explain
from cutmeshort.sandbox.view.seen import Seen

from .helpers import LEAD, post
from .scenarios import SCENARIOS, WRONG_TOKEN, view_of
from .test_chains import START


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_request_says_why(name: str, sandbox: Sandbox) -> None:
    """The summary of a request has its state, and says why and what to do, without a token."""
    scenario = SCENARIOS[name]
    sandbox.update_settings(**scenario.settings)
    with CMSClient(sandbox.token, sandbox.url, max_retries=0) as client:
        scenario.act(sandbox, client)
    sandbox._state.set_outage(None)
    summary = view_of(sandbox).requests()["requests"][0]
    shown = {key: summary[key] for key in scenario.expected}
    assert (summary["state"], shown) == (scenario.state, scenario.expected)
    assert re.search(scenario.why, summary["why"]), summary["why"]
    assert "None" not in summary["why"]
    assert sandbox.token not in summary["why"]
    assert WRONG_TOKEN not in summary["why"]


def test_a_short_token_is_not_shown_in_part(sandbox: Sandbox) -> None:
    """The reason of a 401 masks a short token completely."""
    post(sandbox, LEAD, Authorization="Bearer secret")
    why = view_of(sandbox).requests()["requests"][0]["why"]
    assert why.startswith("The token •••• is not the one of this sandbox, ••••oken.")


@pytest.mark.parametrize("body", [b"[]", b"", json.dumps({"eventName": 1}).encode()], ids=str)
def test_a_request_without_an_event_has_a_reason(body: Any, sandbox: Sandbox) -> None:
    """The summary of a request without an event or a customer has a reason, and null for both."""
    post(sandbox, body)
    summary = view_of(sandbox).requests()["requests"][0]
    assert (summary["event"], summary["customer"], summary["state"]) == (None, None, "refused")
    assert summary["why"].endswith((".", "`; CMSClient does."))


def test_a_response_after_the_timeout_of_the_sdk_has_a_reason() -> None:
    """The reason of a response that takes as long as the SDK waits for one says how it goes on."""
    lead = Exchange(
        "req_1", TRACK_LEAD, "POST", (), START, status=200, data={"clickId": "c"}, seconds=5.0
    )
    seen = Seen("req_1", START, "track_lead", event="Sign up", customer="user_1", click="c")
    assert explain(lead, seen, Known("token")).endswith(
        " By default, the SDK waits 5 s for a response (request_timeout), so it may have sent the "
        "event again."
    )


def test_a_duplicate_of_an_unknown_event_has_a_reason() -> None:
    """The reason of a duplicate leaves out the time of the original if that is not known."""
    lead = Exchange("req_1", TRACK_LEAD, "POST", (), START, status=200, data={"duplicate": True})
    seen = Seen("req_1", START, "track_lead", event="Sign up", customer="user_1")
    assert explain(lead, seen, Known("token")) == (
        'The lead "Sign up" of user_1 is already recorded, so it is not recorded again. The SDK '
        "reports success."
    )
