"""Whoever answers behind a name: the client gets one answer, and is told how it came about."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import openai
import pytest

from stormproof.engine import AsyncLLM
from stormproof.errors import ProviderError, from_wire
from stormproof.providers import (
    Continuation,
    Endpoint,
    FixedAnswer,
    HttpClient,
    Ladder,
    OpenAIModel,
    Rung,
)
from support.ladder_server import KEY, serving_ladders
from support.raw_server import RawServer, request
from support.scripted_engine import make_core

HELLO = [{"role": "user", "content": "Hi"}]


class Gateway:
    """A real server with one ladder, whose rungs are servers of the test's making."""

    def __init__(self) -> None:
        self.client = HttpClient()
        self.upstreams: list[RawServer] = []

    async def rung(self, *answers: bytes, **options: Any) -> Rung:
        """A rung that gives these answers, each on a connection of its own."""
        server, left = self.upstream(), iter(answers)

        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            server.requests.append(await request(reader))
            writer.write(next(left))
            await writer.drain()

        return self.at(await server.start(behave), **options)

    def upstream(self) -> RawServer:
        """Return a server that is stopped in the end."""
        self.upstreams.append(RawServer())
        return self.upstreams[-1]

    def at(self, url: str, **options: Any) -> Rung:
        name = options.pop("name", f"rung-{len(self.upstreams)}")
        ours = options.pop("heeds_deadlines", False)
        endpoint = Endpoint(provider=name, url=url, heeds_deadlines=ours)
        return Rung(OpenAIModel(endpoint, "m", client=self.client), name=name, **options)

    @asynccontextmanager
    async def serving(self, *rungs: Rung) -> AsyncIterator[httpx2.AsyncClient]:
        """Serve them as the model ``chat``."""
        engine = AsyncLLM(make_core())
        headers = {"authorization": f"Bearer {KEY}"}
        async with (
            serving_ladders({"chat": Ladder("chat", rungs)}, engine) as url,
            httpx2.AsyncClient(base_url=url, headers=headers, timeout=None) as client,
        ):
            yield client
        engine.close()
        self.client.close()
        for upstream in self.upstreams:
            upstream.stop()


@pytest.fixture
async def gateway() -> Gateway:
    return Gateway()


def answer(body: bytes, *, status: str = "200 OK", kind: str = "application/json") -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n"
    return f"{head}\r\n".encode() + body


def whole(text: str) -> bytes:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    usage = {"prompt_tokens": 3, "completion_tokens": 4}
    document = {"id": "theirs", "model": "m-1", "choices": [choice], "usage": usage, "extra": 1}
    return answer(json.dumps(document).encode())


def stream(*texts: str, end: bool = True) -> bytes:
    parts = [{"choices": [{"index": 0, "delta": {"content": text}}]} for text in texts]
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    usage = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}}
    documents = [*parts, last, usage] if end else parts
    events = b"".join(b"data: %b\n\n" % json.dumps(one).encode() for one in documents)
    return answer(events + b"data: [DONE]\n\n" * end, kind="text/event-stream")


DOWN = answer(b"{}", status="500 X")


def asked(**fields: Any) -> dict[str, Any]:
    return {"model": "chat", "messages": HELLO, **fields}


async def post(client: httpx2.AsyncClient, **fields: Any) -> httpx2.Response:
    return await client.post("/v1/chat/completions", json=asked(**fields))


