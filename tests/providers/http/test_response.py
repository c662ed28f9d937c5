"""An answer that has said all that matters is left to its end, and not torn from its connection."""

import asyncio

from stormproof.providers.http.client import HttpClient
from support.raw_server import RawServer, request

HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


async def test_what_is_left_frees_its_connection_once_it_ends(server: RawServer) -> None:
    """The next request waits for that, and needs no other connection."""
    client, left = HttpClient(connections=1), asyncio.Event()

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            await request(reader)
            writer.write(HEAD + b"4\r\nDONE\r\n")
            await left.wait()
            writer.write(b"3\r\n...\r\n0\r\n\r\n")
            await writer.drain()

    url = await server.start(behave)
    for _ in range(2):
        with await client.send("GET", url, {}) as response:
            assert (await response.receive()).startswith(b"DONE")
            response.leave()
        left.set()
    assert server.connections == 1
    client.close()
