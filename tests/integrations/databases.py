"""
The same shop with a database, once with SQLAlchemy and once with Django.

An order and its event are written in one transaction.
"""

import contextlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Callable, Optional

from django.core.management import call_command
from django.db import connections, transaction
from sqlalchemy import URL, Engine, MetaData, create_engine, text
from sqlalchemy.orm import Session

from cutmeshort.integrations.django_outbox import DjangoTracker
from cutmeshort.integrations.django_outbox.rows import ModelRows
from cutmeshort.integrations.relay import Relay
from cutmeshort.integrations.sqlalchemy import SessionTracker, outbox_table, relay
from cutmeshort.outbox import Outbox, QueueTracker

from . import shops  # noqa: F401 - it sets Django up

ORDERS = "CREATE TABLE orders (id VARCHAR(50) PRIMARY KEY)"
EVENTS = "cutmeshort_outbox"
ENGINES = {"sqlite": "sqlite3", "postgresql": "postgresql"}


class Database(ABC):
    """A shop with a database."""

    @abstractmethod
    def transaction(self) -> "contextlib.AbstractContextManager[None]":
        """Commit at the end of the block, or roll back if it raises."""

    @abstractmethod
    def savepoint(self) -> "contextlib.AbstractContextManager[None]":
        """Release a savepoint at the end of the block, or roll back to it if it raises."""

    @abstractmethod
    def tracker(self, **options: Any) -> QueueTracker:
        """Create a tracker for the current transaction."""

    @abstractmethod
    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        """Execute SQL in the current transaction, or in its own, and return the rows."""

    @abstractmethod
    def relay(self, outbox: Outbox, stop: threading.Event, interval: float) -> None:
        """Run the relay."""

    @abstractmethod
    def close(self) -> None:
        """Close the connections."""

    def _drop_tables(self) -> None:
        for name in ("orders", EVENTS, "away", "django_migrations"):
            self.execute(f"DROP TABLE IF EXISTS {name}")

    def order(self, invoice: str, customer: str = "user_42", amount: int = 999) -> Any:
        """Insert an order and track its sale. Return the result."""
        self.execute(f"INSERT INTO orders VALUES ('{invoice}')")
        tracker = self.tracker()
        return tracker.track_sale("Purchase", customer, invoice, amount, "USD", click_id="click_1")

    def commit(self, *invoices: str, customer: str = "user_42") -> None:
        """Commit orders with their events, each in its own transaction."""
        for invoice in invoices:
            with self.transaction():
                assert self.order(invoice, customer)["success"]

    def orders(self) -> list[str]:
        """Return the ids of the orders that were committed."""
        return [row[0] for row in self.execute("SELECT id FROM orders ORDER BY id")]

    def rows(self) -> int:
        """Return the number of rows in the table of the events."""
        return int(self.execute(f"SELECT count(*) FROM {EVENTS}")[0][0])

    def run_relay(self, outbox: Outbox, *between: Callable[[], object]) -> None:
        """Start the relay, and run a round, then each of the functions with a round after it."""
        self.relay(outbox, Rounds(*between), 0.001)


class Rounds(threading.Event):
    """
    Ends a relay after some rounds, without waiting between them.

    Args:
        between: What to do after each round, except the last one.
    """

    def __init__(self, *between: Callable[[], object]) -> None:
        super().__init__()
        self.waits: list[Optional[float]] = []
        self._between = list(between)

    def wait(self, timeout: Optional[float] = None) -> bool:
        """Call the next function, or set the event if there is none."""
        self.waits.append(timeout)
        if self._between:
            self._between.pop(0)()
        else:
            self.set()
        return self.is_set()


class SQLAlchemyDatabase(Database):
    """
    The shop with SQLAlchemy.

    Args:
        url: The database. Its tables are dropped.
    """

    def __init__(self, url: URL) -> None:
        metadata = MetaData()
        self.table = outbox_table(metadata)
        self.engine: Engine = create_engine(url)
        self._session: Optional[Session] = None
        self._drop_tables()
        metadata.create_all(self.engine)
        self.execute(ORDERS)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit at the end of the block, or roll back if it raises."""
        with Session(self.engine) as session, session.begin():
            self._session = session
            try:
                yield
            finally:
                self._session = None

    @contextlib.contextmanager
    def savepoint(self) -> Iterator[None]:
        """Release a savepoint at the end of the block, or roll back to it if it raises."""
        assert self._session is not None
        with self._session.begin_nested():
            yield

    def tracker(self, **options: Any) -> QueueTracker:
        """Create a tracker for the current transaction."""
        assert self._session is not None
        return SessionTracker(self._session, self.table, **options)

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        """Execute SQL in the current transaction, or in its own, and return the rows."""
        if self._session is None:
            with self.engine.begin() as connection:
                return self._rows(connection.execute(text(statement)))
        return self._rows(self._session.execute(text(statement)))

    @staticmethod
    def _rows(result: Any) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in result] if result.returns_rows else []

    def relay(self, outbox: Outbox, stop: threading.Event, interval: float) -> None:
        """Run the relay."""
        relay(self.engine, outbox, self.table, stop=stop, interval=interval)

    def close(self) -> None:
        """Close the connections."""
        self.engine.dispose()


class DjangoDatabase(Database):
    """
    The shop with Django.

    Args:
        url: The database. Its tables are dropped.
    """

    def __init__(self, url: URL) -> None:
        connections["default"].close()
        del connections["default"]
        connections.settings["default"].update(
            ENGINE=f"django.db.backends.{ENGINES[url.get_backend_name()]}",
            NAME=url.database,
            USER=url.username or "",
            HOST=url.host or "",
            PORT=url.port or "",
        )
        self._drop_tables()
        call_command("migrate", verbosity=0)
        self.execute(ORDERS)

    def transaction(self) -> Any:
        """Commit at the end of the block, or roll back if it raises."""
        return transaction.atomic()

    def savepoint(self) -> Any:
        """Release a savepoint at the end of the block, or roll back to it if it raises."""
        return transaction.atomic()

    def tracker(self, **options: Any) -> QueueTracker:
        """Create a tracker for the current transaction."""
        return DjangoTracker(**options)

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        """Execute SQL in the current transaction, or in its own, and return the rows."""
        with connections["default"].cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []

    def relay(self, outbox: Outbox, stop: threading.Event, interval: float) -> None:
        """Run the relay."""
        try:
            Relay(ModelRows(), outbox, interval).run(stop)
        finally:
            if threading.current_thread() is not threading.main_thread():
                self.close()

    def close(self) -> None:
        """Close the connections."""
        connections["default"].close()


DATABASES = {"sqlalchemy": SQLAlchemyDatabase, "django": DjangoDatabase}
