"""Requests, answers, and a line with a cache in front of a model that counts."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

from stormproof.errors import StormproofError
from stormproof.providers import ChatRequest, Chunk, Completion, Journey, Usage
from stormproof.providers.chat import in_chunks
from stormproof.reflex import CacheUse, Caller, OnFailure, Reflex, Stage, Step

SECRET = b"a secret of some length"


def asked(text: str = "Hi", **fields: Any) -> ChatRequest:
    return ChatRequest({"model": "m", "messages": [{"role": "user", "content": text}], **fields})


def answer(text: str, finish_reason: str = "stop") -> Completion:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": finish_reason}
    return Completion({"choices": [choice]}, Usage(1, 2))


class House:
    """Stages in front of a model that says its script, one entry a call, and then the last.

    Attributes:
        calls: How often the model was asked.
    """

    def __init__(self, stages: list[Stage], *script: Completion | StormproofError) -> None:
        self._reflex = Reflex([Step(stage, OnFailure.CLOSED) for stage in stages])
        self._script = script or (answer("Hello"),)
        self.calls = 0

    async def ask(
        self,
        request: ChatRequest | None = None,
        *,
        tenant: str = "t",
        cache_use: CacheUse = CacheUse.FULL,
        journey: Journey | None = None,
        during: Callable[[], Any] | None = None,
    ) -> str:
        """Return the text of an answer; whole or streamed, as the request wants it.

        Args:
            request: What is asked.
            tenant: Who asks.
            cache_use: What he wants of answers that were kept.
            journey: Where it is written down.
            during: Awaited while the model answers.
        """
        request, journey = request or asked(), journey or Journey()
        admission = self._reflex.admitted(request, Caller(tenant), journey, cache_use=cache_use)
        async with admission:
            if request.streams:
                chunks = self._chunks(admission.answer, journey, during)
                async with aclosing(admission.stream(chunks)) as pieces:
                    return "".join([piece.text async for piece in pieces])
            said = admission.answer or await self._said(journey, during)
            return admission.whole(said).text

    async def _chunks(
        self, kept: Completion | None, journey: Journey, during: Callable[[], Any] | None
    ) -> AsyncGenerator[Chunk, None]:
        for chunk in in_chunks(kept or await self._said(journey, during)):
            yield chunk

    async def _said(self, journey: Journey, during: Callable[[], Any] | None) -> Completion:
        said = self._script[min(self.calls, len(self._script) - 1)]
        self.calls += 1
        journey.rung = "model"
        if during:
            await during()
        if isinstance(said, StormproofError):
            raise said
        return said
