"""What requests pass before anybody is asked: in every dialect, whole and in pieces."""

import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

import httpx2
import msgspec
import pytest

from stormproof.engine import AsyncLLM
from stormproof.errors import RateLimitExceeded
from stormproof.gateway.entrance import Entrance
from stormproof.providers import (
    ChatRequest,
    Chunk,
    Completion,
    HttpClient,
    LadderBuilder,
    ModelsFile,
    Usage,
)
from stormproof.reflex import (
    Answered,
    CacheUse,
    Call,
    Changed,
    Companion,
    Ending,
    OnFailure,
    Outcome,
    Passed,
    Reflex,
    Rejected,
    Step,
)
from stormproof.reflex.passages import passages, rewritten
from stormproof.reflex.settings import Lines, ReflexTables
from stormproof.testing.provider import (
    Answer,
    Break,
    Broken,
    Reply,
    Said,
    ScriptedProvider,
    ScriptedTarget,
)
from stormproof.testing.provider import Step as Play
from support.ladder_server import serving_ladders
from support.scripted_engine import make_core

CHAT, TEXT, MESSAGES, RESPONSES, VECTORS = (
    *("/v1/chat/completions", "/v1/completions", "/v1/messages"),
    *("/v1/responses", "/v1/embeddings"),
)
SECRET = "471147114711"


class Hiding(Companion):
    """Puts a number back into answers, and shouts it."""

    private = True

    def __init__(self) -> None:
        self.endings: list[Ending] = []

    def headers(self) -> Mapping[bytes, bytes]:
        return {b"x-hidden": b"1"}

    def whole(self, answer: Completion) -> Completion:
        text = json.dumps(answer.document).replace("<N>", SECRET)
        return Completion(json.loads(text), answer.usage)

    def piece(self, chunk: Chunk) -> Iterable[Chunk]:
        """Say everything twice as slowly: a piece that has a text comes in two."""
        if not chunk.text:
            return [chunk]
        text = chunk.text.replace("<N>", SECRET)
        first = msgspec.structs.replace(chunk, delta={**chunk.delta, "content": text[:1]})
        return [first, Chunk(chunk.index, {"content": text[1:]})] if text[1:] else [first]

    async def settle(self, ending: Ending) -> None:
        self.endings.append(ending)


class Stage:
    """Does what a test says, by the first text of a request; hides a number otherwise."""

    name = "scripted"

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.companion = Hiding()

    async def enter(self, call: Call) -> Outcome:
        self.calls.append(call)
        first = passages(call.request)[0].text
        if "reject" in first:
            left = "x-ratelimit-remaining-requests: 0"
            return Rejected(RateLimitExceeded(limit=1, retry_after=7, headers=left))
        if "answer" in first:
            message = {"role": "assistant", "content": "kept"}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            return Answered(Completion({"choices": [choice]}, Usage(1, 1)))
        if "fail" in first:
            raise RuntimeError(SECRET)
        return self._hidden(call)

    def _hidden(self, call: Call) -> Outcome:
        texts = {
            one.place: one.text.replace(SECRET, "<N>")
            for one in passages(call.request)
            if SECRET in one.text
        }
        if not texts:
            return Passed(self.companion)
        kind: Any = type(call.request)
        return Changed(kind(rewritten(call.request.document, texts)), self.companion)


class House:
    """A gateway with a stage in front of a provider that repeats what it was told."""

    def __init__(self, stage: Stage, target: ScriptedTarget, client: httpx2.AsyncClient) -> None:
        self.stage = stage
        self.target = target
        self.client = client

    async def ask(self, path: str, text: str, **more: Any) -> httpx2.Response:
        return await self.client.post(path, json={**_question(path, text), **more})


def _question(path: str, text: str) -> dict[str, Any]:
    asked: dict[str, dict[str, Any]] = {
        TEXT: {"prompt": text},
        RESPONSES: {"input": text},
        VECTORS: {"model": "vectors", "input": text},
    }
    said = {"messages": [{"role": "user", "content": text}], "max_tokens": 50}
    return {"model": "chat", **asked.get(path, said)}


def echo(conversation: Any) -> Reply:
    said: Said = conversation[-1]
    return Reply(f"You said: {said.text}")


