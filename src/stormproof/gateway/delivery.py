"""Bringing answers to a client who may leave at any moment."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeAlias

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from stormproof.engine import Output
from stormproof.gateway import sse
from stormproof.gateway.answers import AnswerFormat
from stormproof.gateway.presence import nobody_there, unless_gone
from stormproof.gateway.wire_errors import seen_by_client
from stormproof.providers.local.generation import Choice, collect

Pieces: TypeAlias = AsyncGenerator[tuple[int, Output], None]
"""Pieces of answers as they come, each with the index of its choice."""


@dataclass(frozen=True, slots=True)
class Job:
    """A request that has been understood."""

    choices: Sequence[Choice]
    format: AnswerFormat
    include_usage: bool


async def deliver_whole(request: Request, job: Job, pieces: Pieces) -> Response:
    """Return all answers as one document; give up the work if the client leaves."""
    work = collect(pieces, len(job.choices))
    outputs = await unless_gone(request.scope, request.receive, work)
    if outputs is None:
        return nobody_there()
    document = job.format.whole(outputs, _usage(job.choices, outputs))
    text = json.dumps(document, ensure_ascii=False)
    return Response(text.encode("utf-8", "replace"), media_type="application/json")


async def deliver_stream(request: Request, job: Job, pieces: Pieces) -> Response:
    """Wait for the first piece, which may be an error with a status, then send what comes."""
    first = await unless_gone(request.scope, request.receive, anext(pieces))
    if first is None:
        return nobody_there()
    return _EventStream(request, job, first, pieces)


class _EventStream(StreamingResponse):
    """Server-sent events made from pieces, which it closes even if it never came to send one."""

    def __init__(
        self, request: Request, job: Job, first: tuple[int, Output], pieces: Pieces
    ) -> None:
        events = _events(request, job, first, pieces)
        super().__init__(events, media_type="text/event-stream", headers=sse.HEADERS)
        self._request = request
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Send them until they end, or the client leaves."""
        async with aclosing(self._pieces):
            request = self._request
            await unless_gone(request.scope, request.receive, self.stream_response(send))


async def _events(
    request: Request, job: Job, first: tuple[int, Output], pieces: Pieces
) -> AsyncIterator[bytes]:
    last = dict([first])
    try:
        yield job.format.opening(len(job.choices)) + job.format.piece(*first)
        async for index, piece in pieces:
            last[index] = piece
            if events := job.format.piece(index, piece):
                yield events
        if job.include_usage:
            yield job.format.usage(_usage(job.choices, list(last.values())))
        yield sse.DONE
    except Exception as error:  # noqa: BLE001 - the stream has begun: it must say how it ends
        yield sse.failure(seen_by_client(request, error))


def _usage(choices: Sequence[Choice], outputs: Sequence[Output]) -> dict[str, int]:
    """Count tokens; a prompt that several choices share is counted once."""
    prompts = {id(choice.prompt): len(choice.prompt) for choice in choices}
    prompt, completion = sum(prompts.values()), sum(o.completion_tokens for o in outputs)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
