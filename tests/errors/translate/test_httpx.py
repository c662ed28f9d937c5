"""httpx's exceptions, raised by a real client."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from stormproof.errors import (
    ConfigurationError,
    ConnectionLost,
    DeadlineExceeded,
    InternalError,
    InvalidRequest,
    NetworkError,
    ProtocolError,
    ProviderUnauthorized,
    RateLimitExceeded,
    ServiceUnavailable,
    StormproofError,
    ThirdPartyError,
    ThirdPartyRefused,
    to_wire,
    translate,
)

Caught = Callable[[Callable[[], object]], StormproofError]


def fetch(status: int, headers: dict[str, str] | None = None) -> httpx.Response:
    """Get an answer with this status, through a real client, and insist that it is a good one."""
    transport = httpx.MockTransport(lambda _: httpx.Response(status, headers=headers))
    with httpx.Client(transport=transport) as client:
        url = "https://user:secret@internal.example/path?api_key=secret"
        return client.get(url).raise_for_status()


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (302, ProtocolError),
        (400, InvalidRequest),
        (401, ProviderUnauthorized),
        (404, ThirdPartyRefused),
        (429, RateLimitExceeded),
        (500, ThirdPartyError),
        (503, ServiceUnavailable),
        (504, DeadlineExceeded),
    ],
)
def test_a_bad_status_is_somebody_elses_failure(
    status: int, expected: type[StormproofError], caught: Caught
) -> None:
    """And the address that was called is nobody's business."""
    error = caught(lambda: fetch(status))
    assert type(error) is expected
    assert "internal.example" not in str(to_wire(error))
    assert "secret" not in str(to_wire(error, internal=True)["error"]["internal"]["fields"])


def test_the_wait_is_read_in_seconds_and_as_a_date(caught: Caught) -> None:
    """RFC 9110 allows both."""
    assert caught(lambda: fetch(503, {"Retry-After": "12"})).retry_after == 12.0
    date = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    wait = caught(lambda: fetch(429, {"retry-after": date})).retry_after
    assert wait is not None
    assert 3500 < wait <= 3600


def test_a_refused_connection_says_so(caught: Caught, refused_port: int) -> None:
    """The reason lies three causes deep."""
    error = caught(lambda: httpx.get(f"http://127.0.0.1:{refused_port}"))
    assert type(error) is NetworkError
    assert error.reason == "connection refused"


async def test_a_refused_connection_says_so_asynchronously(refused_port: int) -> None:
    """Where the reason lies in a group."""
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError) as raised:
            await client.get(f"http://localhost:{refused_port}")
    error = translate(raised.value)
    assert type(error) is NetworkError
    assert error.reason == "connection refused"


async def serve_raw(answer: bytes) -> httpx.HTTPError:
    """Let a real client read these bytes from a real socket; return what it raises."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(handle, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with listener, httpx.AsyncClient() as client:
        with pytest.raises(httpx.HTTPError) as raised:
            await client.get(f"http://127.0.0.1:{port}")
    return raised.value


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"", ConnectionLost),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc", ProtocolError),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", ProtocolError),
        (
            b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc",
            ProtocolError,
        ),
    ],
    ids=["hangs up", "stops midway", "speaks another protocol", "is not compressed as it says"],
)
async def test_a_peer_that_misbehaves(answer: bytes, expected: type[StormproofError]) -> None:
    """From a socket that really does."""
    assert type(translate(await serve_raw(answer))) is expected


def test_a_timeout_says_what_took_too_long_and_how_long_it_had(
    caught: Caught, silent_port: int
) -> None:
    """Not only that something did."""
    limits = httpx.Timeout(5, read=0.001)
    error = caught(lambda: httpx.get(f"http://127.0.0.1:{silent_port}", timeout=limits))
    assert isinstance(error, DeadlineExceeded)
    assert error.operation == "read"
    assert error.timeout == 0.001


async def test_a_connect_that_takes_too_long_says_so(silent_port: int) -> None:
    """It is over before it begins."""
    async with httpx.AsyncClient(timeout=httpx.Timeout(5, connect=1e-9)) as client:
        with pytest.raises(httpx.ConnectTimeout) as raised:
            await client.get(f"http://127.0.0.1:{silent_port}")
    error = translate(raised.value)
    assert isinstance(error, DeadlineExceeded)
    assert error.operation == "connect"


def test_a_pool_without_a_free_connection_is_a_deadline(caught: Caught, server: Any) -> None:
    """The one connection is taken by an answer that nobody has read yet."""
    server.answer(200, b"abc")
    one, patience = httpx.Limits(max_connections=1), httpx.Timeout(5, pool=0.001)
    with (
        httpx.Client(limits=one, timeout=patience) as client,
        client.stream("GET", server.url),
    ):
        error = caught(lambda: client.get(server.url))
    assert isinstance(error, DeadlineExceeded)
    assert error.operation == "waiting for a free connection"


def test_misuse_is_a_bug_and_a_bad_address_a_setting(caught: Caught) -> None:
    """The first is ours, the second whoever configured it."""
    stream = httpx.Response(200, content=iter([b"x"]))
    assert type(caught(lambda: stream.content)) is InternalError
    assert type(caught(lambda: httpx.get("ftp://x"))) is ConfigurationError
    assert type(caught(lambda: httpx.URL("http://host:port"))) is ConfigurationError


def test_httpx2_is_known_by_the_same_names(refused_port: int, caught: Caught) -> None:
    """The SDKs of model providers moved there."""
    httpx2: Any = pytest.importorskip("httpx2")
    error = caught(lambda: httpx2.get(f"http://127.0.0.1:{refused_port}"))
    assert type(error) is NetworkError
