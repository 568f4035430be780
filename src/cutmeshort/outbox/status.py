"""The dicts that the methods of Outbox return."""

from typing import Optional

from typing_extensions import Literal, NotRequired, TypedDict


class OutboxStatus(TypedDict):
    """
    The state of an outbox file.

    Attributes:
        waiting: The number of events that wait for delivery.
        oldest_age: Seconds since the oldest of them was queued; None if none waits.
        dead: The number of dead letters: events that are not sent again.
        delivered: The number of events that were delivered since the file was created.
        is_delivering: Whether a process delivers the events.
        pause: Seconds until the next request, if delivery pauses; None if it does not.
        reason: The `type` of the result that caused the pause; None if delivery does not pause.
        per_minute: The current maximum number of requests per minute; None for no limit, and while
            no process delivers.
        bytes: The size of the file in bytes.
    """

    waiting: int
    oldest_age: Optional[float]
    dead: int
    delivered: int
    is_delivering: bool
    pause: Optional[float]
    reason: Optional[str]
    per_minute: Optional[int]
    bytes: int


class EventInfo(TypedDict):
    """
    An event in an outbox file.

    Attributes:
        id: Its number. Events that were queued later have greater ids.
        operation: The name of its operation: `track_lead` or `track_sale`.
        state: `waiting`, or `dead` for a dead letter.
        created_at: When it was queued, in seconds since the epoch.
        attempts: The number of attempts so far.
        reason: For a dead letter, the `type` of the result, or `expired`; otherwise None.
        message: Why it waits or is a dead letter, without event data.
        body: The payload as JSON, only with `with_body=True`. It contains customer data.
    """

    id: int
    operation: str
    state: Literal["waiting", "dead"]
    created_at: float
    attempts: int
    reason: Optional[str]
    message: str
    body: NotRequired[str]
