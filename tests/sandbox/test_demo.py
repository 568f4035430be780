"""The demo shop: the short links, and the calls of the SDK that the shop makes."""

import json
import threading
from typing import Any

import pytest

from cutmeshort.sandbox import Sandbox
from cutmeshort.sandbox.demo.shop import to_python

from ..support.timing import LONG, SLACK, timed
from .helpers import connect, read_to_end, request

CLICK = "click_3f9c"
ORDER = {"customer": "user_44", "invoice": "inv_1", "amount": "49.90", "currency": "EUR"}
BODY = json.dumps({"customer": "user_44"})
SIGN_UP = (
    "POST /demo/sign-up HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    f"Cookie: cms_rf={CLICK}\r\nContent-Length: {len(BODY)}\r\n\r\n{BODY}"
)


def send(sandbox: Sandbox, path: str, body: Any, click: str = CLICK) -> Any:
    """Send a request as the page does, with a click id in the cookie, and return the JSON."""
    headers = {"Content-Type": "application/json", "Cookie": f"cms_rf={click}" if click else "a=b"}
    response = request(
        sandbox, "POST", f"/demo/{path}", body=json.dumps(body).encode(), headers=headers
    )
    assert response.status == 200, response.data
    return response.json()


def run_text(text: str) -> dict[str, Any]:
    """Run the text of a call, as a reader would in an own application; return its arguments."""

    class Client:
        def track_lead(self, *args: Any, **options: Any) -> Any:
            return {"args": args, **options}

        track_sale = track_lead

    class ClickId:
        def read(self, cookies: Any) -> Any:
            return ("read", cookies)

    class Cookies:
        cookies = "cookies"

    names = {"client": Client(), "click_id": ClickId(), "request": Cookies()}
    return eval(text, {**names, "to_minor_units": lambda *args: args})  # type: ignore[no-any-return]


@pytest.mark.parametrize("link", ["Q7f", "newsletter-may", "a_B-9", "x" * 64])
def test_a_short_link_leads_to_the_shop(sandbox: Sandbox, link: str) -> None:
    """A visitor who follows a short link gets a new click id, and the sandbox records the click."""
    response = request(sandbox, "GET", f"/s/{link}", redirect=False)
    assert response.status == 302
    (click,) = sandbox._state.clicks.all()
    assert click.link == link
    assert response.headers["Location"] == f"/demo?cms_rf={click.click_id}"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Referrer-Policy"] in {"no-referrer", "same-origin"}
    request(sandbox, "GET", f"/s/{link}")  # follows the redirect to the page
    assert len({click.click_id for click in sandbox._state.clicks.all()}) == 2


def test_a_check_of_a_short_link_is_not_a_click(sandbox: Sandbox) -> None:
    """A program that checks a link with HEAD is redirected, and no click is recorded."""
    response = request(sandbox, "HEAD", "/s/Q7f", redirect=False)
    assert (response.status, response.headers["Location"]) == (302, "/demo")
    assert sandbox._state.clicks.all() == []


@pytest.mark.parametrize("link", ["x" * 65, "a.b", "a%20b", "%0aa", "a%0a", "%C3%A9", "%2e%2e"])
def test_other_names_are_not_short_links(sandbox: Sandbox, link: str) -> None:
    """A name that is too long, or has other characters, is not found."""
    response = request(sandbox, "GET", f"/s/{link}", redirect=False)
    assert response.status == 404
    assert sandbox._state.clicks.all() == []


def test_the_shop_makes_links(sandbox: Sandbox) -> None:
    """Each new link has another name, and leads to the shop."""
    links = [send(sandbox, "link", {}) for _ in range(3)]
    assert len({link["hash"] for link in links}) == 3
    for link in links:
        assert link["url"] == f"{sandbox.url}/s/{link['hash']}"
        assert request(sandbox, "GET", f"/s/{link['hash']}", redirect=False).status == 302


def test_a_customer_signs_up_and_pays(sandbox: Sandbox) -> None:
    """The shop tracks a lead and a sale, which are credited to the click in the cookie."""
    lead = send(sandbox, "sign-up", {"customer": "user_44"})
    assert lead["call"] == (
        "client.track_lead(\n"
        '    "Sign up", "user_44",\n'
        "    click_id=click_id.read(request.cookies),\n"
        ")"
    )
    assert lead["result"]["success"] is True
    assert lead["source"].startswith(f'{lead["call"]}\n→ {{"success": True, "message": "Lead ')
    assert (lead["state"], lead["text"]) == ("recorded", f"✓ Recorded: credited to {CLICK}.")
    sale = send(sandbox, "pay", ORDER)
    assert sale["call"] == (
        "client.track_sale(\n"
        '    "Purchase", "user_44", "inv_1",\n'
        '    to_minor_units("49.90", "EUR"), "EUR",\n'
        "    click_id=click_id.read(request.cookies),\n"
        ")"
    )
    assert (sale["state"], sale["text"]) == ("recorded", f"✓ Recorded: credited to {CLICK}.")
    sandbox.assert_lead(event_name="Sign up", customer_external_id="user_44", click_id=CLICK)
    sandbox.assert_sale(invoice_id="inv_1", amount=4990, currency="EUR", click_id=CLICK)


