"""SQLAlchemy: an event is queued in the application's own transaction, and a relay delivers it."""

import threading
import time
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, Callable, Optional, Union

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, scoped_session
from sqlalchemy.sql import Executable

from ..outbox import Outbox, QueuedEvent, QueueTracker
from ..results import Outcome
from .relay import DEFAULT_INTERVAL, PAGE, Reference, Relay, Rows


def outbox_table(metadata: MetaData, name: str = "cutmeshort_outbox") -> Table:
    """
    Create the table in which events wait, as part of the application's tables.

    `metadata.create_all` and Alembic then create it in the database.

    Args:
        metadata: The application's metadata, such as `Base.metadata`.
        name: The name of the table.
    """
    return Table(
        name,
        metadata,
        Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
        Column("key", String(32), nullable=False),
        Column("customer", String(32), nullable=False),  # a hash
        Column("operation", String(32), nullable=False),
        Column("body", Text, nullable=False),
        Column("created_at", Double, nullable=False),  # seconds since the epoch
        Column("handed_over_at", Double),  # NULL: not yet
        Index(f"{name}_new", "handed_over_at", "id"),
        sqlite_autoincrement=True,
    )


class SessionTracker(QueueTracker):
    """
    Queues events in the session's transaction, with the tracking methods of CMSClient.

    The event commits together with the application's changes, or not at all. The insert uses a
    savepoint and flushes nothing. If it fails, the result has the type `outbox_error`, and the
    application can still commit.

    An instance is cheap: create one for each session. It is as thread-safe as the session. With an
    AsyncSession, use the session that `run_sync` passes to its function.

    Args:
        session: The session, or a scoped_session.
        table: The table of `outbox_table`.
        enabled: If False, the methods validate, queue nothing, and return an error of type
            `disabled`. Defaults to `CMS_ENABLED`, then to True.
        on_outcome: A function, not async, that is called with an Outcome after each call.

    Raises:
        ApiValueError: `CMS_ENABLED` is not valid.
        ApiTypeError: `on_outcome` is not a function.
    """

    _queue_errors = (SQLAlchemyError,)

    def __init__(
        self,
        session: Union[Session, "scoped_session[Any]"],
        table: Table,
        *,
        enabled: Optional[bool] = None,
        on_outcome: Optional[Callable[[Outcome], object]] = None,
    ) -> None:
        super().__init__(self._insert, enabled=enabled, on_outcome=on_outcome)
        self._session = session
        self._table = table

    def _insert(self, event: QueuedEvent, _timeout: float) -> bool:
        statement = insert(self._table).inline().values(**vars(event))
        # A session that routes its statements must see an INSERT, not only its table.
        connection = self._session.connection(bind_arguments={"clause": statement})
        # In SQLite, a failed statement does not abort the transaction. There, if the savepoint were
        # the first statement of the transaction, its release would commit.
        is_sqlite = connection.dialect.name == "sqlite"
        with nullcontext() if is_sqlite else connection.begin_nested():
            connection.execute(statement)
        return False


def relay(
    engine: Engine,
    outbox: Outbox,
    table: Table,
    *,
    stop: Optional[threading.Event] = None,
    interval: float = DEFAULT_INTERVAL,
) -> None:
    """
    Copy events from the table into the outbox, and delete the rows of those delivered or purged.

    Runs until `stop` is set. If the database or the outbox can't be used, the relay logs one ERROR,
    and tries again after at most 60 seconds.

    Args:
        engine: The engine of the application's database; not an AsyncEngine.
        outbox: The outbox, on a local disk. If its file is lost, the relay copies all events again.
        table: The table of `outbox_table`.
        stop: The function returns when it is set; without it, never.
        interval: Seconds between polls of the table; above 0, at most 86400.

    Raises:
        ApiValueError: The interval is not valid.
    """
    Relay(_TableRows(engine, table), outbox, interval).run(stop or threading.Event())


class _TableRows(Rows):
    def __init__(self, engine: Engine, table: Table) -> None:
        self._engine = engine
        self._columns = table.c
        self._table = table

    def after(self, identifier: int) -> list[Reference]:
        return self._references(self._columns.id > identifier)

    def new(self) -> list[Reference]:
        return self._references(self._columns.handed_over_at.is_(None))

    def _references(self, condition: Any) -> list[Reference]:
        columns = self._columns
        statement = select(columns.id, columns.key, columns.handed_over_at).where(condition)
        rows = self._read(statement.order_by(columns.id).limit(PAGE))
        return [Reference(identifier, key, at is not None) for identifier, key, at in rows]

    def events(self, identifiers: Sequence[int]) -> list[QueuedEvent]:
        names = ("operation", "body", "created_at", "key", "customer")
        statement = select(*(self._columns[name] for name in names))
        statement = statement.where(self._columns.id.in_(identifiers)).order_by(self._columns.id)
        return [QueuedEvent(*row) for row in self._read(statement)]

    def note_hand_over(self, identifiers: Sequence[int]) -> None:
        chosen = update(self._table).where(self._columns.id.in_(identifiers))
        self._write(chosen.values(handed_over_at=time.time()))

    def delete(self, identifiers: Sequence[int]) -> None:
        self._write(delete(self._table).where(self._columns.id.in_(identifiers)))

    def disconnect(self) -> None:
        self._engine.dispose()

    def _read(self, statement: Executable) -> Sequence[Any]:
        with self._engine.connect() as connection:
            return connection.execute(statement).all()

    def _write(self, statement: Executable) -> None:
        with self._engine.begin() as connection:
            connection.execute(statement)
