"""Why a request had its outcome, and what to do, in a few plain sentences."""

from typing import NamedTuple, Optional

from ...exceptions import error_spec
from ...models import SalePayload
from ...money import from_minor_units
from ...retry import is_retried
from ..state.exchanges import Exchange, Headers
from ..state.service import Recorded
from ..state.tokens import mask_authorization, mask_token
from .attempts import READ_TIMEOUT
from .calls import header, is_forbidden
from .seen import Seen, decimal_places, type_of


class Known(NamedTuple):
    """
    What the sandbox knows about a request.

    Attributes:
        token: The sandbox's token.
        recorded: The recorded event of which the request sends a copy; None if there is none.
        deferred: The deferred lead that associated the customer with a click, if any.
        attempt: The number of the attempt in its call, from 1.
    """

    token: str
    recorded: Optional[Recorded] = None
    deferred: Optional[Recorded] = None
    attempt: int = 1


def explain(exchange: Exchange, seen: Seen, known: Known) -> str:
    """Return why a request had its outcome, without a token."""
    if exchange.outcome == "failed":
        return _explain_failure(exchange)
    if exchange.outcome == "refused":
        return _explain_refusal(exchange, seen, known)
    if exchange.outcome == "duplicate":
        text = _explain_duplicate(exchange, seen, known)
    elif exchange.outcome == "pending":
        text = (
            f"{seen.customer} is now associated with {seen.click}. Later leads and sales of "
            f"{seen.customer} need no clickId, because they are credited to that click. A later "
            "lead must not send one."
        )
    else:
        text = _explain_credit(exchange, seen, known)
    if exchange.fault is not None:
        text += f" The sandbox sent this response {exchange.fault.label}, on purpose."
    if exchange.seconds >= READ_TIMEOUT:
        text += (
            f" By default, the SDK waits {READ_TIMEOUT:g} s for a response (request_timeout), so "
            "it may have sent the event again."
        )
    return text


def _explain_credit(exchange: Exchange, seen: Seen, known: Known) -> str:
    credited = (exchange.data or {}).get("clickId")
    if seen.click is None:
        return (
            f"Credited to {credited} by the deferred lead of {seen.customer}: the request sent no "
            "clickId."
        )
    text = f"Credited to {credited}, the clickId that the request sent"
    if known.deferred is not None and known.deferred.click_id != credited:
        other = known.deferred.click_id
        text += f", although a deferred lead associated {seen.customer} with {other}"
        return f"{text}. Leave clickId out to credit that click."
    return f"{text}."


def _explain_duplicate(exchange: Exchange, seen: Seen, known: Known) -> str:
    if seen.invoice is not None and exchange.operation.event == "sale":
        event = f"A sale with the invoiceId {seen.invoice}"
    else:
        event = f'The lead "{seen.event}" of {seen.customer}'
    text = f"{event} is already recorded"
    if known.recorded is not None:
        text += f" ({known.recorded.time:%H:%M:%S} UTC)"
    return f"{text}{_what_a_duplicate_leads_to(exchange, known)}{_difference(seen, known)}"


def _what_a_duplicate_leads_to(exchange: Exchange, known: Known) -> str:
    if exchange.status == 409:
        if known.attempt > 1:
            return ", so this retry is deduplicated: the SDK reports success."
        return ". The setting duplicate_status=409 makes it an error, which is not retried."
    if known.attempt > 1:
        return ", so this retry is deduplicated: sending an event again is safe."
    return ", so it is not recorded again. The SDK reports success."


def _difference(seen: Seen, known: Known) -> str:
    """Return how the recorded sale differs from the one that the request sent, if it does."""
    sale = known.recorded.event if known.recorded is not None else None
    if not isinstance(sale, SalePayload):
        return ""
    recorded = (sale.customer_external_id, sale.amount, sale.currency)
    if recorded == (seen.customer, seen.amount, seen.currency):
        return ""
    amount = str(sale.amount)
    if decimal_places(sale.currency):
        amount = str(from_minor_units(sale.amount, sale.currency))
    return (
        f" The recorded sale differs: {amount} {sale.currency} of {sale.customer_external_id}. "
        "Give each payment an invoiceId of its own."
    )


