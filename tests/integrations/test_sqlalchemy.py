"""What is special about the transactional outbox with SQLAlchemy."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    Engine,
    MetaData,
    StaticPool,
    Table,
    UpdateBase,
    create_engine,
    func,
    inspect,
    select,
)
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    mapped_column,
    scoped_session,
    sessionmaker,
)

from cutmeshort import ApiValueError
from cutmeshort.integrations.sqlalchemy import SessionTracker, outbox_table, relay
from cutmeshort.outbox import Outbox

from ..support.events import SALE_PAYLOAD
from ..support.timing import LONG


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)


TABLE = outbox_table(Base.metadata)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A database with the tables."""
    engine = create_engine(f"sqlite:///{tmp_path / 'shop.db'}")
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


def track(session: Any, table: Table = TABLE) -> Any:
    """Track a sale in the session's transaction."""
    return SessionTracker(session, table).track_sale(**SALE_PAYLOAD)


def rows(engine: Engine, table: Table = TABLE) -> int:
    """Return the number of rows in the table."""
    with engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def test_pending_objects_are_not_flushed(engine: Engine) -> None:
    """A call does not flush the application's objects, which may be incomplete."""
    with Session(engine) as session:
        order = Order(id=1)
        session.add(order)
        assert track(session)["success"]
        assert order in session.new
        session.commit()
    assert rows(engine) == 1


def test_a_scoped_session_works(engine: Engine) -> None:
    """The tracker uses the session of the current thread."""
    sessions = scoped_session(sessionmaker(engine))
    assert track(sessions)["success"]
    sessions.rollback()
    assert track(sessions)["success"]
    sessions.commit()
    sessions.remove()
    assert rows(engine) == 1


def test_an_async_session_works(engine: Engine, tmp_path: Path) -> None:
    """An AsyncSession passes its session with `run_sync`."""

    async def shop() -> None:
        async_engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'shop.db'}")
        async with AsyncSession(async_engine) as session:
            assert (await session.run_sync(track))["success"]
            await session.rollback()
            assert (await session.run_sync(track))["success"]
            await session.commit()
        await async_engine.dispose()

    before = set(threading.enumerate())
    asyncio.run(shop())
    for thread in set(threading.enumerate()) - before:  # of aiosqlite, which does not wait for it
        thread.join(LONG)
    assert rows(engine) == 1


def test_a_session_with_several_databases_uses_that_of_the_table(engine: Engine) -> None:
    """The bind of the table takes precedence over the session's own."""
    with create_engine("sqlite://").connect() as other:
        with Session(other, binds={TABLE: engine}) as session:
            assert track(session)["success"]
            session.commit()
        other.engine.dispose()
    assert rows(engine) == 1


def test_a_session_that_routes_its_statements_sees_an_insert(engine: Engine) -> None:
    """The event is written where the orders are, not in a replica for reading."""
    replica = create_engine("sqlite://", poolclass=StaticPool)
    Base.metadata.create_all(replica)

    class RoutingSession(Session):
        def get_bind(self, *_: Any, clause: Any = None, **__: Any) -> Engine:
            return engine if self._flushing or isinstance(clause, UpdateBase) else replica

    with RoutingSession() as session:
        session.add(Order(id=1))
        assert track(session)["success"]
        session.commit()
    assert (rows(engine), rows(replica)) == (1, 0)
    replica.dispose()


def test_a_database_that_is_down_is_reported(tmp_path: Path) -> None:
    """A call in a transaction that can't start returns an error of type `outbox_error`."""
    down = create_engine(f"sqlite:///{tmp_path / 'missing' / 'shop.db'}")
    with Session(down) as session:
        assert track(session)["type"] == "outbox_error"


def test_the_name_of_the_table_can_be_chosen(engine: Engine) -> None:
    """An application can have its table under any name, with the index."""
    metadata = MetaData()
    table = outbox_table(metadata, "events")
    metadata.create_all(engine)
    (index,) = inspect(engine).get_indexes("events")
    assert (index["name"], index["column_names"]) == ("events_new", ["handed_over_at", "id"])
    with Session(engine) as session:
        assert track(session, table)["success"]
        session.commit()
    assert (rows(engine), rows(engine, table)) == (0, 1)


def test_an_invalid_interval_is_rejected(engine: Engine, tmp_path: Path) -> None:
    """The relay checks its interval before it starts."""
    with Outbox(tmp_path / "outbox.db") as outbox, pytest.raises(ApiValueError, match="interval"):
        relay(engine, outbox, TABLE, stop=threading.Event(), interval=0)
