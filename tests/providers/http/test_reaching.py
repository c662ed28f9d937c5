"""A server is reached at the first of its addresses that answers."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import pytest
import uvloop

from stormproof.errors import NetworkError
from stormproof.providers.http.client import HttpClient
from stormproof.providers.http.reaching import reach
from support.raw_server import RawServer

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"


@pytest.fixture
def nowhere() -> Iterator[tuple[str, int]]:
    """An address that swallows whatever is sent there: its queue is full, and nobody empties it."""
    with contextlib.ExitStack() as sockets:
        server = sockets.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        address: tuple[str, int] = server.getsockname()
        for _ in range(4):
            waiting = sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(address)
        yield address


def resolving(monkeypatch: pytest.MonkeyPatch, *addresses: tuple[str, int]) -> None:
    """Have every name stand for these addresses."""
    known = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: known)


async def test_an_address_that_swallows_everything_holds_nobody_up(
    nowhere: tuple[str, int], server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without trying them side by side, the first would take all the time there is."""
    url = await server.answering(OK)
    port = int(url.split(":")[2].split("/")[0])
    resolving(monkeypatch, nowhere, ("127.0.0.1", port))
    client = HttpClient(connect_timeout=30.0)
    try:
        with await client.send("GET", "http://provider.test/", {}) as response:
            assert await response.read(100) == b"hello"
    finally:
        client.close()


async def test_an_address_that_refuses_is_followed_by_the_next(
    server: RawServer, client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = await server.answering(OK)
    with socket.socket() as refusing:
        refusing.bind(("127.0.0.1", 0))
        answering = ("127.0.0.1", int(url.split(":")[2].split("/")[0]))
        resolving(monkeypatch, refusing.getsockname(), answering)
        with await client.send("GET", "http://provider.test/", {}) as response:
            assert await response.read(100) == b"hello"


async def test_a_name_that_stands_for_nothing_is_a_network_error(client: HttpClient) -> None:
    with pytest.raises(NetworkError):
        await client.send("GET", "http://no-such-host.invalid/", {})


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_requests_do_not_wait_for_acknowledgements(loop: type[asyncio.AbstractEventLoop]) -> None:
    """Nagle's algorithm would hold the end of a request back."""

    async def connected() -> int:
        listener = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        async with listener:
            sock = await reach("127.0.0.1", listener.sockets[0].getsockname()[1])
            running = asyncio.get_running_loop()
            transport, _ = await running.create_connection(asyncio.Protocol, sock=sock)
            used = transport.get_extra_info("socket")
            delay: int = used.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            transport.abort()
            return delay

    with asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(connected())
