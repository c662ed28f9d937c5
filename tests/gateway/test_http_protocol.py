"""Who is waited for, and for how long."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from stormproof.gateway.http_protocol import HttpProtocol
from stormproof.gateway.presence import GONE

REQUEST: Final = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello"


class Impatient(HttpProtocol):
    patience = 0.4


class Server:
    """A server that answers when it is let; what tells that a client has left it keeps."""

    def __init__(self) -> None:
        self.let = asyncio.Event()
        self.asked = asyncio.Event()
        self.gone: list[asyncio.Future[None]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        self.asked.set()
        self.gone.append(scope["state"][GONE])
        await self.let.wait()
        headers = [(b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok"})

    async def connect(self, wire: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(wire)
        return reader, writer

    async def run(self) -> AsyncIterator["Server"]:
        config = uvicorn.Config(
            self, port=0, lifespan="off", log_config=None, ws="none", http=Impatient
        )
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110 - it has nothing to wait for
            await asyncio.sleep(0.01)
        self.port = server.servers[0].sockets[0].getsockname()[1]
        yield self
        self.let.set()
        server.should_exit = True
        await task


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async for it in Server().run():
        yield it


@pytest.mark.parametrize("sent", [0, 20, len(REQUEST) - 3], ids=["nothing", "head", "body"])
async def test_who_says_nothing_more_is_not_waited_for(server: Server, sent: int) -> None:
    """A client that lost its network cannot say that it left."""
    reader, writer = await server.connect(REQUEST[:sent])
    assert await reader.read() == b""
    assert not server.let.is_set()
    writer.close()


@pytest.mark.parametrize("behind", [b"", REQUEST[:20]], ids=["alone", "with more half sent"])
async def test_who_waits_for_us_may_say_nothing(server: Server, behind: bytes) -> None:
    """However long that takes."""
    reader, writer = await server.connect(REQUEST + behind)
    await server.asked.wait()
    silent, other = await server.connect(b"")
    assert await silent.read() == b""
    server.let.set()
    assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200 OK")
    for one in (writer, other):
        one.close()


async def test_whoever_works_for_a_client_is_told_that_he_leaves(server: Server) -> None:
    """Also in the second request of a connection; who got his answer and stays has not left."""
    reader, writer = await server.connect(REQUEST)
    server.let.set()
    await reader.readuntil(b"ok")
    assert not server.gone[0].done()
    server.let.clear()
    server.asked.clear()
    writer.write(REQUEST)
    await server.asked.wait()
    writer.write_eof()
    assert await reader.read() == b""
    writer.close()
    assert server.gone[1].done()
