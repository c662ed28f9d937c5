"""What an ``OSError`` means, by its errno."""

import errno
import os
from collections.abc import Callable, Mapping
from typing import Any, Final

from stormproof.errors.external_errors import ConnectionLost
from stormproof.errors.platform_errors import (
    ConfigurationError,
    DeadlineExceeded,
    InternalError,
    StorageError,
    StorageRefused,
)
from stormproof.errors.resource_errors import DiskFull, OutOfMemory, ServiceUnavailable
from stormproof.errors.root import StormproofError
from stormproof.errors.translate.network_reason import (
    errno_of,
    network_reason,
    plain_reason,
    unreachable,
)
from stormproof.errors.translate.reading import read, text


def os_error(exc: Any) -> StormproofError:
    """Return the error for an ``OSError``; one that names no errno is a failure of storage."""
    number = errno_of(exc) or _errno_of_class(type(exc))
    if number is None and type(exc).__module__ != "builtins":
        # Libraries derive their own families from OSError without meaning the system.
        return InternalError(reason=type(exc).__qualname__)
    make = _BY_ERRNO.get(number, _storage_failed)
    return make(exc, number)


def _errno_of_class(cls: type) -> int | None:
    return next((number for known, number in _BY_CLASS if issubclass(cls, known)), None)


def _path(exc: Any) -> str | None:
    name = read(exc, "filename")
    return text(os.fsdecode(name) if isinstance(name, bytes) else name)


def _storage_failed(exc: Any, number: int | None) -> StormproofError:
    reason = None if number is None else plain_reason(number)
    return StorageError(reason=reason, path=_path(exc))


def _storage_refused(exc: Any, number: int | None) -> StormproofError:
    return StorageRefused(reason=plain_reason(number or errno.EACCES), path=_path(exc))


def _disk_full(exc: Any, _number: int | None) -> StormproofError:
    return DiskFull(path=_path(exc))


def _out_of_memory(_exc: Any, _number: int | None) -> StormproofError:
    return OutOfMemory()


def _out_of_files(_exc: Any, _number: int | None) -> StormproofError:
    return ServiceUnavailable(reason="too many open files")


def _address_in_use(_exc: Any, _number: int | None) -> StormproofError:
    return ConfigurationError(reason="the address to listen on is already in use")


def _unreachable(exc: Any, _number: int | None) -> StormproofError:
    return unreachable("no connection")(exc)


def _connection_lost(exc: Any, _number: int | None) -> StormproofError:
    return ConnectionLost(reason=network_reason(exc, "closed by the other side"))


def _timed_out(_exc: Any, _number: int | None) -> StormproofError:
    return DeadlineExceeded(operation="the connection")


_Meaning = Callable[[Any, int | None], StormproofError]

_REFUSALS: Final = (
    errno.EACCES,
    errno.EEXIST,
    errno.EISDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.ENOTEMPTY,
    errno.EPERM,
    errno.EROFS,
)

_BY_ERRNO: Final[Mapping[int | None, _Meaning]] = {
    **dict.fromkeys(_REFUSALS, _storage_refused),
    errno.EADDRINUSE: _address_in_use,
    errno.EADDRNOTAVAIL: _unreachable,
    errno.ECONNABORTED: _connection_lost,
    errno.ECONNREFUSED: _unreachable,
    errno.ECONNRESET: _connection_lost,
    errno.EDQUOT: _disk_full,
    errno.EHOSTDOWN: _unreachable,
    errno.EHOSTUNREACH: _unreachable,
    errno.EMFILE: _out_of_files,
    errno.ENETDOWN: _unreachable,
    errno.ENETRESET: _connection_lost,
    errno.ENETUNREACH: _unreachable,
    errno.ENFILE: _out_of_files,
    errno.ENOMEM: _out_of_memory,
    errno.ENOSPC: _disk_full,
    errno.ENOTCONN: _connection_lost,
    errno.EPIPE: _connection_lost,
    errno.ESHUTDOWN: _connection_lost,
    errno.ETIMEDOUT: _timed_out,
}

_BY_CLASS: Final[tuple[tuple[type[OSError], int], ...]] = (
    (FileNotFoundError, errno.ENOENT),
    (PermissionError, errno.EACCES),
    (FileExistsError, errno.EEXIST),
    (IsADirectoryError, errno.EISDIR),
    (NotADirectoryError, errno.ENOTDIR),
    (InterruptedError, errno.EINTR),
    (BlockingIOError, errno.EAGAIN),
    (BrokenPipeError, errno.EPIPE),
    (ConnectionRefusedError, errno.ECONNREFUSED),
    (ConnectionAbortedError, errno.ECONNABORTED),
    (ConnectionError, errno.ECONNRESET),
    (TimeoutError, errno.ETIMEDOUT),
)
"""What a subclass means when it was raised by hand, without a number."""
