"""A rung that gives again what was answered to the same request before."""

from collections.abc import AsyncGenerator, Awaitable, Sequence

from stormproof.errors import ServiceUnavailable, StormproofError
from stormproof.providers.answers import CachedAnswers
from stormproof.providers.candidate import Journey
from stormproof.providers.chat import Chunk, Completion, in_chunks
from stormproof.providers.continuation import Continuation, Delivered
from stormproof.providers.figures import Figures
from stormproof.providers.rung import Rung
from stormproof.providers.texts import Question


class RecallingRung(Rung):
    """Gives again what the journey remembers, or what was kept here if nobody guards that.

    Args:
        kept: What was kept here.
        figures: As for any rung.
    """

    def __init__(self, kept: CachedAnswers, *, figures: Figures | None = None) -> None:
        super().__init__(
            kept,
            texts=kept,
            weight=0.0,
            degraded=True,
            continues=Continuation.NEVER,
            figures=figures,
        )
        self._kept = kept

    def refuses(
        self, request: Question, journey: Journey, *, delivered: Sequence[Chunk] = ()
    ) -> StormproofError | None:
        """Say what keeps it from answering; see `Rung`."""
        if journey.remembered is None and (journey.guarded or not self._kept.serves(request)):
            return ServiceUnavailable(reason=f"{self.name} has no answer")
        return super().refuses(request, journey, delivered=delivered)

    def _call(self, request: Question, journey: Journey) -> Awaitable[Completion]:
        if journey.remembered is None:
            return super()._call(request, journey)
        journey.asked.append(self.name)
        return _given(journey.remembered)

    def _asking(
        self, request: Question, journey: Journey, so_far: Delivered | None
    ) -> AsyncGenerator[Chunk, None]:
        if journey.remembered is None:
            return super()._asking(request, journey, so_far)
        journey.asked.append(self.name)
        return _pieces(journey.remembered)


async def _given(answer: Completion) -> Completion:
    return answer


async def _pieces(answer: Completion) -> AsyncGenerator[Chunk, None]:
    for chunk in in_chunks(answer):
        yield chunk
