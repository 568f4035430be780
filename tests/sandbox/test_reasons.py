"""The reason of each response, `why`, and the other values of its summary."""

import json
import re
from typing import Any

import pytest

from cutmeshort import CMSClient
from cutmeshort.sandbox import Sandbox

from .helpers import LEAD, post
from .scenarios import SCENARIOS, WRONG_TOKEN, view_of


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
