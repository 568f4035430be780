"""
The processes of a shop with a transactional outbox, which `test_kills` kills.

`python -m tests.integrations.kill_roles URL OUTBOX` reads lines with the name of a role. For each,
it forks a process, which runs until it is killed, and writes the process id. A fork starts much
faster than Python does, so that most kills hit a process at work.
"""

import itertools
import os
import random
import signal
import sys
import time

from sqlalchemy import Column, Engine, MetaData, String, Table, create_engine, insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from cutmeshort.cli import deliver, main  # noqa: F401 - `deliver` is imported before the forks
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


def run(role: str, url: str, outbox: str) -> None:
    """Run a role."""
    random.seed()
    if role == "shop":
        shop(create_engine(url))
    elif role == "relay":
        relay(create_engine(url), Outbox(outbox), events, interval=0.1)
    else:
        main(["deliver", outbox, "--per-minute", "0"])


if __name__ == "__main__":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system forgets a killed child at once
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            run(line.strip(), *sys.argv[1:])
        print(child, flush=True)