def reflex(stage: Stage, on_failure: OnFailure = OnFailure.CLOSED) -> Entrance:
    line = Reflex([Step(stage, on_failure)])
    return Entrance(Lines(ReflexTables(), lambda _: line))


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def serve(
    stack: AsyncExitStack,
    *,
    on_failure: OnFailure = OnFailure.CLOSED,
    steps: Sequence[Play] = (),
) -> House:
    provider = await stack.enter_async_context(ScriptedProvider())
    target = provider.target("p", *steps, says=echo)
    rung, other = ({"provider": "p", "model": name} for name in ("m", "m2"))
    at = {"preset": "openai-compatible", "url": target.url, "completions": True}
    models = ModelsFile.model_validate(
        {
            "providers": {"p": at},
            "models": {"chat": {"rungs": [rung, other]}},
            "embeddings": {"vectors": {"rungs": [rung]}},
        }
    )
    http, stage = HttpClient(), Stage()
    stack.callback(http.close)
    builder = LadderBuilder(models, http, {})
    url = await stack.enter_async_context(
        serving_ladders(
            builder.ladders(),
            embeddings=builder.embedding_ladders(),
            keys=(),
            entrance=reflex(stage, on_failure),
        )
    )
    client = await stack.enter_async_context(httpx2.AsyncClient(base_url=url, timeout=None))
    return House(stage, target, client)


def said(path: str, response: httpx2.Response) -> str:
    """The text of an answer, whole or in pieces."""
    if response.headers["content-type"].startswith("text/event-stream"):
        return "".join(_pieces(path, response.text))
    document = response.json()
    match path:
        case "/v1/chat/completions":
            return str(document["choices"][0]["message"]["content"])
        case "/v1/completions":
            return str(document["choices"][0]["text"])
        case "/v1/messages":
            return str(document["content"][0]["text"])
    return str(document["output"][0]["content"][0]["text"])


def _pieces(path: str, stream: str) -> Iterable[str]:
    for line in stream.splitlines():
        if not line.startswith("data: {"):
            continue
        event = json.loads(line.removeprefix("data: "))
        match path:
            case "/v1/chat/completions":
                yield from (one["delta"].get("content") or "" for one in event["choices"])
            case "/v1/completions":
                yield from (one["text"] for one in event["choices"])
            case "/v1/messages":
                yield event.get("delta", {}).get("text", "")
            case _:
                is_text = event["type"] == "response.output_text.delta"
                yield event["delta"] if is_text else ""


CONVERSING = pytest.mark.parametrize("path", [CHAT, TEXT, MESSAGES, RESPONSES])
STREAMED = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


@CONVERSING
@STREAMED
async def test_a_model_gets_what_stages_left_and_the_caller_his_own_words(
    stack: AsyncExitStack, path: str, stream: bool
) -> None:
    house = await serve(stack)
    response = await house.ask(path, f"my number is {SECRET}, you see", stream=stream)
    assert said(path, response) == f"You said: my number is {SECRET}, you see"
    assert SECRET.encode() not in house.target.body
    assert response.headers["x-hidden"] == "1"
    [ending] = house.stage.companion.endings
    assert ending.error is None
    assert ending.private
    assert ending.usage is not None
    assert ending.usage.completion_tokens


@CONVERSING
@STREAMED
async def test_what_a_stage_answers_nobody_else_is_asked(
    stack: AsyncExitStack, path: str, stream: bool
) -> None:
    house = await serve(stack)
    response = await house.ask(path, "answer this", stream=stream)
    assert said(path, response) == "kept"
    assert house.target.calls == 0
    assert response.headers["x-stormproof-rung"] == "scripted"
    assert response.headers["x-stormproof-attempts"] == "0"


@pytest.mark.parametrize("path", [CHAT, TEXT, MESSAGES, RESPONSES, VECTORS])
@STREAMED
async def test_what_a_stage_rejects_is_refused_with_the_headers_of_its_error(
    stack: AsyncExitStack, path: str, stream: bool
) -> None:
    house = await serve(stack)
    more = {"stream": stream} if path is not VECTORS else {}
    response = await house.ask(path, "reject this", **more)
    assert response.status_code == 429
    assert response.headers["retry-after"] == "7"
    assert response.headers["x-ratelimit-remaining-requests"] == "0"
    assert house.target.calls == 0