def test_a_deferred_customer_confirms_and_pays_without_a_click_id(sandbox: Sandbox) -> None:
    """The lead and the sale that follow a deferred lead send no click id, and are credited."""
    deferred = send(sandbox, "sign-up", {"customer": "user_44", "deferred": True})
    assert deferred["call"].endswith('\n    mode="deferred",\n)')
    assert deferred["state"] == "pending"
    assert deferred["text"].endswith(f"the next events of this customer are credited to {CLICK}.")
    confirmed = send(sandbox, "confirm", {"customer": "user_44"}, click="")
    assert confirmed["call"] == 'client.track_lead(\n    "Email confirmed", "user_44",\n)'
    paid = send(sandbox, "pay", {**ORDER, "deferred": True})
    assert "click_id" not in paid["call"]
    for each in (confirmed, paid):
        assert (each["state"], each["text"]) == ("recorded", f"✓ Recorded: credited to {CLICK}.")
    assert [lead.click_id for lead in sandbox.leads] == [CLICK, None]
    assert sandbox.sales[0].click_id is None


def test_a_call_that_has_to_wait_says_how_long(sandbox: Sandbox) -> None:
    """After a 429, the shop says when the call can be made again."""
    sandbox.fail_next(status=429, retry_after=30)
    response = send(sandbox, "sign-up", {"customer": "user_44"})
    assert response["text"].endswith(" It is safe to make the same call again after 30 s.")


@pytest.mark.parametrize("status", [200, 409])
def test_the_same_invoice_again_is_a_duplicate(sandbox: Sandbox, status: Any) -> None:
    """The shop says that the second sale of an invoice added nothing, whatever the setting."""
    sandbox.update_settings(duplicate_status=status)
    assert send(sandbox, "pay", ORDER)["state"] == "recorded"
    again = send(sandbox, "pay", ORDER)
    text = f"= Already recorded, credited to {CLICK}. Nothing was added."
    assert (again["state"], again["text"]) == ("duplicate", text)
    assert len(sandbox.sales) == 1


@pytest.mark.parametrize(("path", "body"), [("sign-up", {"customer": "a"}), ("pay", ORDER)])
def test_without_a_click_the_shop_sends_nothing(sandbox: Sandbox, path: str, body: Any) -> None:
    """A visitor without a click id is told what is missing; the shop makes no call."""
    response = send(sandbox, path, body, click="")
    assert response["result"] is None
    assert response["call"] == response["source"]
    assert response["state"] == "refused"
    assert response["text"].startswith("! Not sent: there is no click to credit.")
    assert sandbox.requests == []


def test_an_amount_that_is_no_number_is_explained(sandbox: Sandbox) -> None:
    """The shop shows the call with a wrong amount, and what the SDK's helper says about it."""
    response = send(sandbox, "pay", {**ORDER, "amount": "49,90"})
    assert 'to_minor_units("49,90", "EUR")' in response["source"]
    assert response["state"] == "refused"
    assert response["text"].startswith("! Not sent: to_minor_units raised ApiValueError: amount ")
    assert sandbox.requests == []


def test_a_call_that_the_sdk_rejects_is_explained(sandbox: Sandbox) -> None:
    """A customer without an id gets the SDK's own reason, and nothing is sent."""
    response = send(sandbox, "sign-up", {"customer": ""})
    assert response["result"]["type"] == "validation_error"
    assert response["state"] == "refused"
    assert response["text"] == f"! Not recorded: {response['result']['error']}"
    assert sandbox.requests == []


def test_an_event_that_the_service_rejects_is_explained(sandbox: Sandbox) -> None:
    """A customer whose click is known already can't be associated with another one."""
    send(sandbox, "sign-up", {"customer": "user_44", "deferred": True})
    response = send(sandbox, "sign-up", {"customer": "user_44"})
    assert response["result"]["status_code"] == 409
    assert (response["state"], len(sandbox.leads)) == ("refused", 1)


@pytest.mark.usefixtures("no_wait")
def test_the_sdk_retries_the_calls_of_the_shop(sandbox: Sandbox) -> None:
    """A transient fault is not visible to the customer: the SDK makes another attempt."""
    sandbox.fail_next(2, status=503)
    assert send(sandbox, "sign-up", {"customer": "user_44"})["state"] == "recorded"
    assert [received.status for received in sandbox.requests] == [503, 503, 200]


