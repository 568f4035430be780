"""
What looks like a mistake in the requests of an application.

Each hint is a function of the newest requests, oldest first. It returns at most one hint for each
finding, with the newest request that has it.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Callable, NamedTuple, Optional

from ...models.timestamps import read_timestamp
from ...money import from_minor_units
from .seen import Seen, decimal_places

MAX_HINTS = 20
# Fewer customers may share a click id for a good reason, such as a family with one computer.
MAX_CUSTOMERS_OF_CLICK = 4
_SMALL_AMOUNT = 100
_CLOCK_SKEW = timedelta(minutes=5)
_MINUTE = timedelta(minutes=1)
_YEAR = timedelta(days=366)
_MAX_SPELLINGS = 3


class Hint(NamedTuple):
    """
    A hint.

    Attributes:
        type: Machine-readable name.
        text: What was seen, and what to do.
        seen: The newest request that has the finding.
        customer: The customer that it concerns; None if it concerns more than one.
    """

    type: str
    text: str
    seen: Seen
    customer: Optional[str] = None

    def to_json(self) -> dict[str, Any]:
        """Return the hint for the page."""
        return {
            "type": self.type,
            "text": self.text,
            "request": self.seen.request,
            "customer": self.customer,
        }


def find_hints(seen: Sequence[Seen], has_lead: Callable[[str], bool]) -> list[Hint]:
    """
    Return the hints, at most 20, newest first.

    Args:
        seen: The newest requests, oldest first.
        has_lead: Whether a lead of a customer is recorded.
    """
    hints = [
        *amounts_below_100(seen),
        *similar_event_names(seen),
        *sales_without_lead(seen, has_lead),
        *shared_clicks(seen),
        *clicks_sent_again(seen),
        *odd_timestamps(seen),
        *email_ids(seen),
    ]
    return sorted(hints, key=lambda hint: hint.seen.time, reverse=True)[:MAX_HINTS]


def amounts_below_100(seen: Sequence[Seen]) -> list[Hint]:
    """Find the amount that is the only one below 100 in a currency with two decimal places."""
    small: dict[str, dict[str, Seen]] = {}  # by currency and invoice
    for each in seen:
        amount, currency = each.amount or 0, each.currency
        if each.invoice and 0 < amount < _SMALL_AMOUNT and decimal_places(currency) == 2:
            small.setdefault(str(currency), {})[each.invoice] = each
    return [
        _small_amount(each, currency)
        for currency, by_invoice in small.items()
        if len(by_invoice) == 1
        for each in by_invoice.values()
    ]


def _small_amount(seen: Seen, currency: str) -> Hint:
    amount = seen.amount or 0
    text = (
        f"{seen.invoice} has the amount {amount}, which is {from_minor_units(amount, currency)} "
        f"{currency}. Amounts are in the minor unit (cents): if you meant {amount} {currency}, "
        f"send {amount * 100}."
    )
    return Hint("amount_below_100", text, seen, seen.customer)


def similar_event_names(seen: Sequence[Seen]) -> list[Hint]:
    """Find event names that differ only by case or white space."""
    spellings: dict[str, dict[str, Seen]] = {}
    for each in seen:
        if each.event is not None:
            folded = "".join(each.event.casefold().split())
            spellings.setdefault(folded, {})[each.event] = each
    hints = []
    for by_name in spellings.values():
        if len(by_name) > 1:
            names = _enumerate([f'"{name}"' for name in by_name], _MAX_SPELLINGS)
            newest = max(by_name.values(), key=lambda each: each.time)
            text = f"{names} are counted as different events. Use one spelling."
            hints.append(Hint("similar_event_names", text, newest))
    return hints


def sales_without_lead(seen: Sequence[Seen], has_lead: Callable[[str], bool]) -> list[Hint]:
    """Find recorded sales of customers without a recorded lead."""
    found = {
        each.customer: each
        for each in seen
        if each.recorded and each.invoice is not None and each.customer is not None
        if not has_lead(each.customer)
    }
    return _summarise(
        "sale_without_lead",
        found,
        "{} has a sale but no lead{}. Track a lead when a customer signs up, with the same "
        "customer_external_id.",
    )


def shared_clicks(seen: Sequence[Seen]) -> list[Hint]:
    """Find click ids that at least five customers sent within a minute."""
    by_click: dict[str, list[Seen]] = {}
    for each in seen:
        if each.click is not None and each.customer is not None:
            by_click.setdefault(each.click, []).append(each)
    hints = []
    for click, requests in by_click.items():
        newest = _last_crowd(requests)
        if newest:
            names = _enumerate(list(dict.fromkeys(str(each.customer) for each in newest)), 3)
            text = (
                f"{names} sent the click id {click} within a minute. A click belongs to one "
                "visitor: read the click id from the request of each visitor."
            )
            hints.append(Hint("shared_click", text, newest[-1]))
    return hints


def _last_crowd(requests: Sequence[Seen]) -> Sequence[Seen]:
    """Return the newest requests within a minute that have enough customers; none if none have."""
    if len({each.customer for each in requests}) <= MAX_CUSTOMERS_OF_CLICK:
        return []
    start, found = 0, range(0)
    counts: dict[Optional[str], int] = {}
    for end, each in enumerate(requests):
        counts[each.customer] = counts.get(each.customer, 0) + 1
        while each.time - requests[start].time > _MINUTE:
            first = requests[start].customer
            counts[first] -= 1
            if not counts[first]:
                del counts[first]
            start += 1
        if len(counts) > MAX_CUSTOMERS_OF_CLICK:
            found = range(start, end + 1)
    return [requests[index] for index in found]


def clicks_sent_again(seen: Sequence[Seen]) -> list[Hint]:
    """Find leads that sent a click id although a deferred lead had associated the customer."""
    found = {
        each.customer: each
        for each in seen
        if each.type == "duplicate_attribution" and each.customer is not None
    }
    return _summarise(
        "click_sent_again",
        found,
        "{} has a click from a deferred lead, and a later lead sent a clickId again{}. The "
        "service rejects such a lead: leave click_id out.",
    )


def odd_timestamps(seen: Sequence[Seen]) -> list[Hint]:
    """Find timestamps in the future, five minutes of clock skew aside, or older than a year."""
    future: dict[str, Seen] = {}
    old: dict[str, Seen] = {}
    for each in seen:
        timestamp = _time_of(each)
        if timestamp is not None and timestamp > each.time + _CLOCK_SKEW:
            future[each.request] = each
        if timestamp is not None and timestamp < each.time - _YEAR:
            old[each.request] = each
    advice = "Send when the event happened, or leave timestamp out for now."
    return [
        *_summarise_requests("timestamp_in_future", future, "is in the future", advice),
        *_summarise_requests("timestamp_too_old", old, "is older than a year", advice),
    ]


def _time_of(seen: Seen) -> Optional[datetime]:
    parsed = read_timestamp(seen.timestamp) if seen.timestamp is not None else None
    return parsed.value if parsed is not None else None


def _summarise_requests(type: str, found: Mapping[str, Seen], what: str, advice: str) -> list[Hint]:
    newest = list(found.values())[-1:]
    more = len(found) - 1
    others = f" (and those of {_count(more, 'other request')})" if more > 0 else ""
    return [
        Hint(
            type,
            f"The timestamp {each.timestamp} of {each.customer} {what}{others}. {advice}",
            each,
            each.customer,
        )
        for each in newest
    ]


def email_ids(seen: Sequence[Seen]) -> list[Hint]:
    """Find customer ids that look like email addresses."""
    found = {
        each.customer: each
        for each in seen
        if each.customer is not None and _looks_like_email(each.customer)
    }
    return _summarise(
        "email_as_id",
        found,
        "The customer id {} looks like an email address{}. An address can change: send the id "
        "from your database, and the address as customer_email.",
    )


def _looks_like_email(text: str) -> bool:
    name, at, domain = text.rpartition("@")
    return bool(at and name and "." in domain.strip(".")) and not any(map(str.isspace, text))


def _summarise(type: str, found: Mapping[str, Seen], text: str) -> list[Hint]:
    """Return one hint for all customers of a finding; none if there are none."""
    if not found:
        return []
    newest = max(found.values(), key=lambda each: each.time)
    more = len(found) - 1
    others = f" (and {_count(more, 'other customer')})" if more else ""
    return [Hint(type, text.format(newest.customer, others), newest, newest.customer)]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _enumerate(names: Sequence[str], limit: int) -> str:
    """Return the first names as text, and the number of the others."""
    shown: Iterable[str] = names[:limit]
    more = len(names) - limit
    if more > 0:
        return f"{', '.join(shown)} and {more} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
