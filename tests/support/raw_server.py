"""A server whose bytes on the wire are the test's own."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import TypeAlias

Behaviour: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class RawServer:
    """Gives each connection to a behaviour, and counts them."""

    def __init__(self) -> None:
        self.connections = 0
        self.requests: list[bytes] = []
        self._behaviour: Behaviour = self._nothing

    async def start(self, behaviour: Behaviour, *, tls: ssl.SSLContext | None = None) -> str:
        """Listen; returns the URL."""
        self._behaviour = behaviour
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        scheme, port = "https" if tls else "http", self._server.sockets[0].getsockname()[1]
        return f"{scheme}://127.0.0.1:{port}/v1/x"

    async def answering(
        self, *answers: bytes, close: bool = False, tls: ssl.SSLContext | None = None
    ) -> str:
        """Listen, and give each request of a connection its answer; returns the URL."""

        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for answer in answers:
                self.requests.append(await request(reader))
                writer.write(answer)
                await writer.drain()
            if not close:
                await reader.read()

        return await self.start(behave, tls=tls)

    def stop(self) -> None:
        """Listen no more."""
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self._behaviour(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _nothing(self, *_: object) -> None:
        raise NotImplementedError


async def request(reader: asyncio.StreamReader) -> bytes:
    """Read one request."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    [length] = [int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length")]
    return head + await reader.readexactly(length)
