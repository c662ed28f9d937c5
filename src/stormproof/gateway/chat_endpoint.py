"""Conversations answered by ladders: most requests come for that, so it is plain ASGI."""

import secrets
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final

import msgspec
from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stormproof.errors import InternalError, InvalidRequest
from stormproof.gateway import sse
from stormproof.gateway.lifecycle import Lifecycle
from stormproof.gateway.model_routes import check_model
from stormproof.gateway.presence import unless_gone
from stormproof.gateway.wire_errors import seen_by_client
from stormproof.providers import ChatRequest, Chunk, Journey, Ladder, Usage
from stormproof.recovery import Deadline, Pipeline

PATH: Final = "/v1/chat/completions"

_POLICY: Final = b"x-stormproof-stream"
_POLICIES: Final = {None: None, "resume": True, "fail": False}

_encode: Final = msgspec.json.Encoder().encode
_STREAM_HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    *((name.encode(), value.encode()) for name, value in sse.HEADERS.items()),
]


class ChatEndpoint:
    """Answers conversations.

    Args:
        ladders: Who answers, by the name of the model.
        others: Models for which something else answers.
        otherwise: That.
        lifecycle: Told of calls under way.

    Attributes:
        path: Where; what metrics call it.
    """

    path: Final = PATH

    def __init__(
        self,
        ladders: Mapping[str, Ladder],
        lifecycle: Lifecycle,
        *,
        others: Sequence[str],
        otherwise: ASGIApp,
    ) -> None:
        self._ladders = ladders
        self._others = others
        self._otherwise = otherwise
        self._lifecycle = lifecycle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, for as long as its client is there.

        Raises:
            StormproofError: There is no answer, and nothing was sent.
        """
        body = await read_body(receive)
        request = ChatRequest.parse(body)
        ladder = self._ladders.get(request.model)
        if ladder is None:
            check_model(request.model, *self._others, *self._ladders)
            await self._otherwise(scope, _again(body, receive), send)
            return
        scope["route"] = self
        exchange = _Exchange(scope, send, request, ladder, resume=_resumes(scope))
        answer = exchange.stream if request.streams else exchange.whole
        with self._lifecycle.calling():
            await unless_gone(receive, _pipeline(scope).acall(answer))


class _Exchange:
    """One request and its answer."""

    def __init__(
        self,
        scope: Scope,
        send: Send,
        request: ChatRequest,
        ladder: Ladder,
        *,
        resume: bool | None,
    ) -> None:
        self._resume = resume
        self._scope = scope
        self._send = send
        self._request = request
        self._ladder = ladder
        self._journey = Journey()
        self._head = {
            "id": f"chatcmpl-{secrets.token_hex(12)}",
            "object": "chat.completion.chunk" if request.streams else "chat.completion",
            "created": int(time.time()),
            "model": request.model,
        }

    async def whole(self) -> None:
        """Answer with one document."""
        answer = await self._ladder.complete(self._request, self._journey)
        body = _encode(
            {
                **answer.document,
                **self._head,
                "usage": answer.usage.document(),
                "stormproof": self._told(),
            }
        )
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await self._start(headers)
        await self._send({"type": "http.response.body", "body": body})

    async def stream(self) -> None:
        """Answer piece by piece; what fails before the first has a status."""
        async with aclosing(
            self._ladder.stream(self._request, self._journey, resume=self._resume)
        ) as chunks:
            first = await anext(chunks, None)
            if first is None:
                raise InternalError(reason="an answer without a piece")
            await self._start(_STREAM_HEADERS)
            try:
                await self._events(first, chunks)
            except Exception as error:  # noqa: BLE001 - the stream has begun: it must say how it ends
                await self._say(sse.failure(seen_by_client(Request(self._scope), error)))
        await self._send(_body(b"", more=False))

    async def _events(self, first: Chunk, chunks: AsyncGenerator[Chunk, None]) -> None:
        usage = first.usage
        await self._say(self._event(first, stormproof=self._told()))
        async for chunk in chunks:
            usage = chunk.usage or usage
            if chunk.delta or chunk.finish_reason:
                await self._say(self._event(chunk))
        if self._request.wants_usage:
            await self._say(
                _data({**self._head, "choices": [], "usage": (usage or Usage()).document()})
            )
        await self._say(sse.DONE)

    def _event(self, chunk: Chunk, **more: object) -> bytes:
        choice = {
            "index": chunk.index,
            "delta": chunk.delta,
            "logprobs": chunk.logprobs,
            "finish_reason": chunk.finish_reason,
        }
        usage = {"usage": None} if self._request.wants_usage else {}
        return _data({**self._head, "choices": [choice], **usage, **more})

    def _told(self) -> dict[str, object]:
        """Return how the answer came about."""
        journey = self._journey
        return {
            "rung": journey.rung,
            "attempts": len(journey.asked),
            "degraded": journey.degraded,
        }

    async def _start(self, headers: list[tuple[bytes, bytes]]) -> None:
        told = [
            (b"x-stormproof-" + name.encode(), str(value).lower().encode("latin-1", "replace"))
            for name, value in self._told().items()
        ]
        headers = [*headers, *told]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})

    async def _say(self, events: bytes) -> None:
        await self._send(_body(events, more=True))


async def read_body(receive: Receive) -> bytes:
    """Return a request's whole body."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """Return what gives a body that was taken once more."""
    taken = False

    async def again() -> Message:
        nonlocal taken
        if taken:
            return await receive()
        taken = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _body(data: bytes, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}


def _data(document: Mapping[str, Any]) -> bytes:
    return b"data: %b\n\n" % _encode(document)


def _pipeline(scope: Scope) -> Pipeline:
    """Return what holds an answer to the deadline that the client sent along."""
    deadline = Deadline.from_header(_header(scope, Deadline.HEADER.encode()))
    return Pipeline(deadline, name="the answer") if deadline else _UNBOUND


def _resumes(scope: Scope) -> bool | None:
    """Return what the client wants of a stream that breaks off; None if that is up to the model.

    Raises:
        InvalidRequest: It wants something that there is not.
    """
    wanted = _header(scope, _POLICY)
    if wanted not in _POLICIES:
        reason = f"{_POLICY.decode()} must be resume or fail"
        raise InvalidRequest(reason=reason, param=_POLICY.decode())
    return _POLICIES[wanted]


def _header(scope: Scope, name: bytes) -> str | None:
    sent = next((value for one, value in scope["headers"] if one == name), None)
    return None if sent is None else sent.decode("latin-1")


_UNBOUND: Final = Pipeline()
