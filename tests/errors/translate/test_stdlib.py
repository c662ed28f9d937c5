"""Python's own exceptions, raised by real use."""

import asyncio
import binascii
import csv
import errno
import gzip
import http.client
import json
import lzma
import os
import pickle
import queue
import socket
import sqlite3
import ssl
import struct
import subprocess
import sys
import tarfile
import tomllib
import urllib.error
import urllib.request
import xml.etree.ElementTree as ET
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stormproof.errors import (
    ConfigurationError,
    Conflict,
    ConnectionLost,
    DatabaseError,
    DeadlineExceeded,
    DiskFull,
    InternalError,
    NetworkError,
    OutOfMemory,
    ProtocolError,
    RateLimitExceeded,
    SerializationError,
    ServiceUnavailable,
    StorageError,
    StorageRefused,
    StormproofError,
    to_wire,
    translate,
)

Caught = Callable[[Callable[[], object]], StormproofError]


def test_a_full_disk_is_a_full_disk(caught: Caught) -> None:
    """The kernel's own: every write to /dev/full fails so."""
    error = caught(lambda: Path("/dev/full").write_text("x", "utf-8"))
    assert type(error) is DiskFull


def test_a_missing_file_names_its_path_inside_only(caught: Caught, tmp_path: Path) -> None:
    """The reason is public, the path is not."""
    missing = tmp_path / "not-there"
    error = caught(missing.read_bytes)

    assert isinstance(error, StorageError)
    assert error.reason == "no such file or directory"
    assert error.path == str(missing)
    assert "not-there" not in str(to_wire(error))


def test_a_folder_where_a_file_should_be_is_a_storage_error(caught: Caught, tmp_path: Path) -> None:
    """Every other errno of a file system comes with the system's own words."""
    error = caught(tmp_path.read_bytes)
    assert isinstance(error, StorageError)
    assert error.reason == "is a directory"


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ENOSPC, DiskFull),
        (errno.EDQUOT, DiskFull),
        (errno.ENOENT, StorageRefused),
        (errno.EACCES, StorageRefused),
        (errno.EPERM, StorageRefused),
        (errno.EROFS, StorageRefused),
        (errno.EIO, StorageError),
        (errno.EEXIST, StorageRefused),
        (errno.ENOTDIR, StorageRefused),
        (errno.ENAMETOOLONG, StorageRefused),
        (errno.ENOMEM, OutOfMemory),
        (errno.EMFILE, ServiceUnavailable),
        (errno.ENFILE, ServiceUnavailable),
        (errno.EADDRINUSE, ConfigurationError),
        (errno.ECONNREFUSED, NetworkError),
        (errno.EHOSTUNREACH, NetworkError),
        (errno.ENETUNREACH, NetworkError),
        (errno.ENETDOWN, NetworkError),
        (errno.ECONNRESET, ConnectionLost),
        (errno.ECONNABORTED, ConnectionLost),
        (errno.EPIPE, ConnectionLost),
        (errno.ETIMEDOUT, DeadlineExceeded),
    ],
    ids=lambda value: errno.errorcode[value] if isinstance(value, int) else value.__name__,
)
def test_an_errno_has_one_meaning(number: int, expected: type[StormproofError]) -> None:
    """Whatever subclass of OSError Python picks for it."""
    assert type(translate(OSError(number, os.strerror(number)))) is expected


@pytest.mark.parametrize("cls", [PermissionError, FileNotFoundError, FileExistsError])
def test_a_subclass_raised_by_hand_means_what_its_name_says(cls: type[OSError]) -> None:
    """Libraries raise them with a text and no number."""
    error = translate(cls("because"))
    assert isinstance(error, StorageError)
    assert error.reason


def test_a_refused_connection_is_a_network_error(caught: Caught, refused_port: int) -> None:
    """A real one."""
    error = caught(lambda: socket.create_connection(("127.0.0.1", refused_port)))
    assert type(error) is NetworkError
    assert error.reason == "connection refused"


def test_several_refused_attempts_at_once_are_told_apart_by_their_text() -> None:
    """That is how asyncio reports a connect that failed at every address of a name."""
    joined = "Multiple exceptions: [Errno 111] Connect call failed, [Errno 111] Connect call failed"
    error = translate(OSError(joined))
    assert type(error) is NetworkError


