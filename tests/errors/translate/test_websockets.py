"""websockets' exceptions, raised by real connections over the loopback."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import PayloadTooBig, WebSocketException

from stormproof.errors import (
    ConfigurationError,
    ConnectionLost,
    InternalError,
    PayloadTooLarge,
    ProtocolError,
    RateLimitExceeded,
    StormproofError,
    ThirdPartyRefused,
    translate,
)


async def failure_of(handler: Callable[[ServerConnection], Awaitable[None]]) -> StormproofError:
    """Serve a connection so, listen to it, and translate what comes."""
    async with serve(handler, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}", max_size=10) as client:
            with pytest.raises(WebSocketException) as raised:
                await client.recv()
    return translate(raised.value)


async def test_a_closed_connection_is_lost_and_says_by_which_code() -> None:
    """A number of RFC 6455 or of the peer's own."""

    async def close(connection: ServerConnection) -> None:
        await connection.close(1013, "bye")

    error = await failure_of(close)
    assert type(error) is ConnectionLost
    assert error.reason == "closed with code 1013"


async def test_a_connection_cut_without_a_goodbye_is_lost() -> None:
    """The socket just ends."""

    async def cut(connection: ServerConnection) -> None:
        connection.transport.abort()

    error = await failure_of(cut)
    assert type(error) is ConnectionLost


async def test_a_message_too_big_closes_the_connection() -> None:
    """By our own limit: the code that we sent is told."""

    async def flood(connection: ServerConnection) -> None:
        await connection.send("x" * 100)
        await connection.wait_closed()

    error = await failure_of(flood)
    assert isinstance(error, ConnectionLost)
    assert error.reason == "closed with code 1009"
    assert type(translate(PayloadTooBig(100, 10))) is PayloadTooLarge


@pytest.mark.parametrize(
    ("status", "expected"), [(429, RateLimitExceeded), (404, ThirdPartyRefused)]
)
async def test_a_refused_handshake_is_an_answer(
    status: int, expected: type[StormproofError], server: Any
) -> None:
    """It is HTTP still."""
    url = server.answer(status, headers={"Retry-After": "5"}).replace("http", "ws")
    with pytest.raises(WebSocketException) as raised:
        await connect(url)
    error = translate(raised.value)
    assert type(error) is expected
    assert error.retry_after == 5.0


async def test_a_peer_that_is_no_websocket_breaks_the_protocol(server: Any) -> None:
    """It answers 200 to the handshake or hangs up."""
    server.answer(None)
    with pytest.raises(WebSocketException) as raised:
        await connect(server.url.replace("http", "ws"))
    assert type(translate(raised.value)) is ProtocolError


async def test_a_bad_address_is_a_setting_and_misuse_a_bug() -> None:
    """Neither is the network's."""
    with pytest.raises(WebSocketException) as raised:
        await connect("http://127.0.0.1")
    assert type(translate(raised.value)) is ConfigurationError

    async def wait(connection: ServerConnection) -> None:
        await connection.wait_closed()

    async with serve(wait, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}") as client:
            first = asyncio.ensure_future(client.recv())
            await asyncio.sleep(0)  # let it begin
            with pytest.raises(WebSocketException) as twice:
                await client.recv()
            first.cancel()
    assert type(translate(twice.value)) is InternalError
