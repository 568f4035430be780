"""The hints: what looks like a mistake in the requests of an application."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Callable

import pytest

from cutmeshort import CMSClient
from cutmeshort.sandbox import Sandbox
from cutmeshort.sandbox.view import hints
from cutmeshort.sandbox.view.hints import MAX_HINTS, Hint, find_hints
from cutmeshort.sandbox.view.seen import Seen

from .helpers import LEAD, post
from .scenarios import defer, view_of
from .test_chains import START


def _seen(number: int, second: float = 0.0, operation: str = "track_lead", **values: Any) -> Seen:
    fields = {"event": "Sign up", "customer": f"user_{number}", "recorded": True, **values}
    return Seen(f"req_{number}", START + timedelta(seconds=second), operation, **fields)


def _sale(number: int, amount: Any, currency: str = "USD", **values: Any) -> Seen:
    fields = {"invoice": f"inv_{number}", "amount": amount, "currency": currency, **values}
    return _seen(number, number, "track_sale", **fields)


def _texts(found: Sequence[Hint]) -> list[str]:
    return [hint.text for hint in found]


@pytest.mark.parametrize(
    ("seen", "found"),
    [
        ([_sale(1, 49)], ["req_1"]),
        ([_sale(1, 1)], ["req_1"]),
        ([_sale(1, 99), _sale(2, 100)], ["req_1"]),
        ([_sale(1, 49), _sale(2, 49, invoice="inv_1")], ["req_2"]),  # a retry
        ([_sale(1, 49), _sale(2, 20, "EUR")], ["req_1", "req_2"]),
        ([_sale(1, 49, recorded=False)], ["req_1"]),
        ([_sale(1, 49), _sale(2, 20)], []),  # small amounts are usual
        ([_sale(1, 100)], []),
        ([_sale(1, 0)], []),
        ([_sale(1, -5)], []),
        ([_sale(1, None)], []),
        ([_sale(1, 49, invoice=None)], []),
        ([_sale(1, 49, "JPY")], []),
        ([_sale(1, 49, "KWD")], []),
        ([_sale(1, 49, "XAU")], []),
        ([_sale(1, 49, "DOLLARS")], []),
    ],
)
def test_a_single_small_amount_is_found(seen: list[Seen], found: list[str]) -> None:
    """An amount below 100 is found if the currency has two digits and no other such sale."""
    result = hints.amounts_below_100(seen)
    assert [hint.seen.request for hint in result] == found


def test_the_hint_of_a_small_amount_says_what_to_send() -> None:
    """The hint of a small amount has the amount in the major unit, and the amount to send."""
    assert _texts(hints.amounts_below_100([_sale(6, 49)])) == [
        (
            "inv_6 has the amount 49, which is 0.49 USD. Amounts are in the minor unit (cents): if "
            "you meant 49 USD, send 4900."
        )
    ]


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["Sign up", "sign up"], '"Sign up" and "sign up"'),
        (["Sign up", "Signup"], '"Sign up" and "Signup"'),
        (["Sign up", " Sign  up "], '"Sign up" and " Sign  up "'),
        (["Straße", "STRASSE"], '"Straße" and "STRASSE"'),
        (["a", "A", " a", "A "], '"a", "A", " a" and 1 more'),
        (["Sign up", "Sign up", "Sign in"], None),
        (["Sign up", None], None),
    ],
)
def test_similar_event_names_are_found(names: list[Any], text: Any) -> None:
    """Event names that differ only by case or white space are found."""
    seen = [_seen(number, number, event=name) for number, name in enumerate(names)]
    found = hints.similar_event_names(seen)
    expected = (
        [] if text is None else [f"{text} are counted as different events. Use one spelling."]
    )
    assert _texts(found) == expected


def test_a_sale_without_a_lead_is_found() -> None:
    """A recorded sale of a customer without a lead is found; one hint stands for all."""
    sales = [_sale(1, 500), _sale(2, 500), _sale(3, 500), _sale(4, 500, recorded=False)]
    found = hints.sales_without_lead([*sales, _seen(5)], lambda customer: customer == "user_1")
    assert _texts(found) == [
        (
            "user_3 has a sale but no lead (and 1 other customer). Track a lead when a customer "
            "signs up, with the same customer_external_id."
        )
    ]
    assert hints.sales_without_lead(sales, lambda _: True) == []
    assert (
        "user_2 has a sale but no lead. "
        in _texts(hints.sales_without_lead(sales[:2], lambda customer: customer == "user_1"))[0]
    )


@pytest.mark.parametrize(
    ("seconds", "customers", "found"),
    [
        ([0, 10, 20, 30, 60], [1, 2, 3, 4, 5], "req_4"),
        ([0, 10, 20, 30, 60, 70], [1, 2, 3, 4, 5, 5], "req_4"),
        ([0, 0, 70, 70, 70, 70, 70], [1, 2, 3, 4, 5, 6, 7], "req_6"),
        ([0, 10, 20, 30, 61], [1, 2, 3, 4, 5], None),
        ([0, 0, 0, 0, 0], [1, 2, 3, 4, 4], None),
        ([0, 0, 0, 0], [1, 2, 3, 4], None),
        ([0, 1, 2, 70, 71, 72], [1, 1, 2, 3, 4, 5], None),
    ],
)
def test_a_shared_click_is_found(seconds: list[int], customers: list[int], found: Any) -> None:
    """A click id that five customers sent within a minute is found."""
    requests = zip(seconds, customers)
    seen = [
        _seen(number, second, customer=f"user_{customer}", click="click_1")
        for number, (second, customer) in enumerate(requests)
    ]
    other = _seen(9, 0, customer="user_9", click="click_2")
    result = hints.shared_clicks([*seen, other, _seen(10, customer=None, click="click_1")])
    assert [hint.seen.request for hint in result] == ([found] if found else [])


def test_the_hint_of_a_shared_click_names_some_customers() -> None:
    """The hint of a shared click has the click id and some of the customers."""
    seen = [_seen(number, number, click="click_1") for number in range(5)]
    assert _texts(hints.shared_clicks(seen)) == [
        (
            "user_0, user_1, user_2 and 2 more sent the click id click_1 within a minute. A click "
            "belongs to one visitor: read the click id from the request of each visitor."
        )
    ]


def test_a_click_that_is_sent_again_is_found(sandbox: Sandbox) -> None:
    """A lead that the service rejects, as it sends the click id of a deferred lead, is found."""
    with CMSClient(sandbox.token, sandbox.url) as client:
        defer(client)
        client.track_lead("Email confirmed", "user_44", "click_3f9c")
    view = view_of(sandbox)
    request = view.requests()["requests"][0]["id"]
    assert view.snapshot()["hints"] == [
        {
            "type": "click_sent_again",
            "text": "user_44 has a click from a deferred lead, and a later lead sent a clickId "
            "again. The service rejects such a lead: leave click_id out.",
            "request": request,
            "customer": "user_44",
        }
    ]


@pytest.mark.parametrize(
    ("timestamp", "type"),
    [
        ("2026-11-26T12:15:00+00:00", "timestamp_in_future"),
        ("2026-11-26T13:08:00+01:00", None),  # the clocks of two machines differ
        ("2026-11-26T12:04:11", None),
        ("2025-11-26T12:04:11Z", None),
        ("2025-11-20T12:04:11Z", "timestamp_too_old"),
        ("0001-01-01", "timestamp_too_old"),
        ("9999-12-31T23:59:59.999999-14:00", "timestamp_in_future"),
        ("yesterday", None),
        (None, None),
    ],
)
def test_an_odd_timestamp_is_found(timestamp: Any, type: Any) -> None:
    """A timestamp in the future, with some clock skew, or older than a year is found."""
    found = hints.odd_timestamps([_seen(1, timestamp=timestamp)])
    assert [hint.type for hint in found] == ([type] if type else [])


def test_one_hint_stands_for_all_odd_timestamps() -> None:
    """The hint of odd timestamps has the newest one, and the number of the others."""
    seen = [_seen(number, timestamp=f"2027-01-0{number}") for number in (1, 2, 3)]
    assert _texts(hints.odd_timestamps(seen)) == [
        (
            "The timestamp 2027-01-03 of user_3 is in the future (and those of 2 other requests). "
            "Send when the event happened, or leave timestamp out for now."
        )
    ]


@pytest.mark.parametrize(
    ("customer", "found"),
    [
        ("ann@example.com", True),
        ("Ann.O+x@mail.example.co.uk", True),
        ("user_44", False),
        ("@example.com", False),
        ("ann@localhost", False),
        ("ann@.", False),
        ("ann lee@example.com", False),
        (None, False),
    ],
)
def test_an_email_as_id_is_found(customer: Any, found: bool) -> None:
    """A customer id that looks like an email address is found."""
    assert bool(hints.email_ids([_seen(1, customer=customer)])) is found


def test_the_newest_hints_are_first_and_limited_in_number() -> None:
    """All types of hints are found together, newest first, at most 20."""
    seen = [
        _seen(1, 1, customer="ann@example.com", timestamp="2030-01-01"),
        _sale(2, 49),
        _seen(3, 3, event="sign up", type="duplicate_attribution", recorded=False),
        *(_seen(10 + number, 4, customer=str(number), click="c") for number in range(5)),
    ]
    found = find_hints(seen, lambda _: False)
    assert [hint.type for hint in found] == [
        "similar_event_names",
        "shared_click",
        "click_sent_again",
        "amount_below_100",
        "sale_without_lead",
        "timestamp_in_future",
        "email_as_id",
    ]
    names = [name for number in range(100) for name in (f"a{number}", f"A{number}")]
    many = [_seen(number, number, event=name) for number, name in enumerate(names)]
    newest = find_hints(many, lambda _: True)
    assert [hint.seen.request for hint in newest] == [
        f"req_{number}" for number in range(199, 199 - 2 * MAX_HINTS, -2)
    ]


@pytest.mark.parametrize("find", [hints.email_ids, hints.clicks_sent_again], ids=["email", "click"])
def test_no_requests_have_no_hints(find: Callable[[Sequence[Seen]], list[Hint]]) -> None:
    """Without a finding there is no hint."""
    assert find([]) == []


def test_refused_requests_have_hints(sandbox: Sandbox) -> None:
    """The hints concern all requests that arrive, rejected ones included."""
    post(sandbox, {**LEAD, "customerExternalId": "ann@example.com", "plan": "pro"})
    found = view_of(sandbox).snapshot()["hints"]
    assert [hint["type"] for hint in found] == ["email_as_id"]
