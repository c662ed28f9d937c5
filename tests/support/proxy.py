"""A real proxy, which passes on what is for one server, wherever it was said to be."""

import asyncio
from contextlib import suppress
from urllib.parse import urlsplit


class ProxyServer:
    """Forwards requests and opens tunnels, and keeps the heads of what it was sent.

    Attributes:
        heads: The heads of requests.
        answer: What it says to every request for a tunnel, instead of opening one.
    """

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self.answer: bytes | None = None
        self._port = 0

    async def start(self, url: str = "http://127.0.0.1:9") -> str:
        """Listen in front of a server; returns the authority."""
        self._port = urlsplit(url).port or 0
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def stop(self) -> None:
        """Listen no more."""
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            head = await reader.readuntil(b"\r\n\r\n")
            self.heads.append(head)
            if self.answer is not None:
                writer.write(self.answer)
            else:
                await self._pass_on(head, reader, writer)
        writer.close()

    async def _pass_on(
        self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        theirs, ours = await asyncio.open_connection("127.0.0.1", self._port)
        if head.startswith(b"CONNECT "):
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            method, target, rest = head.split(b" ", 2)
            ours.write(b" ".join((method, b"/" + target.split(b"/", 3)[3], rest)))
        await asyncio.gather(_copy(reader, ours), _copy(theirs, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            writer.write(data)
    writer.close()