def _explain_refusal(exchange: Exchange, seen: Seen, known: Known) -> str:
    refusal = exchange.refusal
    message = refusal.message if refusal is not None else ""
    type_ = type_of(exchange)
    if type_ == "duplicate_attribution":
        click = known.deferred.click_id if known.deferred is not None else "a click id"
        return (
            f"Already associated with a click, because a deferred lead of {seen.customer} sent "
            f"{click}. A later lead must not send a clickId. Leave clickId out."
        )
    if exchange.status == 401:
        return _explain_token(exchange.headers, known.token)
    if exchange.status == 429:
        wait = header(exchange.response_headers, b"retry-after")
        return (
            f"{message} The next request is accepted in {wait} s; the SDK waits for that long if "
            "the timeout of the call allows it."
        )
    return f"{_sentence(message)} {_advice(exchange, message)}".strip()


def _advice(exchange: Exchange, message: str) -> str:
    """Return what to do about a status, and for 422 about the first field that has advice."""
    if exchange.status == 422:
        if "clickId is required" in message:
            return (
                "Send the visitor's click id with each lead and sale, as `click_id.read` returns "
                "it, or a deferred lead of the customer first. Do not track a customer who did "
                "not come from a click."
            )
        for field, advice in _FIELD_ADVICE.items():
            if f"{field}: " in message:
                return advice
    if is_forbidden(exchange):
        return "Use the URL that the sandbox shows as CMS_HOST."
    return _STATUS_ADVICE.get(exchange.status or 0, "")


_FIELD_ADVICE = {
    "amount": 'With the SDK, to_minor_units("49.99", "USD") returns the amount to send, 4999.',
    "currency": 'Send the three-letter code of the currency, such as "USD".',
    "customerExternalId": "Send the customer's id in your own system, 1 to 255 characters.",
    "timestamp": 'Send ISO 8601 with a UTC offset, such as "2026-01-31T12:00:00+01:00".',
    "mode": 'The only mode is "deferred"; leave it out for any other lead.',
}
_STATUS_ADVICE = {
    400: "Send a JSON object with `Content-Type: application/json`; CMSClient does.",
    405: "Send the event with POST.",
    413: "An event needs less than 20 KiB.",
    422: "CMSClient checks the fields before it sends a request.",
}


def _explain_token(headers: Headers, token: str) -> str:
    sent = header(headers, b"authorization")
    scheme, _, sent_token = sent.partition(" ")
    if not sent:
        return (
            "The request has no Authorization header. Send `Authorization: Bearer <token>`; "
            "CMSClient does, with the token in CMS_BEARER_TOKEN."
        )
    if scheme != "Bearer" or not sent_token:
        return "The Authorization header must be `Bearer`, a space and the token."
    shown = mask_authorization(sent).removeprefix("Bearer ")
    return (
        f"The token {shown} is not the one of this sandbox, {mask_token(token)}. "
        "Set CMS_BEARER_TOKEN to the token that the sandbox shows."
    )


def _explain_failure(exchange: Exchange) -> str:
    event = _what_became_of_the_event(exchange)
    if exchange.forced is not None:
        return f"The setting {exchange.forced} rejects every event. {event} {_reaction(exchange)}"
    if exchange.type == "disconnected":
        late = (
            f" The sandbox delayed it on purpose: {exchange.fault.label}." if exchange.fault else ""
        )
        return (
            f"The client closed the connection after {exchange.seconds:.1f} s, before the response "
            f"was sent; usually its timeout was over.{late} {event} {_reaction(exchange)}"
        )
    label = exchange.fault.label if exchange.fault else "no response"
    return f"Failed on purpose: {label}. {event} {_reaction(exchange)}"


_RETRIED = "The SDK retries the call, three times unless retries says otherwise."


def _what_became_of_the_event(exchange: Exchange) -> str:
    if exchange.recorded:
        return "The event was recorded nevertheless."
    if exchange.data is not None:
        return "The event was already recorded."
    return "The event was not recorded."


def _reaction(exchange: Exchange) -> str:
    """Return what the SDK does after a failure."""
    if exchange.status is None:
        return _RETRIED
    if exchange.status == 200 or not is_retried(exchange.status):
        type_ = type_of(exchange) if exchange.status == 200 else error_spec(exchange.status).type
        return f"The SDK does not retry: the call returns an error of the type {type_}."
    wait = header(exchange.response_headers, b"retry-after")
    if wait:
        return (
            f"The SDK retries after {wait} s if the timeout of the call allows it; if not, the "
            "result has retry_after."
        )
    return _RETRIED


def _sentence(message: str) -> str:
    return message if not message or message.endswith((".", "!", "?")) else f"{message}."
