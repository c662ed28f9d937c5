"""Texts that ladders turn into vectors."""

import asyncio
from base64 import b64encode
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from stormproof.gateway.bodies import again, read_body
from stormproof.gateway.entrance import GuardedEmbeddings
from stormproof.gateway.exchange import send_whole, told
from stormproof.gateway.headers import headers_of, in_time
from stormproof.gateway.keys import Opened
from stormproof.gateway.lifecycle import Lifecycle
from stormproof.gateway.model_routes import check_served
from stormproof.gateway.native import FindEntrance
from stormproof.gateway.presence import unless_gone
from stormproof.providers import EmbeddingLadder, EmbeddingRequest, Embeddings, Journey
from stormproof.providers.embeddings.vectors import Vector, to_bytes
from stormproof.reflex.keys import KeyScope

_encode: Final = msgspec.json.Encoder().encode
_FEW: Final = 1 << 12
"""Numbers that are written in the time that a thread takes to begin."""


class EmbeddingEndpoint:
    """Answers with vectors.

    Args:
        ladders: Who embeds, by the name of the model.
        lifecycle: Told of calls under way.
        entrance: Returns what requests pass now, if that is anything.
        opened: Tells which models a caller may ask.
        others: What answers for other models.

    Attributes:
        path: Where; what metrics call it.
        ladders: Who embeds.
    """

    path: Final = "/v1/embeddings"

    def __init__(
        self,
        ladders: Mapping[str, EmbeddingLadder],
        lifecycle: Lifecycle,
        *,
        entrance: FindEntrance,
        opened: Opened,
        others: Mapping[str, ASGIApp] = MappingProxyType({}),
    ) -> None:
        self.ladders: Final = ladders
        self._others = others
        self._lifecycle = lifecycle
        self._entrance = entrance
        self._opened = opened

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, for as long as its client is there.

        Raises:
            StormproofError: There is no answer, and nothing was sent.
        """
        body = await read_body(receive)
        request = EmbeddingRequest.parse(body)
        ladder = self.ladders.get(request.model)
        if ladder is None:
            served = (*self._others, *self.ladders)
            caller = scope["state"]["caller"]
            check_served(request.model, served, self._opened, caller, KeyScope.EMBEDDINGS)
            await self._others[request.model](scope, again(body, receive), send)
            return
        scope["route"] = self
        entrance = self._entrance()
        embedding = GuardedEmbeddings(ladder, entrance, scope) if entrance else ladder
        with self._lifecycle.calling():
            work = in_time(headers_of(scope), _answer, request, embedding, send)
            await unless_gone(scope, receive, work)


async def _answer(
    request: EmbeddingRequest, embedding: EmbeddingLadder | GuardedEmbeddings, send: Send
) -> None:
    journey = Journey()
    embeddings = await embedding.embed(request, journey)
    if sum(map(len, embeddings.vectors)) <= _FEW:
        body = _document(request, embeddings, journey)
    else:  # writing hundreds of thousands of numbers would make other clients wait
        body = await asyncio.to_thread(_document, request, embeddings, journey)
    await send_whole(send, body, journey)


def _document(request: EmbeddingRequest, embeddings: Embeddings, journey: Journey) -> bytes:
    written = _base64 if request.wants_base64 else list
    tokens = embeddings.usage.prompt_tokens
    # One by one: no other thread runs while the library writes a document.
    entries = [
        _encode({"object": "embedding", "index": index, "embedding": written(vector)})
        for index, vector in enumerate(embeddings.vectors)
    ]
    head = {
        "object": "list",
        "model": request.model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        "stormproof": told(journey),
    }
    return b'%b,"data":[%b]}' % (_encode(head)[:-1], b",".join(entries))


def _base64(vector: Vector) -> str:
    return b64encode(to_bytes(vector)).decode()
