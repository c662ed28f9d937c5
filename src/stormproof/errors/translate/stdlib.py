"""Python and its standard library."""

import re
from typing import Any, Final

from stormproof.errors.client_errors import Conflict
from stormproof.errors.external_errors import ConnectionLost, ProtocolError, UntrustedPeer
from stormproof.errors.platform_errors import (
    DatabaseError,
    DeadlineExceeded,
    SerializationError,
    StorageError,
    StorageRefused,
)
from stormproof.errors.resource_errors import DiskFull, OutOfMemory, ServiceUnavailable
from stormproof.errors.root import StormproofError
from stormproof.errors.translate.http_status import THIRD_PARTY, Answer, answered
from stormproof.errors.translate.lookup import Maker, Table, bug, control_flow
from stormproof.errors.translate.network_reason import network_reason, unreachable
from stormproof.errors.translate.os_errors import os_error
from stormproof.errors.translate.reading import (
    header_map,
    identifier,
    integer,
    message,
    read,
    seconds,
)

_SQLITE_READONLY: Final = 8
_SQLITE_FULL: Final = 13
_SQLITE_CANTOPEN: Final = 14

_TORCH_HAS_NO_MEMORY: Final = re.compile(r"DefaultCPUAllocator: (?:can't|not enough)")


def _runtime_error(exc: Any) -> StormproofError:
    # torch has a class for the memory of accelerators and none for main memory.
    if _TORCH_HAS_NO_MEMORY.search(message(exc) or ""):
        return OutOfMemory()
    return bug(exc)


def _out_of_memory(_exc: Any) -> StormproofError:
    return OutOfMemory()


def _timed_out(exc: Any) -> StormproofError:
    return os_error(exc) if read(exc, "errno") else DeadlineExceeded()


def _subprocess_timed_out(exc: Any) -> StormproofError:
    return DeadlineExceeded(operation="a subprocess", timeout=seconds(read(exc, "timeout")))


def _bad_text(exc: Any) -> StormproofError:
    encoding = identifier(read(exc, "encoding"))
    return SerializationError(reason=f"not valid {encoding or 'text'}")


def _bad_json(exc: Any) -> StormproofError:
    line, column = integer(read(exc, "lineno")), integer(read(exc, "colno"))
    return SerializationError(reason=f"not valid JSON at line {line}, column {column}")


def _undecodable(what: str) -> Maker:
    return lambda _: SerializationError(reason=f"not valid {what}")


def _lost(reason: str) -> Maker:
    return lambda exc: ConnectionLost(reason=network_reason(exc, reason))


def _broken(reason: str) -> Maker:
    return lambda exc: ProtocolError(reason=network_reason(exc, reason))


def _busy(reason: str) -> Maker:
    return lambda _: ServiceUnavailable(reason=reason)


def _http_error(exc: Any) -> StormproofError:
    status, headers = integer(read(exc, "code")), header_map(read(exc, "headers"))
    return answered(Answer(THIRD_PARTY, status, headers, internal=message(exc)))


def database_failed(exc: Any) -> StormproofError:
    """Return the error for a failure that a database driver calls operational."""
    code = read(exc, "sqlite_errorcode")
    kind = code & 0xFF if isinstance(code, int) else None  # the other bits say more of the same
    if kind == _SQLITE_FULL:
        return DiskFull()
    if kind == _SQLITE_READONLY:
        return StorageRefused(operation="write the database", reason=message(exc))
    if kind == _SQLITE_CANTOPEN:
        return StorageError(operation="open the database", reason=message(exc))
    return DatabaseError(reason=message(exc))


def database_conflict(_exc: Any) -> StormproofError:
    """Return the error for a broken constraint; which one, and by what value, is not told."""
    return Conflict(reason="a constraint of the database forbids it")


TABLE: Final[Table] = {
    # Whatever nothing else claims, and thereby every bug.
    "builtins.Exception": bug,
    "builtins.RuntimeError": _runtime_error,
    # Not errors: signals of the language.
    "builtins.StopIteration": control_flow,
    "builtins.StopAsyncIteration": control_flow,
    # The machine.
    "builtins.MemoryError": _out_of_memory,
    "builtins.OSError": os_error,
    "builtins.TimeoutError": _timed_out,
    "shutil.Error": os_error,
    # Data that does not decode.
    "builtins.EOFError": _undecodable("data: it ends too early"),
    "builtins.UnicodeError": _bad_text,
    "json.JSONDecodeError": _bad_json,
    "_csv.Error": _undecodable("CSV"),
    "_lzma.LZMAError": _undecodable("LZMA data"),
    "_pickle.PickleError": _undecodable("pickle data"),
    "binascii.Error": _undecodable("encoded bytes"),
    "gzip.BadGzipFile": _undecodable("gzip data"),
    "struct.error": _undecodable("packed bytes"),
    "tarfile.TarError": _undecodable("tar archive"),
    "tomllib.TOMLDecodeError": _undecodable("TOML"),
    "xml.ExpatError": _undecodable("XML"),
    "xml.ParseError": _undecodable("XML"),
    "zipfile.BadZipFile": _undecodable("zip archive"),
    "zipfile.LargeZipFile": _undecodable("zip archive: it is too large"),
    "zlib.error": _undecodable("compressed data"),
    # Concurrency.
    "asyncio.IncompleteReadError": _lost("the stream ended early"),
    "asyncio.LimitOverrunError": _broken("a line is longer than the buffer"),
    "asyncio.QueueFull": _busy("a queue is full"),
    "queue.Full": _busy("a queue is full"),
    "concurrent.BrokenExecutor": _busy("a pool of workers broke"),
    "concurrent.CancelledError": control_flow,
    "multiprocessing.TimeoutError": lambda _: DeadlineExceeded(),
    "subprocess.TimeoutExpired": _subprocess_timed_out,
    # The network.
    "socket.gaierror": unreachable("the name does not resolve"),
    "socket.herror": unreachable("the name does not resolve"),
    "ssl.SSLCertVerificationError": lambda _: UntrustedPeer(),
    "ssl.SSLError": _broken("TLS could not be agreed"),
    "ssl.SSLEOFError": lambda _: ConnectionLost(),
    "ssl.SSLZeroReturnError": lambda _: ConnectionLost(),
    "http.HTTPException": _broken("not an HTTP response"),
    "http.IncompleteRead": _lost("the response ended early"),
    "http.RemoteDisconnected": _lost("closed without a response"),
    "urllib.ContentTooShortError": _lost("the response ended early"),
    "urllib.HTTPError": _http_error,
    "urllib.URLError": unreachable("the address cannot be opened"),
    # Databases, as PEP 249 names their errors.
    "sqlite3.Error": database_failed,
    "sqlite3.IntegrityError": database_conflict,
    "sqlite3.InterfaceError": bug,
    "sqlite3.ProgrammingError": bug,
    "sqlite3.NotSupportedError": bug,
}
