"""Durable delivery: events are queued where no restart loses them, and delivered in order."""

from .attempt import deliver_once
from .events import QueuedEvent
from .outbox import Outbox
from .policy import Action, Decision, Streak, decide
from .queue_tracker import QueueTracker
from .status import EventInfo, OutboxStatus

__all__ = [
    "Action",
    "Decision",
    "EventInfo",
    "Outbox",
    "OutboxStatus",
    "QueueTracker",
    "QueuedEvent",
    "Streak",
    "decide",
    "deliver_once",
]
