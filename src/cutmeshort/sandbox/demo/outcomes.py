"""Explains to the user of the demo shop what a call of the SDK has led to."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Optional


class Outcome(NamedTuple):
    """
    What a call has led to.

    Attributes:
        state: As in the list of requests: `recorded`, `pending` for a deferred lead, `duplicate`,
            `refused`, or `failed`.
        text: One or two sentences, after the sign of the state.
    """

    state: str
    text: str


def not_sent(reason: str) -> Outcome:
    """Explain that there was no call, or that an argument was not valid."""
    return Outcome("refused", f"! Not sent: {reason}")


def describe(
    result: Mapping[str, Any], click: Optional[str], *, known: bool, deferred: bool
) -> Outcome:
    """
    Explain the result of a call.

    Args:
        result: What the SDK returned.
        click: The click to which the event is credited; None if the event is not recorded.
        known: Whether the event was recorded before the call. If it was not, only a retry of the
            call is a duplicate.
        deferred: Whether the event is a deferred lead.
    """
    credited = f"credited to {click}"
    duplicate = result.get("duplicate") or result.get("data", {}).get("duplicate")
    if duplicate and known:
        return Outcome("duplicate", f"= Already recorded, {credited}. Nothing was added.")
    if result["success"] and deferred:
        text = f"◷ Recorded as deferred: the next events of this customer are {credited}."
        return Outcome("pending", text)
    if result["success"]:
        return Outcome("recorded", f"✓ Recorded: {credited}.")
    if click is not None:
        return Outcome("failed", f"✕ Recorded, {credited}, but the call failed: {result['error']}")
    if result["retryable"]:
        wait = result.get("retry_after")
        when = f" after {wait:g} s" if wait else ""
        text = f"✕ Not recorded: {result['error']} It is safe to make the same call again{when}."
        return Outcome("failed", text)
    return Outcome("refused", f"! Not recorded: {result['error']}")
