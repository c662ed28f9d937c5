"""SQLAlchemy's exceptions, raised over real SQLite databases."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.pool import QueuePool

from stormproof.errors import (
    ConfigurationError,
    Conflict,
    DatabaseError,
    DeadlineExceeded,
    DiskFull,
    InternalError,
    StormproofError,
    to_wire,
)

Caught = Callable[[Callable[[], object]], StormproofError]


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)


@pytest.fixture
def session() -> Iterator[Session]:
    engine = sa.create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as opened:
        opened.add(User(id=1, email="bob@private.example"))
        opened.commit()
        yield opened
    engine.dispose()


def test_a_broken_constraint_is_a_conflict_that_names_no_value(
    session: Session, caught: Caught
) -> None:
    """The value is somebody's address."""
    session.add(User(id=2, email="bob@private.example"))
    error = caught(session.commit)
    assert type(error) is Conflict
    assert "private" not in str(to_wire(error))


def test_an_operational_failure_tells_neither_statement_nor_parameters(
    session: Session, caught: Caught
) -> None:
    """The driver's own words are for our eyes."""
    statement = sa.text("select secret_column from nowhere where x = :x")
    error = caught(lambda: session.execute(statement, {"x": "private"}))
    assert isinstance(error, DatabaseError)
    assert error.retriable
    told = str(to_wire(error))
    assert not [s for s in ("secret_column", "nowhere", "private") if s in told]
    assert error.reason == "no such table: nowhere"


def test_a_row_that_somebody_else_removed_is_a_conflict(session: Session, caught: Caught) -> None:
    """Optimistic locking lost."""
    user = session.get_one(User, 1)
    session.connection().exec_driver_sql("delete from users")
    user.email = "new"
    assert type(caught(session.flush)) is Conflict


def test_misuse_is_a_bug(session: Session, caught: Caught) -> None:
    """It will fail again; a failing database may not."""
    assert type(caught(lambda: session.get_one(User, 99))) is InternalError
    assert type(caught(lambda: session.execute("select 1"))) is InternalError  # type: ignore[call-overload]
    raw = session.connection()
    assert type(caught(lambda: raw.exec_driver_sql("select ?, ?", (1,)))) is InternalError


def test_a_pool_without_a_free_connection_is_a_deadline(caught: Caught, tmp_path: Path) -> None:
    """Nothing is wrong with the database."""
    engine = sa.create_engine(
        f"sqlite:///{tmp_path / 'a.db'}",
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        pool_timeout=0.001,
    )
    with engine.connect():
        error = caught(engine.connect)
    engine.dispose()
    assert isinstance(error, DeadlineExceeded)
    assert error.operation == "waiting for a database connection"


def test_a_database_that_cannot_grow_is_a_full_disk(session: Session, caught: Caught) -> None:
    """SQLite's own limit fails the way a full disk does."""
    connection = session.connection()
    connection.exec_driver_sql("pragma max_page_count = 1")
    fill = "create table big as select zeroblob(100000)"
    assert type(caught(lambda: connection.exec_driver_sql(fill))) is DiskFull


def test_a_missing_driver_or_dialect_is_a_setting(caught: Caught) -> None:
    """Somebody wrote the address of a database that this installation cannot speak to."""
    address = "nosuchdatabase://user:password@host/db"
    error = caught(lambda: sa.create_engine(address))
    assert type(error) is ConfigurationError
    assert "password" not in str(to_wire(error, internal=True))
