"""
The processes of a shop with a transactional outbox, which `test_kills` kills.

`python -m tests.integrations.kill_roles shop URL` and `... relay URL OUTBOX` run until they are
killed; the worker is `cutmeshort deliver`.
"""

import itertools
import os
import random
import sys
import time

from sqlalchemy import Column, Engine, MetaData, String, Table, create_engine, insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from cutmeshort.integrations.sqlalchemy import SessionTracker, outbox_table, relay
from cutmeshort.outbox import Outbox

ROLLED_BACK = 0.2  # of all orders
PAUSE = 0.01  # seconds between two orders

metadata = MetaData()
events = outbox_table(metadata)
orders = Table("orders", metadata, Column("id", String(50), primary_key=True))


def shop(engine: Engine) -> None:
    """Take orders, and roll some of them back."""
    for number in itertools.count():
        try:
            with Session(engine) as session:
                order(session, f"inv_{os.getpid()}_{time.monotonic_ns()}", f"user_{number % 10}")
        except DBAPIError:  # the database restarts
            time.sleep(PAUSE)
        time.sleep(PAUSE)


def order(session: Session, invoice: str, customer: str) -> None:
    """Commit an order with its event, or roll both back."""
    session.execute(insert(orders).values(id=invoice))
    tracker = SessionTracker(session, events)
    result = tracker.track_sale("Purchase", customer, invoice, 999, "USD", click_id="click_1")
    if result["success"] and random.random() >= ROLLED_BACK:
        session.commit()


if __name__ == "__main__":
    role, url, *rest = sys.argv[1:]
    if role == "shop":
        shop(create_engine(url))
    else:
        relay(create_engine(url), Outbox(*rest), events, interval=0.1)
