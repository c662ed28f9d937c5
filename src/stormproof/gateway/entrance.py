"""What requests pass before somebody answers them, where the settings name stages for that."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from types import MappingProxyType
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec
from starlette.types import Scope

from stormproof.gateway.headers import headers_of
from stormproof.providers import (
    Chunk,
    Completion,
    EmbeddingLadder,
    EmbeddingRequest,
    Embeddings,
    Journey,
    Kept,
    Ladder,
    ModelsFile,
    Question,
    StreamPolicy,
)
from stormproof.providers.chat import in_chunks
from stormproof.reflex import Admission, CacheUse, Caller, Request
from stormproof.reflex.settings import LineBuilder, Lines, ReflexTables

if TYPE_CHECKING:
    from stormproof.reflex.sql import Books

Asked = TypeVar("Asked", bound=Request)
AnyLadder = TypeVar("AnyLadder", Ladder, EmbeddingLadder)


class Entrance:
    """Puts stages in front of those who answer.

    Args:
        lines: The stages, by what is asked and who asks.
    """

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def admitted(self, request: Asked, journey: Journey, scope: Scope) -> Admission[Asked]:
        """Return what lets a request in, to be entered.

        Args:
            request: What is asked.
            journey: Where it is written down who answered.
            scope: Of the exchange; there the answer finds what its headers are to say.
        """
        state = scope["state"]
        known: Caller = state["caller"]
        caller = self._lines.known(known.asking(request.document))
        said = headers_of(scope).get(b"cache-control")
        cache_use = CacheUse.asked_for(said.decode("latin-1")) if said else CacheUse.FULL
        reflex = self._lines.of(request.model, caller)
        admission = reflex.admitted(request, caller, journey, cache_use=cache_use)
        state["headers"] = admission.headers
        return admission


def entrance_to(
    tables: ReflexTables,
    kept: Kept,
    environment: Mapping[str, str],
    *,
    books: "Books | None" = None,
    models: ModelsFile | None = None,
    embeddings: Mapping[str, EmbeddingLadder] = MappingProxyType({}),
) -> Entrance:
    """Return the entrance that settings describe: the same for the same.

    Args:
        tables: The settings.
        kept: What was made before.
        environment: Where the variables with secrets are.
        books: Keys and usage, where there is a database.
        models: What the settings say of models.
        embeddings: Who embeds, by the names of models.

    Raises:
        ConfigurationError: A stage cannot be made.
    """

    def make() -> Entrance:
        builder = LineBuilder(kept, environment, books, models=models, embeddings=embeddings)
        return Entrance(builder.lines(tables))

    return kept.one(make, "entrance", tables.model_dump_json(), repr(models))


class _Guarded(msgspec.Struct, Generic[AnyLadder], frozen=True):
    """Who answers, behind the stages, for one request: a struct, since each request makes one.

    Attributes:
        ladder: Who answers what is let in.
        entrance: Where it is let in.
        scope: Of the exchange.
    """

    ladder: AnyLadder
    entrance: Entrance
    scope: Scope


class GuardedLadder(_Guarded[Ladder], frozen=True):
    """A ladder behind the stages, for one request."""

    async def complete(self, request: Question, journey: Journey) -> Completion:
        """Answer at once, as a `Ladder` does."""
        async with self.entrance.admitted(request, journey, self.scope) as admission:
            answer = admission.answer or await self.ladder.complete(admission.request, journey)
            return await admission.answered(answer) if admission.slow else admission.whole(answer)

    async def stream(
        self, request: Question, journey: Journey, *, policy: StreamPolicy | None
    ) -> AsyncGenerator[Chunk, None]:
        """Answer piece by piece, as a `Ladder` does."""
        async with self.entrance.admitted(request, journey, self.scope) as admission:
            if admission.answer:
                chunks = _pieces(admission.answer)
            else:
                chunks = self.ladder.stream(admission.request, journey, policy=policy)
            async with aclosing(admission.stream(chunks)) as pieces:
                async for piece in pieces:
                    yield piece


class GuardedEmbeddings(_Guarded[EmbeddingLadder], frozen=True):
    """An embedding ladder behind the stages, for one request."""

    async def embed(self, request: EmbeddingRequest, journey: Journey) -> Embeddings:
        """Embed texts, as an `EmbeddingLadder` does."""
        async with self.entrance.admitted(request, journey, self.scope) as admission:
            embeddings = await self.ladder.embed(admission.request, journey)
            admission.used(embeddings.usage)
            return embeddings


async def _pieces(answer: Completion) -> AsyncGenerator[Chunk, None]:
    for chunk in in_chunks(answer):
        yield chunk
