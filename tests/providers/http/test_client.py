"""Requests reach their server whole; answers come back whole, or as a typed error."""

import asyncio
import socket
import ssl
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormproof.errors import (
    ConfigurationError,
    ConnectionLost,
    NetworkError,
    ProtocolError,
    UntrustedPeer,
)
from stormproof.providers.http.client import HttpClient, parse_url
from stormproof.testing import FakeClock
from support.raw_server import RawServer, request

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n"
)
TO_THE_END = b"HTTP/1.1 200 OK\r\n\r\nhello"
MOST = 1 << 20


async def ask(client: HttpClient, url: str, body: bytes = b"{}") -> bytes:
    with await client.send("POST", url, {"x-key": "v"}, body) as response:
        return await response.read(MOST)


async def test_a_request_arrives_as_it_was_sent(server: RawServer, client: HttpClient) -> None:
    url = await server.answering(OK)
    assert await ask(client, url, b"body") == b"hello"
    [sent] = server.requests
    head, body = sent.split(b"\r\n\r\n")
    assert body == b"body"
    authority = url.split("/")[2]
    assert head.decode().split("\r\n") == [
        "POST /v1/x HTTP/1.1",
        f"host: {authority}",
        "x-key: v",
        "content-length: 4",
    ]


@pytest.mark.parametrize(
    "answer",
    [
        OK,
        CHUNKED,
        TO_THE_END,
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
        b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + CHUNKED,
        b"HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello",
    ],
)
async def test_every_framing_is_understood(
    server: RawServer, client: HttpClient, answer: bytes
) -> None:
    """A length, chunks, or the connection's end; behind informational answers as well."""
    assert await ask(client, await server.answering(answer, close=True)) == b"hello"


@given(st.sampled_from([OK, CHUNKED]), st.lists(st.integers(1, 90), max_size=20))
async def test_it_does_not_matter_how_bytes_are_cut(answer: bytes, cuts: Sequence[int]) -> None:
    """Also not for a second answer on the same connection."""
    server, client = RawServer(), HttpClient()
    both = [0, *sorted(cut for cut in cuts if cut < len(answer)), len(answer)]

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            await request(reader)
            for begin, end in pairwise(both):
                writer.write(answer[begin:end])
                await writer.drain()
                await asyncio.sleep(0)

    url = await server.start(behave)
    assert [await ask(client, url), await ask(client, url)] == [b"hello", b"hello"]
    assert server.connections == 1
    client.close()
    server.stop()


async def test_connections_are_used_again(server: RawServer, client: HttpClient) -> None:
    url = await server.answering(OK, OK, OK)
    for _ in range(3):
        await ask(client, url)
    assert server.connections == 1


async def hung_up_on(server: RawServer) -> str:
    """Answer once on each connection, and hang up on its second request."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(OK)
        await reader.readexactly(1)

    return await server.start(behave)


async def test_a_connection_that_was_closed_while_idle_is_replaced(
    server: RawServer, clock: FakeClock
) -> None:
    """Even if the request was on its way before the notice of it came."""
    client, url = HttpClient(clock=clock.now), await hung_up_on(server)
    assert await ask(client, url) == b"hello"
    clock.advance(5)
    assert await ask(client, url) == b"hello"
    assert server.connections == 2
    client.close()


async def test_a_request_that_is_hung_up_on_is_not_sent_again(server: RawServer) -> None:
    """A connection in use a moment ago was not closed for idleness."""
    client, url = HttpClient(clock=lambda: 0.0), await hung_up_on(server)
    assert await ask(client, url) == b"hello"
    with pytest.raises(ConnectionLost):
        await ask(client, url)
    assert server.connections == 1
    client.close()


async def test_a_new_connection_that_is_cut_is_an_error(
    server: RawServer, client: HttpClient
) -> None:
    """Nothing is asked twice of a server that may have begun to answer."""
    url = await server.answering(b"", close=True)
    with pytest.raises(ConnectionLost):
        await ask(client, url)
    assert server.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ],
)
async def test_a_body_that_is_cut_is_an_error(
    server: RawServer, client: HttpClient, answer: bytes
) -> None:
    """And what had come can be read before it."""
    url = await server.answering(answer, close=True)
    with await client.send("GET", url, {}) as response:
        assert await response.receive() == b"hello"
        with pytest.raises(ConnectionLost):
            await response.receive()


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 twohundred OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x-a: b\r\n" * 100_000,
    ],
)
async def test_what_is_not_http_is_refused(
    server: RawServer, client: HttpClient, answer: bytes
) -> None:
    """Ambiguous framing and endless headers as well."""
    with pytest.raises(ProtocolError):
        await ask(client, await server.answering(answer))


async def test_an_answer_that_nobody_asked_for_answers_nobody(
    server: RawServer, client: HttpClient
) -> None:
    """A second answer behind the first is not taken for that to the next request."""
    evil = OK + OK.replace(b"hello", b"evil!")
    url = await server.answering(evil)
    assert await ask(client, url) == b"hello"
    assert await ask(client, url) == b"hello"
    assert server.connections == 2


async def test_an_answer_that_is_too_long_is_given_up(
    server: RawServer, client: HttpClient
) -> None:
    url = await server.answering(OK)
    with await client.send("GET", url, {}) as response, pytest.raises(ProtocolError, match="4 b"):
        await response.read(4)


async def test_a_response_that_is_left_closes_its_connection(
    server: RawServer, client: HttpClient
) -> None:
    """The server learns that nobody reads on."""
    gone = asyncio.Event()

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n")
        await reader.read()
        gone.set()

    with await client.send("GET", await server.start(behave), {}) as response:
        assert await response.receive() == b"hello"
    await gone.wait()


async def test_a_request_that_is_cancelled_closes_its_connection(
    server: RawServer, client: HttpClient
) -> None:
    """And its place is free for another."""
    begun, gone = asyncio.Event(), asyncio.Event()

    async def behave(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await request(reader)
        begun.set()
        await reader.read()
        gone.set()

    task = asyncio.create_task(ask(client, await server.start(behave)))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await gone.wait()


async def test_a_slow_reader_slows_the_server_down(server: RawServer, client: HttpClient) -> None:
    """What is not read waits in the kernel's buffers and not in ours; nothing of it is lost."""
    size, sent = 64 << 20, 0

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        for _ in range(size >> 16):
            writer.write(bytes(1 << 16))
            await writer.drain()
            sent += 1 << 16

    url = await server.start(behave)
    with await client.send("GET", url, {}) as response:
        before = -1
        while before < sent:  # until the server gets nothing more out
            before = sent
            for _ in range(1000):
                await asyncio.sleep(0)
        assert sent < size // 2
        assert sum([len(chunk) async for chunk in response.chunks()]) == size


