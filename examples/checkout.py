"""A checkout that tracks each sale, and queues a sale to send it again; see test_checkout.py."""

import logging
from dataclasses import dataclass
from typing import Optional

from cutmeshort import CMSClient

log = logging.getLogger("checkout")
client = CMSClient(timeout=2, max_retries=0)  # the queue retries


@dataclass(frozen=True)
class Order:
    """A paid order; the amount is in cents."""

    number: str
    customer: str
    amount: int
    click_id: Optional[str]


queue: list[Order] = []  # a real shop would use a job queue


def check_out(order: Order) -> str:
    """Return what the customer sees, whatever happens to the tracking."""
    track(order)
    return f"Thank you! Order {order.number} is paid."


def process_queue() -> None:
    """Track the sales in the queue; those that fail again return to it."""
    orders, queue[:] = queue[:], []
    for order in orders:
        track(order)


def track(order: Order) -> None:
    """Track the sale. If that fails, queue it if it may succeed later; otherwise log the reason."""
    result = client.track_sale(
        "Purchase", order.customer, order.number, order.amount, "USD", order.click_id
    )
    if result["success"]:
        return
    if result["retryable"]:
        queue.append(order)
    else:
        log.error("order %s not tracked: %s", order.number, result["error"])
