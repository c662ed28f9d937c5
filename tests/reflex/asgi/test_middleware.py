"""The reflex in front of applications that know nothing of it."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from typing import Any

import httpx2
import msgspec
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse

from stormproof.errors import PiiDetected, RateLimitExceeded
from stormproof.providers import Chunk, Completion, Usage
from stormproof.reflex import (
    Answered,
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
from stormproof.reflex.asgi import ReflexMiddleware
from stormproof.reflex.passages import with_texts

CHAT, TEXT, VECTORS = "/v1/chat/completions", "/v1/completions", "/v1/embeddings"
USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}


class Shouting(Companion):
    """Has answers in capitals, and one more piece at the end."""

    def __init__(self) -> None:
        self.endings: list[Ending] = []

    def headers(self) -> dict[bytes, bytes]:
        return {b"x-shouted": b"1"}

    def whole(self, answer: Completion) -> Completion:
        if "forbidden" in answer.text:
            raise PiiDetected(pattern="email")
        [choice] = answer.choices
        message = {**choice["message"], "content": answer.text.upper()}
        return Completion(
            {**answer.document, "choices": [{**choice, "message": message}]}, answer.usage
        )

    def piece(self, chunk: Chunk) -> Iterable[Chunk]:
        if "forbidden" in chunk.text:
            raise PiiDetected(pattern="email")
        if not chunk.text:
            return [chunk]
        return [
            msgspec.structs.replace(chunk, delta={**chunk.delta, "content": chunk.text.upper()})
        ]

    def rest(self) -> Iterable[Chunk]:
        return [Chunk(delta={"content": "!"})]

    async def settle(self, ending: Ending) -> None:
        self.endings.append(ending)


class Stage:
    name = "scripted"

    def __init__(self) -> None:
        self.companion = Shouting()
        self.calls: list[Call] = []

    async def enter(self, call: Call) -> Outcome:
        self.calls.append(call)
        [passage] = call.passages
        if passage.text == "reject":
            left = "x-ratelimit-remaining-requests: 0"
            return Rejected(RateLimitExceeded(retry_after=7, headers=left))
        if passage.text == "answer":
            choice = {"index": 0, "message": {"content": "kept"}, "finish_reason": "stop"}
            return Answered(Completion({"choices": [choice]}, Usage(1, 2)))
        if passage.text == "change":
            return Changed(with_texts(call.request, {passage.place: "changed"}), self.companion)
        return Passed(self.companion)


async def repeat(request: Request) -> Any:
    """Say what was asked, by the API that was asked."""
    asked = await request.json()
    if "input" in asked:
        return JSONResponse({"object": "list", "data": [asked["input"]], "usage": USAGE})
    of_text = "prompt" in asked
    text = asked["prompt"] if of_text else asked["messages"][-1]["content"]
    if text == "page":
        return PlainTextResponse("Come back later.", status_code=503)
    if text == "odd":
        return JSONResponse({"strange": True})
    words = [f"{word} " for word in text.split()]

    def choice(said: str, **delta: Any) -> dict[str, Any]:
        return {"index": 0, **({"text": said} if of_text else delta), "finish_reason": None}

    async def events() -> AsyncIterator[str]:
        for word in words:
            document = {"id": "1", "choices": [choice(word, delta={"content": word})]}
            yield f"data: {json.dumps(document)}\n\n"
        yield 'event: ping\ndata: {"choices": "none"}\n\n'
        yield f"data: {json.dumps({'id': '1', 'choices': [], 'usage': USAGE})}\n\ndata: [DONE]\n\n"

    if asked.get("stream"):
        return StreamingResponse(events(), media_type="text/event-stream")
    whole = choice(text, message={"role": "assistant", "content": text})
    return JSONResponse({"id": "1", "choices": [whole], "usage": USAGE})


class House:
    def __init__(self, client: httpx2.AsyncClient, stage: Stage) -> None:
        self.client = client
        self.stage = stage

    async def ask(self, text: str, path: str = CHAT, **more: Any) -> httpx2.Response:
        said: Any = {
            CHAT: {"messages": [{"role": "user", "content": text}]},
            TEXT: {"prompt": text},
            VECTORS: {"input": text},
        }[path]
        return await self.client.post(path, json={"model": "m", **said, **more})


@pytest.fixture
async def house() -> AsyncIterator[House]:
    app, stage = FastAPI(), Stage()
    for path in (CHAT, TEXT, VECTORS, "/other"):
        app.add_api_route(path, repeat, methods=["POST"], response_model=None)
    reflex = Reflex([Step(stage, OnFailure.CLOSED)])
    app.add_middleware(ReflexMiddleware, reflex=reflex, max_body_bytes=2000, max_answer_bytes=2000)
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://app") as client:
        yield House(client, stage)


def text_of(document: dict[str, Any]) -> str:
    [choice] = document["choices"]
    return str(choice["text"] if "text" in choice else choice["message"]["content"])


def pieces(response: httpx2.Response) -> list[dict[str, Any]]:
    lines = [line[6:] for line in response.text.splitlines() if line.startswith("data: {")]
    return [json.loads(line) for line in lines]


def said(response: httpx2.Response) -> str:
    choices = [choice for event in pieces(response) for choice in event["choices"] or ()]
    return "".join(
        one["text"] if "text" in one else one["delta"]["content"]
        for one in choices
        if isinstance(one, dict)
    )


@pytest.mark.parametrize("path", [CHAT, TEXT])
async def test_an_answer_is_sent_as_the_stages_leave_it(house: House, path: str) -> None:
    response = await house.ask("change", path)
    assert text_of(response.json()) == "CHANGED"
    assert response.json()["id"] == "1"
    assert response.headers["x-shouted"] == "1"
    [ending] = house.stage.companion.endings
    assert (ending.usage, ending.error) == (Usage(3, 4), None)


@pytest.mark.parametrize("path", [CHAT, TEXT])
async def test_so_is_a_stream_and_what_is_left_to_say_comes_before_its_end(
    house: House, path: str
) -> None:
    response = await house.ask("one two", path, stream=True)
    assert said(response) == "ONE TWO !"
    assert response.text.endswith("data: [DONE]\n\n")
    assert 'event: ping\ndata: {"choices": "none"}' in response.text
    assert [event["usage"] for event in pieces(response) if event.get("usage")] == [USAGE]
    assert house.stage.companion.endings[0].usage == Usage(3, 4)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", [CHAT, TEXT])
async def test_what_a_stage_answers_the_application_is_not_asked(
    house: House, path: str, stream: bool
) -> None:
    response = await house.ask("answer", path, stream=stream)
    assert (said(response) if stream else text_of(response.json())) == "kept"


async def test_what_a_stage_rejects_is_an_error_as_openais_are(house: House) -> None:
    response = await house.ask("reject")
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (429, "RATE_LIMIT_EXCEEDED")
    assert response.headers["retry-after"] == "7"
    assert response.headers["x-ratelimit-remaining-requests"] == "0"


async def test_texts_to_embed_pass_too(house: House) -> None:
    response = await house.ask("change", VECTORS)
    assert response.json()["data"] == ["changed"]
    assert house.stage.companion.endings[0].usage == Usage(3, 4)


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_that_its_caller_is_not_to_have_is_not_sent(
    house: House, stream: bool
) -> None:
    """In a stream, only what came before."""
    response = await house.ask("go forbidden words", stream=stream)
    assert "forbidden" not in response.text.lower()
    assert "PII_DETECTED" in response.text
    assert response.status_code == (200 if stream else 400)
    [ending] = house.stage.companion.endings
    assert isinstance(ending.error, PiiDetected)


@pytest.mark.parametrize(("text", "status"), [("page", 503), ("odd", 200)])
async def test_what_is_no_answer_passes_as_it_is(house: House, text: str, status: int) -> None:
    response = await house.ask(text)
    assert response.status_code == status
    assert response.text in {"Come back later.", '{"strange":true}'}
    assert bool(house.stage.companion.endings[0].error) == (status != 200)


async def test_other_paths_pass_as_they_are(house: House) -> None:
    response = await house.client.post("/other", json={"prompt": "reject"})
    assert text_of(response.json()) == "reject"
    assert not house.stage.calls


async def test_what_cannot_be_read_does_not_get_past(house: House) -> None:
    """Or whoever wants around the stages would send that."""
    broken = await house.client.post(CHAT, content=b"{")
    slashed = await house.client.post(f"{CHAT}/", content=b"{")
    large = await house.ask("x" * 2000)
    packed = await house.client.post(CHAT, content=b"{", headers={"content-encoding": "gzip"})
    refused = (broken, slashed, large, packed)
    assert [one.status_code for one in refused] == [400, 400, 413, 415]


async def test_an_answer_that_is_too_long_to_be_looked_at_is_not_sent(house: House) -> None:
    response = await house.ask("x" * 1900)
    assert response.status_code == 502
    assert "xxx" not in response.text


async def test_a_client_who_leaves_has_the_application_stopped() -> None:
    """As without us: it hears of it where it listens."""
    heard: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        heard.extend([(await receive())["type"] for _ in range(2)])

    sent = [{"type": "http.request", "body": b'{"model": "m", "prompt": "a"}'}]

    async def receive() -> Any:
        await asyncio.sleep(0)
        return sent.pop() if sent else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        raise AssertionError

    scope = {"type": "http", "method": "POST", "path": TEXT, "headers": []}
    await ReflexMiddleware(app, reflex=Reflex())(scope, receive, send)
    assert heard == ["http.request", "http.disconnect"]


@pytest.mark.parametrize("path", [f"{CHAT}%0A", f"{CHAT}/", f"{CHAT}/%0A"])
async def test_no_spelling_of_a_path_leads_past_the_stages(house: House, path: str) -> None:
    """The application may take it for the same."""
    asked = {"model": "m", "messages": [{"role": "user", "content": "reject"}]}
    response = await house.client.post(path, json=asked)
    assert response.status_code == 429
