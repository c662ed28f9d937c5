"""Clients that speak HTTP as few do, or leave in the middle of it, at a real server."""

import asyncio
import gzip
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import pytest
import pytest_asyncio

from stormproof.gateway.http_protocol import MOST_HEAD
from stormproof.testing.provider import Answer, Hang, ScriptedProvider, ScriptedTarget, text_of
from support.raw_server import RawServer, request
from support.serving import running

pytestmark = pytest.mark.asyncio(loop_scope="module")

MOST_BODY: Final = 100_000
FLOOD: Final = 64 << 20
SSE: Final = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
EVENT: Final = b'data: {"choices":[{"index":0,"delta":{"content":"%b"}}]}\n\n' % (b"x" * 1000)


class Endless(RawServer):
    """A provider that speaks for as long as anybody takes it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = 0
        self.over = asyncio.Event()

    async def speak(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak, until nobody reads for a while, or it was far too much."""
        await request(reader)
        writer.write(SSE)
        with suppress(TimeoutError):
            while self.written < FLOOD:
                writer.write(EVENT)
                self.written += len(EVENT)
                await asyncio.wait_for(writer.drain(), 1)
        self.over.set()


@dataclass(frozen=True)
class Gateway:
    """A gateway, and who is behind it beside somebody who answers."""

    port: int
    silent: ScriptedTarget
    endless: Endless

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def sent(self, wire: bytes) -> bytes:
        """Send this, and return what comes until the server hangs up."""
        reader, writer = await self.connect()
        writer.write(wire)
        received = await reader.read()
        writer.close()
        return received

    async def counted(self, status: int) -> float:
        """Return how many requests for no route that is known had this status."""
        text = await self.sent(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        series = rf'_requests_total{{method="POST",route="\(none\)",status="{status}"}} (\S+)'
        return sum(map(float, re.findall(series, text.decode())))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    endless = Endless()
    async with ScriptedProvider() as provider:
        silent = provider.target("silent", Hang())
        urls = {
            "good": provider.target("good", Answer()).url,
            "silent": silent.url,
            "endless": (await endless.start(endless.speak)).removesuffix("/x"),
        }
        file = tmp_path_factory.mktemp("settings") / "stormproof.toml"
        file.write_text(_settings(urls))
        with running("--config", str(file), "--max-body-bytes", str(MOST_BODY)) as server:
            yield Gateway(int(server.url.rpartition(":")[2]), silent, endless)
    endless.stop()


def _settings(urls: Mapping[str, str]) -> str:
    return "".join(
        f'[providers.{name}]\npreset = "openai-compatible"\nurl = "{url}"\n'
        f'[models.{name}]\nrungs = [{{ provider = "{name}", model = "m" }}]\n'
        for name, url in urls.items()
    )


def asking(
    model: str = "good",
    *,
    stream: bool = False,
    version: str = "1.1",
    body: bytes | None = None,
    **headers: str,
) -> bytes:
    """A request for an answer, as it is sent."""
    asked = {"model": model, "messages": [{"role": "user", "content": "Hi"}], "stream": stream}
    content = json.dumps(asked).encode() if body is None else body
    named = {"host": "x", "content_length": str(len(content)), **headers}
    lines = [f"{name.replace('_', '-')}: {value}\r\n" for name, value in named.items()]
    path = "/v1/chat/completions"
    return f"POST {path} HTTP/{version}\r\n{''.join(lines)}\r\n".encode("latin-1") + content


LAST: Final[Any] = {"connection": "close"}


def parted(received: bytes) -> tuple[int, dict[str, str], bytes]:
    """Return the status, the headers and the body of an answer."""
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    return int(first.split()[1]), dict(line.split(": ", 1) for line in lines), body


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - another process has no event to wait for
        await asyncio.sleep(0.005)


async def test_http_1_0_gets_a_stream_that_ends_with_the_connection(gateway: Gateway) -> None:
    """It does not know chunks."""
    _, headers, body = parted(await gateway.sent(asking(stream=True, version="1.0")))
    assert "transfer-encoding" not in headers
    assert headers["connection"] == "close"
    assert body.startswith(b"data: {")
    assert body.endswith(b"data: [DONE]\n\n")


async def test_http_1_0_gets_a_whole_answer(gateway: Gateway) -> None:
    status, headers, body = parted(await gateway.sent(asking(version="1.0")))
    assert (status, int(headers["content-length"])) == (200, len(body))
    assert json.loads(body)["choices"][0]["message"]["content"] == text_of(32)


async def test_who_waits_for_100_is_told_to_go_on(gateway: Gateway) -> None:
    reader, writer = await gateway.connect()
    head, _, body = asking(expect="100-continue", **LAST).partition(b"\r\n\r\n")
    writer.write(head + b"\r\n\r\n")
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(body)
    assert parted(await reader.read())[0] == 200
    writer.close()


async def test_who_waits_for_100_with_too_much_is_not(gateway: Gateway) -> None:
    """And sends none of it."""
    head = asking(expect="100-continue", body=b"", content_length=str(MOST_BODY + 1))
    status, _, body = parted(await gateway.sent(head))
    assert (status, json.loads(body)["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize("stream", [False, True])
async def test_requests_in_line_are_answered_one_after_another(
    gateway: Gateway, stream: bool
) -> None:
    received = await gateway.sent(asking(stream=stream) * 3 + asking(**LAST))
    assert received.count(b"HTTP/1.1 200 OK") == 4
    assert received.count(b"data: [DONE]") == 3 * stream


async def test_what_is_not_http_does_not_cost_who_asked_before_his_answer(gateway: Gateway) -> None:
    """It ends the connection; where the next request would begin is unknown."""
    status, _, body = parted(await gateway.sent(asking() + b"\x16\x03\x01 hello\r\n\r\n"))
    assert status == 200
    assert json.loads(body)["choices"][0]["message"]["content"] == text_of(32)


async def test_a_body_that_is_not_http_is_refused(gateway: Gateway) -> None:
    """At once: its end cannot be waited for."""
    head = asking(body=b"", content_length="").replace(b"content-length: ", b"x: ")
    wire = head[:-2] + b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\nXYZ\r\n"
    status, _, body = parted(await gateway.sent(wire))
    assert (status, json.loads(body)["error"]["code"]) == (400, "INVALID_REQUEST")


async def test_a_head_without_an_end_is_refused(gateway: Gateway) -> None:
    """It is not kept."""
    reader, writer = await gateway.connect()
    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n")
    received = b""
    while not received:
        writer.write(b"x-more: " + b"y" * (MOST_HEAD // 8) + b"\r\n")
        await writer.drain()
        received = await _soon(reader)
    status, _, body = parted(received)
    assert (status, json.loads(body)["error"]["code"]) == (400, "INVALID_REQUEST")
    writer.close()


async def _soon(reader: asyncio.StreamReader) -> bytes:
    try:
        return await asyncio.wait_for(reader.read(65536), 0.02)
    except TimeoutError:
        return b""


@pytest.mark.parametrize(
    "offer",
    [
        {"connection": "Upgrade, HTTP2-Settings", "upgrade": "h2c", "http2_settings": "AAMAAABk"},
        {"connection": "Upgrade", "upgrade": "websocket", "sec_websocket_version": "13"},
    ],
    ids=["h2c", "websocket"],
)
async def test_offers_to_speak_something_else_are_ignored(gateway: Gateway, offer: Any) -> None:
    """Some clients make one with every request, and its body is in HTTP/1.1 all the same."""
    received = await gateway.sent(asking(**offer) + asking(**LAST))
    assert received.count(b"HTTP/1.1 200 OK") == 2
    assert received.count(text_of(32).encode()) == 2


async def test_an_offer_does_not_make_http_1_0_another(gateway: Gateway) -> None:
    """Its stream still has no chunks."""
    offer: Any = {"connection": "Upgrade", "upgrade": "h2c"}
    received = await gateway.sent(asking(stream=True, version="1.0", **offer))
    assert parted(received)[2].startswith(b"data: {")


async def test_nobody_is_connected_to_others(gateway: Gateway) -> None:
    status, _, body = parted(await gateway.sent(b"CONNECT x:443 HTTP/1.1\r\nhost: x\r\n\r\n"))
    assert (status, json.loads(body)["error"]["code"]) == (400, "INVALID_REQUEST")


async def test_a_compressed_body_is_refused_as_that(gateway: Gateway) -> None:
    body = gzip.compress(b"{}")
    status, _, told = parted(await gateway.sent(asking(body=body, content_encoding="gzip")))
    error = json.loads(told)["error"]
    assert (status, error["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert "gzip" in error["message"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "text/json"])
async def test_a_web_page_cannot_spend_what_it_could_not_read(gateway: Gateway, kind: str) -> None:
    """For bodies of these kinds browsers do not ask a server first what pages may send to it."""
    page: Any = {"origin": "http://evil.example", "content_type": kind}
    status, _, told = parted(await gateway.sent(asking(**page)))
    assert (status, json.loads(told)["error"]["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")


async def test_other_clients_need_not_say_that_it_is_json(gateway: Gateway) -> None:
    """What curl sends with ``-d`` alone is called a form."""
    received = await gateway.sent(asking(content_type="application/x-www-form-urlencoded", **LAST))
    assert parted(received)[0] == 200


@pytest.mark.parametrize("given", ["a b", "a\tb", "ü", "x" * 65, "", "a\r\nx-evil: 1"])
async def test_only_a_plain_request_id_comes_back(gateway: Gateway, given: str) -> None:
    """What could be a header of its own, or fill a log, is replaced."""
    _, headers, _ = parted(await gateway.sent(asking(x_request_id=given, **LAST)))
    assert re.fullmatch(r"req_[0-9a-f]{24}|a", headers["x-request-id"])
    assert "x-evil" not in headers


async def _leave(writer: asyncio.StreamWriter) -> None:
    writer.close()


async def _abort(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def _half_close(writer: asyncio.StreamWriter) -> None:
    writer.write_eof()


@pytest.mark.parametrize("leave", [_leave, _abort, _half_close])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("in_line", [1, 3])
async def test_nobody_works_for_who_has_left(
    gateway: Gateway,
    leave: Callable[[asyncio.StreamWriter], Awaitable[None]],
    stream: bool,
    in_line: int,
) -> None:
    """The call is given up, also with more requests in line, for which none is made.

    Who closes his side alone cannot be told from who closes both.
    """
    silent = gateway.silent
    calls, abandoned = silent.calls, silent.abandoned
    _, writer = await gateway.connect()
    writer.write(asking("silent", stream=stream) * in_line)
    await until(lambda: silent.calls > calls)
    await leave(writer)
    await until(lambda: silent.abandoned > abandoned)
    assert silent.calls == calls + 1
    writer.close()


async def test_half_a_request_is_not_a_bad_one(gateway: Gateway) -> None:
    """Its client left, and that is what is counted."""
    before = left, refused = await gateway.counted(499), await gateway.counted(400)
    _, writer = await gateway.connect()
    writer.write(asking()[:-5])
    await writer.drain()
    writer.close()
    after = before
    while after == before:
        after = await gateway.counted(499), await gateway.counted(400)
    assert after == (left + 1, refused)


async def test_who_reads_slowly_is_not_read_for(gateway: Gateway) -> None:
    """A provider that never ends is held still, instead of filling the memory."""
    reader, writer = await gateway.connect()
    writer.write(asking("endless", stream=True))
    await reader.readuntil(b"\n\n")
    await gateway.endless.over.wait()
    assert gateway.endless.written < FLOOD
    writer.close()
