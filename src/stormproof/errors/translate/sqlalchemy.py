"""SQLAlchemy: no statement, parameter or address of a database is ever told."""

from typing import Any, Final

from stormproof.errors.client_errors import Conflict, ValidationError
from stormproof.errors.platform_errors import (
    ConfigurationError,
    DatabaseError,
    DeadlineExceeded,
)
from stormproof.errors.root import StormproofError
from stormproof.errors.translate.lookup import Table, bug
from stormproof.errors.translate.reading import read
from stormproof.errors.translate.stdlib import database_conflict, database_failed


def _operational(exc: Any) -> StormproofError:
    # The driver's own words: SQLAlchemy adds the statement and its parameters to them.
    return database_failed(read(exc, "orig"))


def _statement(exc: Any) -> StormproofError:
    """A driver's error of no standard kind; or a statement that never reached the driver."""
    return _operational(exc) if read(exc, "connection_invalidated") else bug(exc)


def _disconnected(_exc: Any) -> StormproofError:
    return DatabaseError(operation="connection")


def _pool_exhausted(_exc: Any) -> StormproofError:
    return DeadlineExceeded(operation="waiting for a database connection")


def _value_does_not_fit(_exc: Any) -> StormproofError:
    return ValidationError(reason="a value does not fit its column")


def _row_changed(_exc: Any) -> StormproofError:
    return Conflict(reason="someone else changed the row first")


def _no_driver(_exc: Any) -> StormproofError:
    return ConfigurationError(reason="the database's driver is not installed")


def _names(*names: str) -> tuple[str, ...]:
    return tuple(f"sqlalchemy.{name}" for name in names)


TABLE: Final[Table] = {
    # What the database says, as PEP 249 names it.
    "sqlalchemy.DBAPIError": _statement,
    "sqlalchemy.DatabaseError": _operational,
    "sqlalchemy.DataError": _value_does_not_fit,
    "sqlalchemy.IntegrityError": database_conflict,
    "sqlalchemy.InterfaceError": _operational,
    "sqlalchemy.InternalError": _operational,
    "sqlalchemy.NotSupportedError": bug,
    "sqlalchemy.OperationalError": _operational,
    "sqlalchemy.ProgrammingError": bug,
    "sqlalchemy.StatementError": _statement,
    "sqlalchemy.AsyncAdapt_Error": _operational,
    "sqlalchemy.EmulatedDBAPIException": _operational,
    # Connections.
    "sqlalchemy.DisconnectionError": _disconnected,
    "sqlalchemy.InvalidatePoolError": _disconnected,
    "sqlalchemy.PendingRollbackError": _disconnected,
    "sqlalchemy.TimeoutError": _pool_exhausted,
    "sqlalchemy.Empty": _pool_exhausted,
    "sqlalchemy.Full": bug,
    # Rows.
    "sqlalchemy.ObjectDeletedError": _row_changed,
    "sqlalchemy.StaleDataError": _row_changed,
    # Set-up.
    "sqlalchemy.NoDBAPILoaded": _no_driver,
    "sqlalchemy.NoSuchModuleError": _no_driver,
    # How we use it: whatever is left is a bug of the caller.
    **dict.fromkeys(
        _names(
            "SQLAlchemyError",
            "ArgumentError",
            "CircularDependencyError",
            "CompileError",
            "DetachedInstanceError",
            "FlushError",
            "IdentifierError",
            "InvalidRequestError",
            "ObjectDereferencedError",
        ),
        bug,
    ),
}