async def test_no_more_connections_than_allowed(server: RawServer) -> None:
    """Who needs another waits in line."""
    client = HttpClient(connections=2)
    url = await server.answering(*[OK] * 20)
    answers = await asyncio.gather(*(ask(client, url) for _ in range(20)))
    assert answers == [b"hello"] * 20
    assert server.connections == 2
    client.close()


async def test_who_waits_in_line_may_leave_it() -> None:
    """And takes nobody's place along."""
    client, server = HttpClient(connections=1), RawServer()
    release = asyncio.Event()

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await request(reader):
            await release.wait()
            writer.write(OK)

    url = await server.start(behave)
    first, second, third = (asyncio.create_task(ask(client, url)) for _ in range(3))
    await asyncio.sleep(0)
    second.cancel()
    release.set()
    assert await first == await third == b"hello"
    assert second.cancelled()
    client.close()
    server.stop()


async def test_a_closed_port_is_a_network_error(client: HttpClient) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(NetworkError, match="refused"):
            await ask(client, f"http://127.0.0.1:{unused.getsockname()[1]}/")


async def test_a_server_that_does_not_accept_is_a_network_error() -> None:
    """Within the time for connecting, however long the system would go on trying."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        held = [socket.socket() for _ in range(4)]
        for one in held:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        client = HttpClient(connect_timeout=0.05)
        with pytest.raises(NetworkError, match="within"):
            await ask(client, f"http://127.0.0.1:{port}/")
        for one in held:
            one.close()


async def test_a_server_must_prove_who_it_is(server: RawServer) -> None:
    """Plain text where TLS was expected is no proof."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(OK)

    url = await server.start(behave)
    client = HttpClient(tls=ssl.create_default_context())
    with pytest.raises(NetworkError):
        await ask(client, url.replace("http:", "https:"))


async def test_an_untrusted_certificate_is_refused(
    server: RawServer, certificate: ssl.SSLContext
) -> None:
    url = await server.answering(OK, tls=certificate)
    client = HttpClient()
    with pytest.raises(UntrustedPeer):
        await ask(client, url)
    assert server.requests == []


async def test_tls_works_with_a_trusted_one(
    server: RawServer, certificate: ssl.SSLContext, authority: ssl.SSLContext
) -> None:
    url = await server.answering(OK, OK, tls=certificate)
    client = HttpClient(tls=authority)
    assert [await ask(client, url), await ask(client, url)] == [b"hello", b"hello"]
    client.close()


@pytest.mark.parametrize(
    ("url", "authority", "target"),
    [
        ("http://a", "a", "/"),
        ("https://a:443/v1?x=y", "a", "/v1?x=y"),
        ("http://[::1]:81/v1", "[::1]:81", "/v1"),
    ],
)
def test_urls_are_taken_apart(url: str, authority: str, target: str) -> None:
    """A port that goes without saying is not said."""
    address = parse_url(url)
    assert (address.authority, address.target) == (authority, target)


@pytest.mark.parametrize(
    "url",
    ["", "a", "ftp://a", "http://", "http://u:p@a", "http://a:x", "http://a/b c", "http://[a"],
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_url(url)
    assert "u:p" not in str(caught.value)


@pytest.mark.parametrize("header", [{"a": "b\r\nx: y"}, {"a\n": "b"}, {"a": "\u20ac"}, {"a": "\0"}])
async def test_headers_cannot_end_the_head(client: HttpClient, header: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError):
        await client.send("GET", "http://127.0.0.1:9/", header)