def heard(response: httpx2.Response) -> tuple[str, list[dict[str, Any]]]:
    """Return the text of a stream, and its documents; it ended as it has to."""
    lines = [line for line in response.text.split("\n\n") if line]
    assert lines[-1] == "data: [DONE]"
    documents = [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
    deltas = [choice["delta"] for document in documents for choice in document["choices"]]
    return "".join(delta.get("content", "") for delta in deltas), documents


async def test_an_answer_is_passed_on_under_our_name(gateway: Gateway) -> None:
    async with gateway.serving(await gateway.rung(whole("Hello"))) as client:
        response = await post(client, temperature=0.5)
    document = response.json()
    assert document["choices"][0]["message"]["content"] == "Hello"
    assert document["id"].startswith("chatcmpl-")
    assert (document["model"], document["object"]) == ("chat", "chat.completion")
    assert document["usage"]["total_tokens"] == 7
    assert document["extra"] == 1
    assert document["stormproof"] == {"rung": "rung-1", "attempts": 1, "degraded": False}
    sent = json.loads(gateway.upstreams[0].requests[0].partition(b"\r\n\r\n")[2])
    assert (sent["model"], sent["temperature"]) == ("m", 0.5)


@pytest.mark.parametrize("streams", [False, True])
async def test_another_answers_when_the_first_cannot(gateway: Gateway, streams: bool) -> None:
    """And the headers say who it was."""
    good = stream("Hello") if streams else whole("Hello")
    rungs = await gateway.rung(DOWN), await gateway.rung(good)
    async with gateway.serving(*rungs) as client:
        response = await post(client, stream=streams)
    assert response.status_code == 200
    assert response.headers["x-stormproof-rung"] == "rung-2"
    assert response.headers["x-stormproof-attempts"] == "2"
    assert response.headers["x-stormproof-degraded"] == "false"


async def test_a_stream_is_one_stream_whoever_ends_it(gateway: Gateway) -> None:
    """One id, every word once, one end, the tokens of all."""
    rungs = (
        await gateway.rung(stream("Hel", "lo ", end=False)),
        await gateway.rung(stream("world"), continues=Continuation.PREFILL),
    )
    async with gateway.serving(*rungs) as client:
        response = await post(client, stream=True, stream_options={"include_usage": True})
    text, documents = heard(response)
    assert text == "Hello world"
    assert len({document["id"] for document in documents}) == 1
    assert {document["model"] for document in documents} == {"chat"}
    ends = [choice["finish_reason"] for one in documents for choice in one["choices"]]
    assert [end for end in ends if end] == ["stop"]
    assert documents[-1]["usage"] == {
        "prompt_tokens": 1,
        "completion_tokens": 6,
        "total_tokens": 7,
    }


async def test_a_stream_that_nobody_goes_on_with_says_that_it_broke(gateway: Gateway) -> None:
    """It is not said to have stopped."""
    rung = await gateway.rung(stream("Hel", end=False), continues=Continuation.NEVER)
    async with gateway.serving(rung) as client:
        response = await post(client, stream=True)
    events = response.text.split("\n\n")
    assert "[DONE]" not in response.text
    kind, data = events[-2].split("\n")
    assert kind == "event: error"
    assert from_wire(json.loads(data.removeprefix("data: "))).code == "CONNECTION_LOST"


@pytest.mark.parametrize("streams", [False, True])
async def test_when_nobody_can_answer_the_client_is_told_what_to_do(
    gateway: Gateway, streams: bool
) -> None:
    limited = b"HTTP/1.1 429 X\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n"
    rungs = await gateway.rung(DOWN), await gateway.rung(limited)
    async with gateway.serving(*rungs) as client:
        response = await post(client, stream=streams)
    error = from_wire(response.json())
    assert isinstance(error, ProviderError)
    assert response.status_code == error.http_status == 502


async def test_a_last_resort_is_labelled(gateway: Gateway) -> None:
    sorry = Rung(FixedAnswer("Sorry."), degraded=True, continues=Continuation.NEVER)
    async with gateway.serving(await gateway.rung(DOWN), sorry) as client:
        response = await post(client)
    assert response.json()["stormproof"]["degraded"] is True
    assert response.headers["x-stormproof-degraded"] == "true"


@pytest.mark.parametrize("streams", [False, True])
async def test_who_leaves_is_not_worked_for(gateway: Gateway, streams: bool) -> None:
    """The provider's connection is closed, and nobody else is asked."""
    begun, gone, other = asyncio.Event(), asyncio.Event(), gateway.upstream()

    async def behave(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await request(reader)
        begun.set()
        await reader.read()
        gone.set()

    hanging = gateway.at(await gateway.upstream().start(behave), name="hanging")
    spare = gateway.at(await other.answering(whole("no")), name="spare")
    async with gateway.serving(hanging, spare) as client:
        task = asyncio.create_task(post(client, stream=streams))
        await begun.wait()
        task.cancel()
        await gone.wait()
    assert other.connections == 0


async def test_the_deadline_of_the_client_holds(gateway: Gateway) -> None:
    async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    hanging = gateway.at(await gateway.upstream().start(hang))
    async with gateway.serving(hanging) as client:
        response = await client.post(
            "/v1/chat/completions", json=asked(), headers={"x-deadline-ms": "50"}
        )
    assert response.status_code == 504
    error = from_wire(response.json())
    assert error.code == "TIMEOUT_ERROR"
    assert str(error).startswith("the answer timed out")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{", None),
        (b"[]", None),
        (b'{"model": "chat"}', None),
        (b'{"model": "chat", "messages": []}', "messages"),
        (b'{"model": "chat", "messages": [{"role": "user", "content": 1}]}', "messages[0].content"),
    ],
)
async def test_what_is_no_request_is_refused(
    gateway: Gateway, body: bytes, field: str | None
) -> None:
    async with gateway.serving(await gateway.rung(whole("no"))) as client:
        response = await client.post("/v1/chat/completions", content=body)
    assert response.status_code == 400
    error = response.json()["error"]
    assert (error["code"], error["param"]) == ("INVALID_REQUEST", field)
    assert gateway.upstreams[0].connections == 0


async def test_keys_are_asked_for_here_too(gateway: Gateway) -> None:
    async with gateway.serving(await gateway.rung(whole("no"))) as client:
        response = await client.post(
            "/v1/chat/completions", json=asked(), headers={"authorization": "Bearer x"}
        )
    assert response.status_code == 401


async def test_the_local_model_answers_beside(gateway: Gateway) -> None:
    """And every name is listed."""
    async with gateway.serving(await gateway.rung(whole("no"))) as client:
        response = await post(client, model="local", max_tokens=2)
        listed = (await client.get("/v1/models")).json()["data"]
    assert response.status_code == 200
    assert [card["id"] for card in listed] == ["local", "chat"]


async def test_the_client_says_what_becomes_of_a_stream_that_breaks_off(
    gateway: Gateway,
) -> None:
    rungs = await gateway.rung(stream("Hel", end=False)), await gateway.rung(stream("lo"))
    async with gateway.serving(*rungs) as client:
        for policy in ("fail", "what?"):
            headers = {"x-stormproof-stream": policy}
            response = await client.post(
                "/v1/chat/completions", json=asked(stream=True), headers=headers
            )
            if policy == "fail":
                assert "event: error" in response.text
            else:
                assert response.status_code == 400
    assert gateway.upstreams[1].connections == 0


async def test_who_is_one_of_ours_is_told_how_much_time_is_left(gateway: Gateway) -> None:
    rung = await gateway.rung(whole("Hello"), heeds_deadlines=True)
    async with gateway.serving(rung) as client:
        await client.post("/v1/chat/completions", json=asked(), headers={"x-deadline-ms": "9000"})
    [sent] = gateway.upstreams[0].requests
    [left] = re.findall(rb"x-deadline-ms: (\d+)", sent)
    assert 0 < int(left) <= 9000


async def test_a_name_that_nobody_has_is_refused(gateway: Gateway) -> None:
    """With the names that there are."""
    async with gateway.serving(await gateway.rung(whole("no"))) as client:
        response = await post(client, model="nobody")
    assert response.status_code == 404
    assert response.json()["error"]["details"]["available"] == ["local", "chat"]


async def test_the_official_client_understands(gateway: Gateway) -> None:
    """Whole answers, streams that were mended, and errors."""
    rungs = [
        await gateway.rung(whole("Hello"), stream("Hel", end=False), DOWN),
        await gateway.rung(stream("lo"), DOWN),
    ]
    async with gateway.serving(*rungs) as client:
        official = openai.AsyncOpenAI(base_url=f"{client.base_url}/v1", api_key=KEY, max_retries=0)
        create: Callable[..., Any] = official.chat.completions.create
        answer = await create(model="chat", messages=HELLO)
        assert answer.choices[0].message.content == "Hello"
        chunks = [chunk async for chunk in await create(model="chat", messages=HELLO, stream=True)]
        texts = [chunk.choices[0].delta.content or "" for chunk in chunks]
        assert "".join(texts) == "Hello"
        with pytest.raises(openai.InternalServerError) as caught:
            await create(model="chat", messages=HELLO)
        assert caught.value.code == "LLM_API_ERROR"
        await official.close()


async def test_what_an_answer_costs_is_told_where_it_is_known(gateway: Gateway) -> None:
    rung = await gateway.rung(whole("Hello"), price=lambda usage: usage.total_tokens / 2)
    async with gateway.serving(rung) as client:
        response = await post(client)
        assert response.json()["stormproof"]["cost"] == 3.5
        assert response.headers["x-stormproof-cost"] == "3.5"
        metrics = (await client.get("/metrics")).text
        assert 'stormproof_model_cost_total{model="chat",rung="rung-1"} 3.5' in metrics


async def test_what_a_stream_costs_is_told_with_its_tokens(gateway: Gateway) -> None:
    """At its end, with who brought it there."""
    half = {"price": lambda usage: usage.total_tokens / 2}
    rungs = (
        await gateway.rung(stream("Hello", end=False), **half),
        await gateway.rung(stream(" world"), continues=Continuation.PREFILL, **half),
    )
    async with gateway.serving(*rungs) as client:
        response = await post(client, stream=True, stream_options={"include_usage": True})
    _, documents = heard(response)
    told = documents[-1]["stormproof"]
    cost = documents[-1]["usage"]["total_tokens"] / 2
    assert told == {"rung": "rung-2", "attempts": 2, "degraded": False, "cost": cost}