def test_an_address_in_use_is_for_the_operator(caught: Caught) -> None:
    """Retrying does not free it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        error = caught(lambda: socket.create_server(taken.getsockname()))
    assert type(error) is ConfigurationError


def test_a_peer_that_resets_is_a_lost_connection(caught: Caught) -> None:
    """A real reset: closing with data unread."""
    left, right = socket.socketpair()
    with left:
        right.close()
        error = caught(lambda: [left.send(b"x") for _ in range(2)])
    assert type(error) is ConnectionLost


def test_a_socket_that_waits_too_long_is_a_deadline(caught: Caught) -> None:
    """The builtin TimeoutError, whoever raises it."""
    left, right = socket.socketpair()
    with left, right:
        left.settimeout(0.001)
        error = caught(lambda: left.recv(1))
    assert type(error) is DeadlineExceeded


def test_a_name_that_does_not_resolve_is_a_network_error(caught: Caught) -> None:
    """Asked so that no name server is needed."""
    error = caught(lambda: socket.getaddrinfo("no-number", 80, flags=socket.AI_NUMERICHOST))
    assert type(error) is NetworkError
    assert error.reason == "the name does not resolve"


def test_a_peer_that_does_not_speak_tls_breaks_the_protocol(caught: Caught) -> None:
    """A real handshake with plain text."""
    left, right = socket.socketpair()
    right.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    with left, right:
        error = caught(
            lambda: ssl.create_default_context().wrap_socket(left, server_hostname="localhost")
        )
    assert type(error) is ProtocolError
    assert error.reason == "TLS could not be agreed"


def test_memory_that_is_not_there_is_out_of_memory(caught: Caught) -> None:
    """A real refusal of the allocator."""
    error = caught(lambda: bytearray(2**62))
    assert type(error) is OutOfMemory


async def test_a_deadline_of_asyncio_is_a_deadline() -> None:
    """Its TimeoutError is the builtin one."""
    with pytest.raises(TimeoutError) as raised:
        async with asyncio.timeout(0):
            await asyncio.Event().wait()
    assert type(translate(raised.value)) is DeadlineExceeded


async def test_a_stream_that_ends_early_is_a_lost_connection() -> None:
    """And a line without end breaks the protocol."""
    reader = asyncio.StreamReader(limit=4)
    reader.feed_data(b"0123456789")
    reader.feed_eof()
    with pytest.raises(asyncio.LimitOverrunError) as overrun:
        await reader.readuntil(b"\n")
    with pytest.raises(asyncio.IncompleteReadError) as incomplete:
        await reader.readexactly(100)
    assert type(translate(overrun.value)) is ProtocolError
    assert type(translate(incomplete.value)) is ConnectionLost


def test_a_full_queue_is_unavailable_for_now(caught: Caught) -> None:
    """The two of them."""
    plain: queue.Queue[int] = queue.Queue(1)
    plain.put(1)
    loops: asyncio.Queue[int] = asyncio.Queue(1)
    loops.put_nowait(1)
    assert type(caught(lambda: plain.put_nowait(2))) is ServiceUnavailable
    assert type(caught(lambda: loops.put_nowait(2))) is ServiceUnavailable


def test_a_subprocess_that_takes_too_long_says_how_long(caught: Caught) -> None:
    """The limit is kept."""
    waits_for_input = [sys.executable, "-c", "input()"]
    with subprocess.Popen(waits_for_input, stdin=subprocess.PIPE) as child:
        error = caught(lambda: child.wait(timeout=0.001))
        child.kill()
    assert isinstance(error, DeadlineExceeded)
    assert error.timeout == 0.001


BAD_BYTES: dict[str, Callable[[], Any]] = {
    "base64": lambda: binascii.a2b_base64(b"abc", strict_mode=True),
    "csv": lambda: list(csv.reader(["a\0", '"'], strict=True)),
    "gzip": lambda: gzip.decompress(b"not gzip at all"),
    "json": lambda: json.loads("{'secret': 1}"),
    "lzma": lambda: lzma.decompress(b"not lzma"),
    "pickle": lambda: pickle.loads(b"not a pickle"),  # noqa: S301
    "struct": lambda: struct.unpack("<I", b"1"),
    "tar": lambda: tarfile.open(__file__),  # noqa: SIM115 - it does not open
    "toml": lambda: tomllib.loads("secret = "),
    "utf-8": b"\xff".decode,
    "xml": lambda: ET.fromstring("<secret>"),  # noqa: S314 - our own text
    "zip": lambda: zipfile.ZipFile(__file__),
    "zlib": lambda: zlib.decompress(b"secret"),
}


@pytest.mark.parametrize("kind", BAD_BYTES)
def test_data_that_does_not_decode_is_a_serialization_error(kind: str, caught: Caught) -> None:
    """Which kind it is may be told, what it holds may not."""
    error = caught(BAD_BYTES[kind])
    assert type(error) is SerializationError
    assert "secret" not in error.message


def test_bad_json_says_where() -> None:
    """Line and column help and tell nothing."""
    with pytest.raises(json.JSONDecodeError) as raised:
        json.loads('{\n "a": }')
    assert "line 2, column 7" in str(translate(raised.value))


def test_sqlite_tells_conflicts_from_failures_from_bugs(caught: Caught) -> None:
    """By the names of PEP 249."""
    database = sqlite3.connect(":memory:")
    database.execute("create table t (x integer unique)")
    database.execute("insert into t values (1)")
    assert type(caught(lambda: database.execute("insert into t values (1)"))) is Conflict
    assert type(caught(lambda: database.execute("select * from gone"))) is DatabaseError
    assert type(caught(lambda: database.execute("select ?", ()))) is InternalError
    database.execute("pragma max_page_count = 1")
    full = caught(lambda: database.execute("create table u as select zeroblob(100000)"))
    assert type(full) is DiskFull
    database.execute("pragma query_only = on")
    refused = caught(lambda: database.execute("insert into t values (2)"))
    assert type(refused) is StorageRefused
    assert type(caught(lambda: sqlite3.connect("/"))) is StorageError
    database.close()


def test_urllib_reads_the_status_and_the_wait(caught: Caught, server: Any) -> None:
    """An HTTPError is an answer, a URLError a network that failed."""
    url = server.answer(429, headers={"Retry-After": "7"})
    limited = caught(lambda: urllib.request.urlopen(url))  # noqa: S310 - our own server
    assert isinstance(limited, RateLimitExceeded)
    assert limited.retry_after == 7
    if isinstance(limited.__cause__, urllib.error.HTTPError):
        limited.__cause__.close()


def test_urllib_and_http_client_fail_like_the_network(
    caught: Caught, server: Any, refused_port: int
) -> None:
    """Refused, and hung up on."""
    refused = f"http://127.0.0.1:{refused_port}"
    assert type(caught(lambda: urllib.request.urlopen(refused))) is NetworkError
    server.answer(None)
    client = http.client.HTTPConnection("127.0.0.1", server.server_port)
    client.request("GET", "/")
    error = caught(client.getresponse)
    client.close()
    assert type(error) is ConnectionLost
