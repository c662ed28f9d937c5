"""A scripted provider speaks OpenAI's API on a real socket, and fails exactly as it was told."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlsplit

import httptools
import pytest
from openai import AsyncOpenAI

from stormproof.testing.provider import (
    Answer,
    Break,
    Broken,
    Hang,
    Page,
    Refusal,
    Reset,
    ScriptedProvider,
    ScriptedTarget,
    SlowHead,
    Step,
    text_of,
)

QUESTION = {"role": "user", "content": 'Say "stream": true.'}


@pytest.fixture
async def provider() -> AsyncIterator[ScriptedProvider]:
    async with ScriptedProvider() as it:
        yield it


class Received:
    """What came back, as far as it came."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.complete = False
        self.was_reset = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode()] = value.decode()

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete = True

    @property
    def events(self) -> list[str]:
        return [line[6:] for line in self.body.decode().splitlines() if line.startswith("data: ")]

    @property
    def text(self) -> str:
        documents = [json.loads(event) for event in self.events if event.endswith("}")]
        choices = [document["choices"][0] for document in documents if document.get("choices")]
        return "".join(choice["delta"].get("content", "") for choice in choices)


class Client:
    """A connection to a target."""

    def __init__(self, target: ScriptedTarget) -> None:
        self._address = urlsplit(target.url)

    async def ask(self, **fields: Any) -> None:
        """Send a request, on the connection that there is."""
        if not hasattr(self, "writer"):
            host, port = self._address.hostname, self._address.port
            self.reader, self.writer = await asyncio.open_connection(host, port)
        body = json.dumps({"model": "m", "messages": [QUESTION], **fields}).encode()
        path = f"{self._address.path}/chat/completions"
        head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
        self.writer.write(head.encode() + body)

    async def receive(self) -> Received:
        """Read until an answer is complete, or the connection ends."""
        received = Received()
        parser = httptools.HttpResponseParser(received)
        while not received.complete:
            try:
                data = await self.reader.read(65536)
            except ConnectionResetError:
                received.was_reset = True
                return received
            if not data:
                return received
            parser.feed_data(data)
            received.status = parser.get_status_code()
        return received


async def asked(target: ScriptedTarget, **fields: Any) -> Received:
    client = Client(target)
    await client.ask(**fields)
    received = await client.receive()
    client.writer.close()
    return received


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - a socket has no event to wait for
        await asyncio.sleep(0)