async def test_texts_are_embedded_as_stages_left_them(stack: AsyncExitStack) -> None:
    house = await serve(stack)
    response = await house.ask(VECTORS, f"number {SECRET}")
    assert response.json()["data"][0]["embedding"]
    assert json.loads(house.target.body)["input"] == ["number <N>"]
    assert house.stage.companion.endings[0].usage == Usage(
        response.json()["usage"]["prompt_tokens"]
    )


async def test_a_stage_that_fails_closed_turns_away_and_keeps_why_to_itself(
    stack: AsyncExitStack,
) -> None:
    house = await serve(stack)
    response = await house.ask(CHAT, "fail here")
    assert response.status_code == 503
    assert SECRET not in response.text
    assert house.target.calls == 0


async def test_a_stage_that_fails_open_is_named_with_the_answer(stack: AsyncExitStack) -> None:
    house = await serve(stack, on_failure=OnFailure.OPEN)
    response = await house.ask(CHAT, "fail here")
    assert said(CHAT, response) == "You said: fail here"
    assert response.headers["x-stormproof-skipped"] == "scripted"


async def test_stages_hear_who_asks_and_what_he_wants_of_kept_answers(
    stack: AsyncExitStack,
) -> None:
    house = await serve(stack)
    house.client.headers["cache-control"] = "no-store"
    await house.ask(CHAT, "hello", user="ann")
    [call] = house.stage.calls
    assert (call.caller.user, call.caller.address) == ("ann", "127.0.0.1")
    assert call.cache_use is CacheUse.NONE


async def test_a_stream_that_begins_again_passes_the_stages_again(stack: AsyncExitStack) -> None:
    """And its client is told that it does."""
    house = await serve(stack, steps=[Broken(Break.CUT, 2), Answer()])
    house.client.headers["x-stormproof-stream"] = "restart"
    response = await house.ask(CHAT, f"number {SECRET}", stream=True)
    before, mark, after = response.text.partition('"restarted":true')
    assert mark
    assert "".join(_pieces(CHAT, before[: before.rindex("data: ")]))
    again = before[before.rindex("data: ") :] + mark + after
    assert "".join(_pieces(CHAT, again)) == f"You said: number {SECRET}"


async def test_who_leaves_amid_a_stream_has_what_was_taken_given_back(
    stack: AsyncExitStack,
) -> None:
    house = await serve(stack)
    question = {**_question(CHAT, "word " * 2000), "stream": True}
    async with house.client.stream("POST", CHAT, json=question) as response:
        await anext(response.aiter_lines())
    while not house.stage.companion.endings:
        await house.ask(CHAT, "answer this")  # until the server has seen it
    assert house.stage.companion.endings


@pytest.mark.parametrize("path", [CHAT, TEXT, MESSAGES, RESPONSES])
async def test_the_model_of_this_process_is_behind_the_stages_too(path: str) -> None:
    """Its own routes know nothing of them."""
    engine, stage = AsyncLLM(make_core()), Stage()
    async with (
        serving_ladders({}, engine, keys=(), entrance=reflex(stage)) as url,
        httpx2.AsyncClient(base_url=url, timeout=None) as client,
    ):
        house = House(stage, ScriptedTarget(""), client)
        short = {"max_output_tokens" if path is RESPONSES else "max_tokens": 2}
        answered = await house.ask(path, "hello", model="local", **short)
        refused = await house.ask(path, "reject this", model="local", **short)
    engine.close()
    assert (answered.status_code, refused.status_code) == (200, 429)
    assert answered.headers["x-hidden"] == "1"
    assert [type(call.request) is ChatRequest for call in stage.calls] == [path is not TEXT] * 2


@pytest.mark.parametrize("path", [CHAT, TEXT, VECTORS])
@pytest.mark.parametrize("odd", ["%0A", "%0a?x=1", "%0D", "/", "//", "%2F", ";x", "%00"])
async def test_no_spelling_of_a_path_leads_past_the_stages(path: str, odd: str) -> None:
    """The framework takes a path with an end of a line for the same."""
    engine, stage = AsyncLLM(make_core()), Stage()
    async with (
        serving_ladders({}, engine, keys=(), entrance=reflex(stage)) as url,
        httpx2.AsyncClient(base_url=url, timeout=None) as client,
    ):
        asked = {**_question(path, "reject this"), "model": "local"}
        response = await client.post(path + odd, json=asked, follow_redirects=True)
    engine.close()
    assert response.status_code in {404, 429}
