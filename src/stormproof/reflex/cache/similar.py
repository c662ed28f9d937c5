"""A question that means the same is answered the same; needs numpy and an embedding model."""

from collections.abc import Awaitable, Sequence
from functools import partial
from itertools import islice
from typing import Final, NamedTuple, Protocol

import numpy as np

from stormproof.errors import CircuitOpen, ClientError
from stormproof.providers import ChatRequest, Completion
from stormproof.providers.chat import Document
from stormproof.recovery import CircuitBreaker, Deadline, Pipeline
from stormproof.reflex.cache.keeping import Keeping
from stormproof.reflex.cache.known import KnownAnswers
from stormproof.reflex.cache.marks import marks
from stormproof.reflex.cache.neighbours import Neighbours, Vector
from stormproof.reflex.cache_use import CacheUse
from stormproof.reflex.stage import Answered, Call, Outcome, Passed, Request

_LONGEST: Final = 1000
"""Characters of a question; what is longer says too much for one vector."""


_MOST_LOOKS: Final = 3
"""Answers that are looked up: those of the nearest may be gone."""


class Embedded(Protocol):
    """What a text is to an embedding model."""

    @property
    def vector(self) -> Vector:
        """[width]."""
        ...


class TextEmbedder(Protocol):
    """An embedding model, such as `stormproof.engine.AsyncEmbedder`."""

    def embed(self, texts: Sequence[str], /) -> Awaitable[Sequence[Embedded]]:
        """Return what texts are to it."""
        ...


class _Question(NamedTuple):
    """The last thing that a user said.

    Attributes:
        text: That.
        around: The request without it.
    """

    text: str
    around: Document


class SimilarStage:
    """Answers a question as one was answered that means the same; a `Stage`.

    Only the last words of the user may differ. All before them, every parameter, the model and the
    tenant are the same, and so are what `marks` finds in both: numbers, negations, names. Nothing
    private is looked up, embedded or kept, if the stages that find it stand before.

    Args:
        answers: Those that are known; stages may share them.
        embedder: The embedding model.
        guard: As for `CacheStage`.
        threshold: The cosine of the angle between two questions that mean the same, at least.
        most: Questions that are remembered.
        patience: Seconds that a question may take to be embedded. A model that fails again and
            again is left alone for a minute.
    """

    name: Final = "similar"

    def __init__(
        self,
        answers: KnownAnswers,
        embedder: TextEmbedder,
        *,
        guard: str,
        threshold: float = 0.95,
        most: int = 4096,
        patience: float = 2.0,
    ) -> None:
        self._answers = answers
        guarded = Pipeline(CircuitBreaker("similar"), Deadline(patience), name="similar")
        self._embed = guarded(embedder.embed)
        self._guard = guard
        self._threshold = threshold
        self._neighbours = Neighbours(most)

    async def enter(self, call: Call) -> Outcome:
        """Answer a call, or see to it that its answer is kept; see `Stage`."""
        question = _question(call.request)
        if question is None or call.private or call.cache_use is CacheUse.NONE:
            return Passed()
        vector = await self._vector(question.text)
        if vector is None:
            return Passed()
        known, said = self._answers.fingerprint, marks(question.text)
        group = known.of(call, self._guard, question.around, said)
        if call.cache_use is CacheUse.FULL:
            answer = await self._near(group, vector)
            if answer:
                return Answered(answer)
        key = known.of(call, self._guard)
        return Passed(Keeping(partial(self._keep, group, key, vector)))

    async def _near(self, group: bytes, vector: Vector) -> Completion | None:
        near = self._neighbours.near(group, vector, self._threshold)
        for key in islice(near, _MOST_LOOKS):
            known = self._answers.find(key)
            found = await known if isinstance(known, Awaitable) else known
            if found and self._answers.fresh(found, self._answers.lifetimes.similar):
                return found.answer
        return None

    async def _vector(self, text: str) -> Vector | None:
        """Return the direction of a text; None if the model has none for it, or is left alone."""
        try:
            [embedded] = await self._embed([text])
        except (ClientError, CircuitOpen):  # too long for it, for instance
            return None
        length = float(np.linalg.norm(embedded.vector))
        return embedded.vector / np.float32(length) if length else None

    async def _keep(self, group: bytes, key: bytes, vector: Vector, answer: Completion) -> None:
        writing = self._answers.keep(key, answer, self._answers.lifetimes.similar)
        if writing:
            await writing
        self._neighbours.add(group, key, vector)


def _question(request: Request) -> _Question | None:
    """Return the question of a conversation; None if it does not end with one of the user's."""
    if not isinstance(request, ChatRequest):
        return None
    *before, last = request.document["messages"]
    content = last.get("content")
    if last["role"] != "user" or not isinstance(content, str) or len(content) > _LONGEST:
        return None
    around = {**request.document, "messages": [*before, {**last, "content": None}]}
    return _Question(content, around)
