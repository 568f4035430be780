"""Clear, undo, and the undo of an import."""

from cutmeshort import CMSClient
from cutmeshort.sandbox import Sandbox

from .helpers import LEAD, SALE, post


def sign_up(sandbox: Sandbox, customer: str, click: str = "click_1") -> None:
    """Send a lead of a customer."""
    assert post(sandbox, {**LEAD, "customerExternalId": customer, "clickId": click}).status == 200


def customers(sandbox: Sandbox) -> list[str]:
    """Return the customers of the recorded leads."""
    return [each.customer_external_id for each in sandbox.leads]


def test_undo_restores_what_was_cleared_before_what_was_added(sandbox: Sandbox) -> None:
    """Events, clicks, requests and faults from before a clear are in front of later ones."""
    state = sandbox._state
    links = [state.follow_link("first")]
    sign_up(sandbox, "user_1")
    post(sandbox, {})
    sandbox.fail_next(status=500)
    state.clear()
    assert (sandbox.leads, sandbox.requests, state.clicks.all()) == ([], [], [])
    assert state.can_undo
    links.append(state.follow_link("second"))
    sign_up(sandbox, "user_2")
    sandbox.fail_next(status=503)
    assert state.undo()
    assert customers(sandbox) == ["user_1", "user_2"]
    assert [each.status for each in sandbox.requests] == [200, 422, 200]
    assert [each.status for each in sandbox.refused] == [422]
    assert state.log.counts() == {"recorded": 2, "refused": 1}
    assert state.clicks.all() == links
    assert [post(sandbox, SALE, "/track/sale").status for _ in range(2)] == [500, 503]
    assert not state.can_undo
    assert not state.undo()


def test_a_clear_that_removes_nothing_keeps_what_undo_restores(sandbox: Sandbox) -> None:
    """A second clear changes nothing, and a clear of a new sandbox can't be undone."""
    sandbox.clear()
    assert not sandbox.undo()
    for add in (
        lambda: sandbox.click("first"),
        lambda: sandbox.fail_next(status=503),
        lambda: post(sandbox, {}),
    ):
        add()
        before = sandbox._state.content().clicks, sandbox.requests, sandbox.faults
        sandbox.clear()
        sandbox.clear()
        assert sandbox.undo()
        assert (sandbox._state.content().clicks, sandbox.requests, sandbox.faults) == before


def test_undo_of_an_import_keeps_what_was_added_since(sandbox: Sandbox) -> None:
    """The undo removes what was imported, and restores the events and settings from before."""
    state = sandbox._state
    with Sandbox(rate_limit=7) as other:
        other._state.follow_link("imported")
        sign_up(other, "user_imported")
        post(other, {})
        document = other.export()
    sandbox.update_settings(duplicate_status=409)
    sign_up(sandbox, "user_1")
    sandbox.fail_next(drop=True)
    assert sandbox.import_(document) == {"requests": 2, "events": 1}
    assert customers(sandbox) == ["user_imported"]
    assert (state.settings.rate_limit, state.settings.duplicate_status) == (7, 200)
    assert [each.status for each in sandbox.refused] == [422]
    sign_up(sandbox, "user_2")
    assert state.undo()
    assert customers(sandbox) == ["user_1", "user_2"]
    assert [each.status for each in sandbox.requests] == [200, 200]
    assert sandbox.refused == []
    assert +state.log.counts() == {"recorded": 2}
    assert state.clicks.all() == []
    assert (state.settings.rate_limit, state.settings.duplicate_status) == (None, 409)
    assert [each.fault.drop for each in state.faults.pending()] == [True]


def test_undo_of_an_import_restores_deferred_clicks(sandbox: Sandbox, client: CMSClient) -> None:
    """After the undo, follow-ups are credited to the clicks from before the import."""
    empty = sandbox.export()
    client.track_lead("Sign up", "user_1", "click_1", mode="deferred")
    sandbox.import_(empty)
    assert client.track_lead("Trial", "user_1")["type"] == "unprocessable_entity"
    assert sandbox._state.undo()
    assert client.track_lead("Trial", "user_1")["success"]


def test_reset_can_not_be_undone(sandbox: Sandbox) -> None:
    """After a reset, there is nothing to restore, not even what was cleared before."""
    sign_up(sandbox, "user_1")
    sandbox._state.clear()
    sandbox.reset()
    assert not sandbox._state.undo()
    assert sandbox.leads == []
