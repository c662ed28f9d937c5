"""The OpenAI-compatible route that turns texts into vectors."""

import asyncio
import base64
import json
from collections.abc import Mapping, Sequence

from fastapi import APIRouter, Request, Response, Security

from stormproof.engine import AsyncEmbedder, Embedding
from stormproof.errors import InvalidRequest
from stormproof.gateway.model_routes import check_model
from stormproof.gateway.openapi import BEARER, ERRORS
from stormproof.gateway.presence import nobody_there, unless_gone
from stormproof.gateway.settings import Settings
from stormproof.providers.local.schema import EmbeddingRequest
from stormproof.recovery import Deadline, Pipeline


class EmbeddingRoutes:
    """The routes that embedding models answer.

    Args:
        embedders: The models, by the names under which clients know them.
        settings: Limits.
    """

    def __init__(self, embedders: Mapping[str, AsyncEmbedder], settings: Settings) -> None:
        self._embedders = embedders
        self._max_chars = settings.max_prompt_chars
        self._guard = Pipeline(Deadline(settings.request_timeout), name="embed")

    def router(self) -> APIRouter:
        """Return the routes, ready to be included in an application."""
        router = APIRouter(
            prefix="/v1", tags=["OpenAI's API"], responses=ERRORS, dependencies=[Security(BEARER)]
        )
        router.add_api_route("/embeddings", self.embed, methods=["POST"])
        return router

    async def embed(self, request: Request, body: EmbeddingRequest) -> Response:
        """Turn one or several texts into vectors."""
        check_model(body.model, *self._embedders)
        embedder = self._embedders[body.model]
        self._check(body, embedder.width)
        work = self._guard.acall(embedder.embed, body.texts, truncate=body.truncate)
        embeddings = await unless_gone(request.scope, request.receive, work)
        if embeddings is None:
            return nobody_there()
        # Writing hundreds of thousands of numbers takes long enough to make other clients wait.
        document = await asyncio.to_thread(_document, body, embeddings)
        return Response(document, media_type="application/json")

    def _check(self, body: EmbeddingRequest, width: int) -> None:
        length = sum(len(text) for text in body.texts if isinstance(text, str))
        if length > self._max_chars:
            reason = f"the texts have {length} characters; at most {self._max_chars} are accepted"
            raise InvalidRequest(reason=reason, param="input")
        if body.dimensions not in (None, width):
            reason = f"the vectors of this model have {width} dimensions"
            raise InvalidRequest(reason=reason, param="dimensions")


def _document(body: EmbeddingRequest, embeddings: Sequence[Embedding]) -> bytes:
    tokens = sum(embedding.tokens for embedding in embeddings)
    head = {
        "object": "list",
        "model": body.model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }
    written = _base64 if body.encoding_format == "base64" else _numbers
    # One by one: no other thread runs while the library writes a document.
    entries = [
        json.dumps({"object": "embedding", "index": index, "embedding": written(embedding)})
        for index, embedding in enumerate(embeddings)
    ]
    return f'{json.dumps(head)[:-1]}, "data": [{", ".join(entries)}]}}'.encode()


def _numbers(embedding: Embedding) -> list[float]:
    numbers: list[float] = embedding.vector.tolist()
    return numbers


def _base64(embedding: Embedding) -> str:
    return base64.b64encode(embedding.vector.astype("<f4").tobytes()).decode()