async def test_the_official_client_is_answered(provider: ScriptedProvider) -> None:
    """At once, and as a stream that counts its tokens if asked to."""
    target = provider.target("a", Answer(3))
    async with AsyncOpenAI(base_url=target.url, api_key="none", max_retries=0) as client:
        messages: Any = [QUESTION]
        whole = await client.chat.completions.create(model="m", messages=messages)
        stream = await client.chat.completions.create(
            model="m", messages=messages, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
    assert whole.choices[0].message.content == text_of(3) == "w0 w1 w2 "
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == text_of(3)
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert whole.usage == chunks[-1].usage
    assert whole.usage is not None
    assert whole.usage.completion_tokens == 3


async def test_steps_are_done_in_order_and_the_last_repeats(provider: ScriptedProvider) -> None:
    """Every target has its own script and its own count, over all connections."""
    target = provider.target("a", Refusal(500), Refusal(429, retry_after=3), Answer())
    other = provider.target("b")
    client = Client(target)
    answers = []
    for _ in range(4):
        await client.ask()
        answers.append(await client.receive())
    assert [answer.status for answer in answers] == [500, 429, 200, 200]
    assert [answer.headers.get("retry-after") for answer in answers[:2]] == [None, "3"]
    assert json.loads(answers[1].body)["error"]["type"] == "rate_limit_error"
    assert (target.calls, other.calls) == (4, 0)
    client.writer.close()


async def test_a_new_script_counts_from_zero(provider: ScriptedProvider) -> None:
    """At the same address."""
    before = provider.target("a", Refusal(500))
    await asked(before)
    after = provider.target("a")
    assert (await asked(before)).status == 200
    assert (before.calls, after.calls) == (1, 1)
    assert json.loads(after.body)["messages"] == [QUESTION]


@pytest.mark.parametrize(
    "step", [Answer(delay=0.001), Answer(pace=0.001), SlowHead(0.01)], ids=["late", "paced", "head"]
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_slow_answer_is_the_same_answer(
    step: Step, provider: ScriptedProvider, *, stream: bool
) -> None:
    """Byte for byte."""
    quick = await asked(provider.target("quick"), stream=stream)
    slow = await asked(provider.target("slow", step), stream=stream)
    assert slow.complete
    assert (slow.headers, slow.body) == (quick.headers, quick.body)


async def test_a_paced_stream_comes_piece_by_piece(provider: ScriptedProvider) -> None:
    """The first token is there long before the last."""
    client = Client(provider.target("a", Answer(2, pace=3600)))
    await client.ask(stream=True)
    assert b"w0 " in await client.reader.readuntil(b"w0 ")
    client.writer.close()


async def test_an_answer_that_was_begun_is_continued(provider: ScriptedProvider) -> None:
    """The assistant's last message is the beginning, also when an instruction follows it."""
    target = provider.target("a", Answer(4))
    begun = [QUESTION, {"role": "assistant", "content": "w0 w1"}]
    assert (await asked(target, messages=begun, stream=True)).text == " w2 w3 "
    whole = await asked(target, messages=[*begun, QUESTION])
    assert json.loads(whole.body)["choices"][0]["message"]["content"] == " w2 w3 "
    other = [{"role": "assistant", "content": "something else"}, QUESTION]
    assert (await asked(target, messages=other, stream=True)).text == text_of(4)


@pytest.mark.parametrize(
    ("how", "ends", "text"),
    [
        (Break.CUT, "reset", text_of(3)),
        (Break.END, "complete", text_of(3)),
        (Break.ERROR, "complete", text_of(3)),
        (Break.GARBAGE, "complete", text_of(32)),
    ],
)
async def test_a_stream_breaks_after_some_tokens(
    how: Break, ends: str, text: str, provider: ScriptedProvider
) -> None:
    """Up to there it is good."""
    received = await asked(provider.target("a", Broken(how, 3)), stream=True)
    assert (received.complete, received.was_reset) == (ends == "complete", ends == "reset")
    assert received.text == text
    assert ("[DONE]" in received.events) == (how is Break.GARBAGE)
    assert any("error" in event for event in received.events) == (how is Break.ERROR)
    unreadable = [event for event in received.events if event[-1] not in "}]"]
    assert bool(unreadable) == (how in {Break.CUT, Break.GARBAGE})


@pytest.mark.parametrize("how", Break)
async def test_an_answer_that_is_not_streamed_lacks_its_end(
    how: Break, provider: ScriptedProvider
) -> None:
    """Its length promised more."""
    target = provider.target("a", Broken(how))
    client = Client(target)
    await client.ask()
    if how is Break.STALL:
        assert b"w0 " in await client.reader.readuntil(b"w0 ")
        client.writer.close()
        await until(lambda: target.abandoned == 1)
        return
    received = await client.receive()
    assert len(received.body) < int(received.headers["content-length"])
    assert received.was_reset == (how is Break.CUT)
    assert target.abandoned == 0
    client.writer.close()


@pytest.mark.parametrize("step", [Hang(), Broken(Break.STALL), Answer(delay=3600)])
async def test_who_leaves_before_the_end_is_counted(step: Step, provider: ScriptedProvider) -> None:
    """Who has the whole answer and leaves is not."""
    target = provider.target("a", Answer(), step)
    await asked(target)
    client = Client(target)
    await client.ask(stream=True)
    await client.writer.drain()
    await until(lambda: target.calls == 2)
    assert target.abandoned_at is None
    client.writer.close()
    await until(lambda: target.abandoned == 1)
    assert target.abandoned_at is not None


async def test_a_connection_is_reset(provider: ScriptedProvider) -> None:
    """Before anything is said."""
    target = provider.target("a", Reset())
    received = await asked(target)
    assert (received.was_reset, received.status) == (True, 0)
    assert target.abandoned == 0


async def test_a_page_is_sent_as_it_is(provider: ScriptedProvider) -> None:
    """With a good status."""
    received = await asked(provider.target("a", Page(b"<html>", "text/html")))
    assert (received.status, received.body) == (200, b"<html>")
    assert received.headers["content-type"] == "text/html"


async def test_who_calls_elsewhere_is_told_so(provider: ScriptedProvider) -> None:
    """And counts nowhere; what is not HTTP has no answer."""
    target = provider.target("a")
    elsewhere = ScriptedTarget(target.url.replace("/a/", "/b/"))
    assert (await asked(elsewhere)).status == 404
    address = urlsplit(target.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(b"\x16\x03\x01 hello\r\n\r\n")
    assert await reader.read() == b""
    assert target.calls == 0
    writer.close()
