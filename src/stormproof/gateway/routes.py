"""The OpenAI-compatible routes."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from fastapi import APIRouter, Request, Response, Security
from fastapi.responses import StreamingResponse

from stormproof.engine import AsyncLLM, Output
from stormproof.errors import ModelNotFound
from stormproof.gateway import sse
from stormproof.gateway.answers import AnswerFormat, ChatFormat, TextFormat
from stormproof.gateway.generation import Choice, collect, generate
from stormproof.gateway.openapi import BEARER, ERRORS, EVENT_STREAM
from stormproof.gateway.prompts import Prompts
from stormproof.gateway.schema import ChatRequest, CompletionRequest
from stormproof.gateway.settings import Settings
from stormproof.gateway.wire_errors import seen_by_client
from stormproof.recovery import Deadline, Pipeline

T = TypeVar("T")

_CLIENT_GONE: Final = 499


@dataclass(frozen=True, slots=True)
class _Job:
    """A request that has been understood."""

    choices: Sequence[Choice]
    format: AnswerFormat
    include_usage: bool


class Routes:
    """The routes of one server over one engine.

    Args:
        engine: What answers.
        settings: Limits and defaults.
        model_name: The name under which clients know the model.
    """

    def __init__(self, engine: AsyncLLM, settings: Settings, *, model_name: str) -> None:
        self._engine = engine
        self._model_name = model_name
        self._prompts = Prompts(engine, settings)
        self._generate = Pipeline(Deadline(settings.request_timeout), name="generate")

    def router(self) -> APIRouter:
        """Return the routes, ready to be included in an application."""
        router = APIRouter(prefix="/v1", responses=ERRORS, dependencies=[Security(BEARER)])
        router.add_api_route("/models", self.models, methods=["GET"])
        router.add_api_route("/models/{model:path}", self.model, methods=["GET"])
        for path, endpoint in (
            ("/chat/completions", self.chat),
            ("/completions", self.complete),
        ):
            router.add_api_route(path, endpoint, methods=["POST"], responses=EVENT_STREAM)
        return router

    async def models(self) -> dict[str, Any]:
        """List the models that are served."""
        return {"object": "list", "data": [self._card()]}

    async def model(self, model: str) -> dict[str, Any]:
        """Describe one model."""
        self._check_model(model)
        return self._card()

    async def chat(self, request: Request, body: ChatRequest) -> Response:
        """Answer a conversation."""
        self._check_model(body.model)
        choices = await self._prompts.chat(body)
        return await self._answer(request, body, choices, ChatFormat)

    async def complete(self, request: Request, body: CompletionRequest) -> Response:
        """Continue one or several texts."""
        self._check_model(body.model)
        choices = await self._prompts.complete(body)
        return await self._answer(request, body, choices, TextFormat)

    def _check_model(self, name: str) -> None:
        if name != self._model_name:
            raise ModelNotFound(model=name[:200], available=(self._model_name,))

    def _card(self) -> dict[str, Any]:
        return {
            "id": self._model_name,
            "object": "model",
            "created": 0,
            "owned_by": "stormproof",
            "max_model_len": self._engine.max_sequence_tokens,
        }

    async def _answer(
        self,
        request: Request,
        body: ChatRequest | CompletionRequest,
        choices: Sequence[Choice],
        answers: type[ChatFormat | TextFormat],
    ) -> Response:
        token_bytes = self._engine.tokenizer.token_bytes
        job = _Job(
            choices,
            answers(self._model_name, token_bytes, with_usage=body.include_usage),
            include_usage=body.include_usage,
        )
        pieces = self._generate.stream(generate, self._engine, choices, request.state.request_id)
        if body.stream:
            return await self._stream(request, job, pieces)
        outputs = await _unless_gone(request, collect(pieces, len(job.choices)))
        if outputs is None:
            return Response(status_code=_CLIENT_GONE)
        document = job.format.whole(outputs, _usage(job.choices, outputs))
        text = json.dumps(document, ensure_ascii=False)
        return Response(text.encode("utf-8", "replace"), media_type="application/json")

    async def _stream(
        self, request: Request, job: _Job, pieces: AsyncGenerator[tuple[int, Output], None]
    ) -> Response:
        """Wait for the first piece before committing to a status, then send what comes."""
        first = await _unless_gone(request, anext(pieces))
        if first is None:
            return Response(status_code=_CLIENT_GONE)
        return StreamingResponse(
            _events(request, job, first, pieces),
            media_type="text/event-stream",
            headers=sse.HEADERS,
        )


async def _events(
    request: Request,
    job: _Job,
    first: tuple[int, Output],
    pieces: AsyncGenerator[tuple[int, Output], None],
) -> AsyncIterator[bytes]:
    last: dict[int, Output] = {}
    try:
        async with aclosing(pieces):
            yield b"".join(map(sse.data, job.format.opening(len(job.choices))))
            async for index, piece in _chain(first, pieces):
                last[index] = piece
                yield b"".join(map(sse.data, job.format.chunks(index, piece)))
        if job.include_usage:
            yield sse.data(job.format.usage_chunk(_usage(job.choices, list(last.values()))))
        yield sse.DONE
    except Exception as error:  # noqa: BLE001 - the stream has begun: it must say how it ends
        yield sse.failure(seen_by_client(request, error))


async def _chain(first: T, rest: AsyncIterator[T]) -> AsyncIterator[T]:
    yield first
    async for item in rest:
        yield item


def _usage(choices: Sequence[Choice], outputs: Sequence[Output]) -> dict[str, int]:
    """Count tokens; a prompt that several choices share is counted once."""
    prompts = {id(choice.prompt): len(choice.prompt) for choice in choices}
    prompt, completion = sum(prompts.values()), sum(o.completion_tokens for o in outputs)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


async def _unless_gone(request: Request, work: Awaitable[T]) -> T | None:
    """Return what ``work`` returns, or None, having cancelled it, once the client is gone."""
    task = asyncio.ensure_future(work)
    watcher = asyncio.ensure_future(_disconnect(request))
    try:
        await asyncio.wait({task, watcher}, return_when=asyncio.FIRST_COMPLETED)
        return await task if task.done() else None
    finally:
        watcher.cancel()
        task.cancel()
        await asyncio.gather(task, watcher, return_exceptions=True)


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
