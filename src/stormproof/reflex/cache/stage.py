"""What was answered before is answered again."""

from functools import partial
from typing import Final

from stormproof.providers import Completion, EmbeddingRequest, Question
from stormproof.reflex.cache.flights import Flights
from stormproof.reflex.cache.keeping import Keeping
from stormproof.reflex.cache.known import KnownAnswers
from stormproof.reflex.cache_use import CacheUse
from stormproof.reflex.stage import Answered, Call, Outcome, Passed


class CacheStage:
    """Answers a request as the same one was answered before, to the same tenant; a `Stage`.

    Two requests are the same if all of them is equal but what changes nothing of an answer, such
    as whether it streams. Of those that come at once one is asked, and all get its answer. What is
    not good any more goes along, for the rung of a ladder that gives it when no model answers.

    Kept is what a model has said to its end; nothing in which something private was found.

    Args:
        answers: Those that are known; stages may share them.
        guard: What the stages of the line are set to, in any words: what was answered under other
            settings is not found.
        max_temperature: Answers to requests that say no temperature, or a higher one, are not
            kept; by default all are.
        patience: Seconds that a request waits for the same one at most; with 0 none does.
    """

    name: Final = "cache"

    def __init__(
        self,
        answers: KnownAnswers,
        *,
        guard: str,
        max_temperature: float | None = None,
        patience: float = 60.0,
    ) -> None:
        self._answers = answers
        self._guard = guard
        self._max_temperature = max_temperature
        self._flights = Flights(patience) if patience else None

    async def enter(self, call: Call) -> Outcome:
        """Answer a call, or see to it that its answer is kept; see `Stage`."""
        request = call.request
        if isinstance(request, EmbeddingRequest) or not self._concerns(call, request):
            return Passed()
        key = self._answers.fingerprint.of(call, self._guard)
        keep = partial(self._keep, key, request)
        if call.cache_use is CacheUse.REFRESH:
            return Passed(Keeping(keep))
        found = await self._answers.find(key)
        if found and self._answers.fresh(found):
            return Answered(found.answer)
        landing = None if self._flights is None else await self._flights.join(key)
        if isinstance(landing, Completion):
            return Answered(landing)
        return Passed(Keeping(keep, landing), remembered=found and found.answer)

    def _concerns(self, call: Call, request: Question) -> bool:
        if call.private or call.cache_use is CacheUse.NONE:
            return False
        if self._max_temperature is None:
            return True
        temperature = request.document.get("temperature")
        return isinstance(temperature, int | float) and temperature <= self._max_temperature

    async def _keep(self, key: bytes, request: Question, answer: Completion) -> None:
        seconds = self._answers.lifetimes.of(request, answer)
        await self._answers.keep(key, answer, seconds)