@pytest.mark.usefixtures("no_wait")
@pytest.mark.parametrize("status", [200, 409])
def test_an_event_that_an_earlier_attempt_recorded_is_not_a_duplicate(
    sandbox: Sandbox, status: Any
) -> None:
    """The shop says that the sale is recorded if only the retry of its call is a duplicate."""
    sandbox.update_settings(duplicate_status=status)
    sandbox.fail_next(drop=True, recorded=True)
    shown = send(sandbox, "pay", ORDER)
    assert [each.status for each in sandbox.requests] == [None, status]
    assert (shown["state"], shown["text"]) == ("recorded", f"✓ Recorded: credited to {CLICK}.")


@pytest.mark.usefixtures("no_wait")
@pytest.mark.parametrize("recorded", [False, True])
def test_a_call_that_fails_is_explained(sandbox: Sandbox, recorded: bool) -> None:
    """After all attempts, the shop says whether the event is recorded nevertheless."""
    sandbox.fail_next(4, status=503, recorded=recorded)
    response = send(sandbox, "sign-up", {"customer": "user_44"})
    assert response["state"] == "failed"
    assert response["result"]["attempts"] == 4
    expected = f"✕ Recorded, credited to {CLICK}, but" if recorded else "✕ Not recorded: "
    assert response["text"].startswith(expected)
    assert response["text"].endswith("the same call again.") is not recorded


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        'a "quote"',
        "it's",
        "both ' and \"",
        "\\",
        "\n",
        "\u202eevil",
        "<b>",
        "{}",
        "é",
        "%s",
    ],
)
def test_the_text_of_a_call_is_safe_and_exact(sandbox: Sandbox, text: str) -> None:
    """Whatever a customer enters, the text of the call is Python with exactly these arguments."""
    response = send(sandbox, "sign-up", {"customer": text})
    assert response["result"]["success"] is True
    assert response["call"].isprintable() or response["call"].count("\n") == 3
    sent = run_text(response["call"])
    assert sent == {"args": ("Sign up", text), "click_id": ("read", "cookies")}
    assert sandbox.leads[-1].customer_external_id == text


def test_a_result_is_shown_as_python() -> None:
    """The text of a result is Python, and evaluates to the result."""
    value = {"a": [1, 2.5, None, True, {}], 'b"': "it's", "c": [], "d": "x"}
    text = to_python(value)
    assert eval(text) == value
    assert text == '{"a": [1, 2.5, None, True, {}], \'b"\': "it\'s", "c": [], "d": "x"}'


def test_inputs_that_are_too_long_are_rejected(sandbox: Sandbox) -> None:
    """The shop takes at most 255 characters for each of its inputs."""
    for name in ORDER:
        body = json.dumps({**ORDER, name: "x" * 256}).encode()
        headers = {"Content-Type": "application/json", "Cookie": f"cms_rf={CLICK}"}
        response = request(sandbox, "POST", "/demo/pay", body=body, headers=headers)
        assert response.status == 422
    assert sandbox.requests == []


def test_the_shop_ignores_the_settings_of_the_environment(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shop still calls its own sandbox if the variables of the SDK are set, or are invalid."""
    monkeypatch.setenv("CMS_HOST", "http://127.0.0.1:1")
    for name in ("CMS_BEARER_TOKEN", "CMS_ENABLED", "CMS_MAX_RETRIES", "CMS_TIMEOUT"):
        monkeypatch.setenv(name, "not valid")
    assert send(sandbox, "sign-up", {"customer": "user_44"})["state"] == "recorded"


@pytest.mark.parametrize(
    "fault", [{"latency": 3600}, {"latency": 3600, "drop": True}, {"status": 503}]
)
@pytest.mark.usefixtures("no_wait")  # the thread then ends soon after the sandbox
def test_a_call_of_the_shop_does_not_delay_the_stop(fault: Any) -> None:
    """The sandbox stops at once while the shop waits or is about to retry; its thread ends, too."""
    waiting = threading.Event()

    def check() -> None:
        if "latency" in fault or sandbox.requests:
            waiting.set()

    before = set(threading.enumerate())
    with Sandbox() as sandbox, connect(sandbox) as connection:
        sandbox.fail_next(99, **fault)
        sandbox._state.changes.listen(check)
        connection.sendall(SIGN_UP.encode())
        assert waiting.wait(LONG)
        assert timed(sandbox.__exit__)[1] < SLACK
        response = read_to_end(connection)
        assert not response or "latency" not in fault  # without one, the last retry may have ended
    for thread in set(threading.enumerate()) - before:
        thread.join(LONG)
        assert not thread.is_alive()
