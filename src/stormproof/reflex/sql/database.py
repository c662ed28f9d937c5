"""A database: opened, with its tables in it, and its errors as ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

try:
    from sqlalchemy import (
        URL,
        Connection,
        Engine,
        create_engine,
        event,
        func,
        insert,
        inspect,
        make_url,
        select,
        update,
    )
    from sqlalchemy.exc import SQLAlchemyError
except ModuleNotFoundError as error:
    hint = "keys and usage in a database need the extra: pip install 'stormproof[reflex]'"
    raise ModuleNotFoundError(hint, name=error.name) from error

from stormproof.errors import ConfigurationError, translate
from stormproof.reflex.private_files import alone_with
from stormproof.reflex.sql.schema import METADATA, STATE, VERSION

_SETTING: Final = "database"
_LOCK: Final = 0x5706_3600
"""By this number PostgreSQL knows who makes the tables: one at a time."""

_PATIENCE: Final = 5
"""Seconds for a connection, and for another writer of a file."""

_FILE: Final = {
    "isolation_level": None,  # transactions begin where it is said
    "timeout": _PATIENCE,
}
_SERVER: Final = {
    "connect_timeout": _PATIENCE,
    "tcp_user_timeout": 1000 * _PATIENCE,  # a server that vanished is not waited for
    "options": "-c statement_timeout=30000",
}


class Database:
    """Where keys and usage are kept; safe to use from several threads, and by several processes.

    Args:
        url: ``sqlite:///FILE`` or ``postgresql://…``.

    Attributes:
        dialect: ``sqlite`` or ``postgresql``.
        file: Where it is, if it is one.

    Raises:
        ConfigurationError: There is no such database, or its tables are those of another version.
        DatabaseError: It does not answer.
        StorageError: Its file cannot be made, or can only be read.
    """

    def __init__(self, url: str) -> None:
        parsed = _parsed(url)
        self.dialect: Final = parsed.get_backend_name()
        self.file: Final = Path(str(parsed.database)) if self.dialect == "sqlite" else None
        if self.file:
            self._engine = create_engine(parsed, connect_args=_FILE)
            event.listen(self._engine, "connect", _log_ahead)
        else:
            self._engine = _server(parsed)
        try:
            with _opening(self.file):
                self._make_tables()
        except BaseException:
            self.close()
            raise

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a connection to read by.

        Raises:
            StormproofError: What the database said.
        """
        with _translated(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Yield a connection to write by: everything in the block is done, or nothing.

        Raises:
            StormproofError: What the database said.
        """
        with _translated(), self._engine.begin() as connection:
            if self.file:  # whoever reads first and then wants to write may find it too late
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def _make_tables(self) -> None:
        """Make what is not there; refuse what was made by a program of another version.

        Raises:
            ConfigurationError: It was.
        """
        with self.writing() as connection:
            if not self.file:
                connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
            if not inspect(connection).has_table(STATE.name):
                METADATA.create_all(connection)
                connection.execute(insert(STATE).values(only=0, version=VERSION, revision=0))
            # Says nothing new: whoever may only read learns it here.
            connection.execute(update(STATE).values(version=STATE.c.version))
            found = connection.scalar(select(STATE.c.version))
        if found != VERSION:
            reason = f"has tables of version {found}, and this program those of version {VERSION}"
            raise _refused(reason)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise translate(error) from error


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except SQLAlchemyError:
        raise _refused("is no URL") from None  # the original quotes it
    if backend == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise _refused("must begin with sqlite:/// or postgresql://")
    if parsed.database in (None, "", ":memory:") or parsed.query:
        raise _refused("must name a file, and nothing else: several processes share it")
    return parsed


def _refused(reason: str) -> ConfigurationError:
    return ConfigurationError(setting=_SETTING, reason=reason)


@contextmanager
def _opening(file: Path | None) -> Iterator[None]:
    """Have one open a file at a time, since SQLite waits for nobody to begin a log.

    Raises:
        StorageError: Nothing can be made there.
    """
    if file is None:
        yield
        return
    try:
        with alone_with(file):
            yield
    except OSError as error:
        known = translate(error)
        known.operation = "open the database"
        raise known from error


def _log_ahead(connection: Any, _record: object) -> None:
    """Have nobody who reads wait for somebody who writes."""
    connection.execute("PRAGMA journal_mode = WAL")


def _server(url: URL) -> Engine:
    try:
        return create_engine(url, connect_args=_SERVER, pool_pre_ping=True)
    except ModuleNotFoundError as error:
        reason = "PostgreSQL needs the extra: pip install 'stormproof[postgres]'"
        raise _refused(reason) from error
