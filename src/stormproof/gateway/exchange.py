"""One request to a ladder and its answer, in whichever dialect."""

from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import aclosing
from typing import Final, Protocol

from fastapi import Request
from starlette.types import Message, Scope, Send

from stormproof.errors import InternalError
from stormproof.gateway import sse
from stormproof.gateway.dialects.dialect import Reply
from stormproof.gateway.wire_errors import seen_by_client
from stormproof.providers import Chunk, Completion, Journey, Question, StreamPolicy, Usage

_STREAM_HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    *((name.encode(), value.encode()) for name, value in sse.HEADERS.items()),
]


class Answering(Protocol):
    """Who answers: a ladder, or one that is guarded."""

    def complete(self, request: Question, journey: Journey) -> Awaitable[Completion]:
        """Answer at once."""
        ...

    def stream(
        self, request: Question, journey: Journey, *, policy: StreamPolicy | None
    ) -> AsyncGenerator[Chunk, None]:
        """Answer piece by piece."""
        ...


class Exchange:
    """One request and its answer.

    Args:
        scope: The request's.
        send: Takes the answer.
        reply: What is asked, and the words of the answer.
        answering: Who answers.
        policy: What becomes of a stream that breaks off; None if that is up to the ladder.
    """

    def __init__(
        self,
        scope: Scope,
        send: Send,
        reply: Reply,
        answering: Answering,
        *,
        policy: StreamPolicy | None,
    ) -> None:
        self._scope = scope
        self._send = send
        self._reply = reply
        self._answering = answering
        self._policy = policy
        self._journey = Journey()
        self._open = False

    async def whole(self) -> None:
        """Answer with one document."""
        answer = await self._answering.complete(self._reply.request, self._journey)
        body = self._reply.whole(answer, told(self._journey))
        await send_whole(self._send, body, self._journey)

    async def stream(self) -> None:
        """Answer piece by piece; what fails before the first has a status."""
        async with aclosing(
            self._answering.stream(self._reply.request, self._journey, policy=self._policy)
        ) as chunks:
            first = await anext(chunks, None)
            if first is None:
                raise InternalError(reason="an answer without a piece")
            await self._send(_beginning(_STREAM_HEADERS, self._journey))
            self._open = True
            await self._events(first, chunks)
        await self._send(_body(b"", more=False))

    async def fail(self, error: Exception) -> None:
        """End a stream that has begun with an error.

        Args:
            error: What broke it, wherever that came from; raised again if none has begun.
        """
        if not self._open:
            raise error
        await self._say(self._reply.failure(seen_by_client(Request(self._scope), error)))
        await self._send(_body(b"", more=False))

    async def _events(self, first: Chunk, chunks: AsyncGenerator[Chunk, None]) -> None:
        usage = first.usage
        await self._say(self._reply.opening(first, told(self._journey)))
        async for chunk in chunks:
            if chunk.restarts:
                usage = None
                again = {**told(self._journey), "restarted": True}
                await self._say(self._reply.opening(chunk, again))
            elif (chunk.delta or chunk.finish_reason) and (events := self._reply.piece(chunk)):
                await self._say(events)
            usage = chunk.usage or usage
        ending = self._reply.ending(usage or Usage(), told(self._journey))
        self._open = False
        await self._say(ending)

    async def _say(self, events: bytes) -> None:
        await self._send(_body(events, more=True))


def told(journey: Journey) -> dict[str, object]:
    """Return how an answer came about."""
    facts: dict[str, object] = {
        "rung": journey.rung,
        "attempts": len(journey.asked),
        "degraded": journey.degraded,
    }
    return facts if journey.cost is None else {**facts, "cost": journey.cost}


async def send_whole(send: Send, body: bytes, journey: Journey) -> None:
    """Send an answer that is one document."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send(_beginning(headers, journey))
    await send(_body(body, more=False))


def _beginning(headers: Sequence[tuple[bytes, bytes]], journey: Journey) -> Message:
    """Return what an answer begins with; its headers say the facts that `told` returns."""
    said = [
        *headers,
        (b"x-stormproof-rung", str(journey.rung).lower().encode("latin-1", "replace")),
        (b"x-stormproof-attempts", b"%d" % len(journey.asked)),
        (b"x-stormproof-degraded", b"true" if journey.degraded else b"false"),
    ]
    if journey.cost is not None:
        said.append((b"x-stormproof-cost", str(journey.cost).encode()))
    return {"type": "http.response.start", "status": 200, "headers": said}


def _body(data: bytes, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}
