"""aiohttp's exceptions, raised by a real client against real sockets."""

import asyncio
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from stormproof.errors import (
    ConfigurationError,
    ConnectionLost,
    DeadlineExceeded,
    NetworkError,
    ProtocolError,
    RateLimitExceeded,
    ServiceUnavailable,
    StormproofError,
    ThirdPartyError,
    ThirdPartyRefused,
    to_wire,
    translate,
)


async def fetch(url: str, **options: Any) -> bytes:
    async with (
        aiohttp.ClientSession(raise_for_status=True) as session,
        session.get(url, **options) as response,
    ):
        return await response.read()


async def failure_of(url: str, **options: Any) -> StormproofError:
    """Get the address with a real client, and translate what it raises."""
    with pytest.raises(Exception) as raised:  # noqa: PT011 - any exception at all
        await fetch(url, **options)
    return translate(raised.value)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (404, ThirdPartyRefused),
        (429, RateLimitExceeded),
        (500, ThirdPartyError),
        (503, ServiceUnavailable),
        (504, DeadlineExceeded),
    ],
)
async def test_a_bad_status_is_somebody_elses_failure(
    status: int, expected: type[StormproofError], server: Any
) -> None:
    """With the wait that its headers ask for, and without the address."""
    error = await failure_of(server.answer(status, headers={"Retry-After": "3"}))
    assert type(error) is expected
    assert error.retry_after == 3.0
    assert "127.0.0.1" not in str(to_wire(error))


async def test_a_refused_connection_says_so(refused_port: int) -> None:
    """By the errno that aiohttp keeps."""
    error = await failure_of(f"http://127.0.0.1:{refused_port}")
    assert type(error) is NetworkError
    assert error.reason == "connection refused"


async def test_a_peer_that_hangs_up_is_a_lost_connection(server: Any) -> None:
    """Before it answers, and in the middle of an answer."""
    server.answer(None)
    assert type(await failure_of(server.url)) is ConnectionLost
    server.answer(200, b"abc", {"content-length": "10"})
    assert type(await failure_of(server.url)) is ConnectionLost


async def test_a_body_that_does_not_decode_breaks_the_protocol(server: Any) -> None:
    """It says gzip and is not."""
    server.answer(200, b"plain text", {"content-encoding": "gzip"})
    assert type(await failure_of(server.url)) is ProtocolError


async def test_a_timeout_says_what_took_too_long(silent_port: int) -> None:
    """Reading here; the total timeout is asyncio's and says no more."""
    url = f"http://127.0.0.1:{silent_port}"
    read = await failure_of(url, timeout=aiohttp.ClientTimeout(sock_read=0.001))
    assert isinstance(read, DeadlineExceeded)
    assert read.operation == "read"
    total = await failure_of(url, timeout=aiohttp.ClientTimeout(total=0.001))
    assert isinstance(total, DeadlineExceeded)


async def test_a_bad_address_is_a_setting() -> None:
    """Whoever configured it has to act."""
    assert type(await failure_of("not an address")) is ConfigurationError
    assert type(await failure_of("ftp://127.0.0.1/")) is ConfigurationError


async def test_a_certificate_is_not_asked_of_a_plain_port(server: Any) -> None:
    """TLS to a server that does not speak it."""
    url = server.answer(200).replace("http://", "https://")
    assert type(await failure_of(url)) is ProtocolError


async def test_a_refused_websocket_is_an_answer(server: Any) -> None:
    """The handshake is HTTP."""
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as raised:
            await session.ws_connect(server.answer(429, headers={"Retry-After": "2"}))
    error = translate(raised.value)
    assert isinstance(error, RateLimitExceeded)
    assert error.retry_after == 2.0


@pytest.mark.parametrize("answer", [web.HTTPFound("/elsewhere"), web.HTTPNotFound()])
def test_a_response_of_our_own_server_passes_through(answer: web.HTTPException) -> None:
    """It travels as an exception and is none."""
    with pytest.raises(web.HTTPException) as raised:
        translate(answer)
    assert raised.value is answer
    assert not asyncio.iscoroutine(answer)
