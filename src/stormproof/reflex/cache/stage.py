"""What was answered before is answered again."""

from collections.abc import Awaitable
from functools import partial
from typing import Final

from stormproof.providers import Completion, EmbeddingRequest, Question
from stormproof.reflex.cache.flights import Flights
from stormproof.reflex.cache.keeping import Keep, Keeping
from stormproof.reflex.cache.known import Found, KnownAnswers
from stormproof.reflex.cache_use import CacheUse
from stormproof.reflex.stage import PASSED, Answered, Call, Outcome, Passed


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

    def enter(self, call: Call) -> Outcome | Awaitable[Outcome]:
        """Answer a call, or see to it that its answer is kept; see `Stage`."""
        request = call.request
        if isinstance(request, EmbeddingRequest) or call.private or call.cache_use is CacheUse.NONE:
            return PASSED
        most = self._max_temperature
        if most is not None and not _is_cool(request, most):
            return PASSED
        key = self._answers.fingerprint.of(call, self._guard)
        keep = partial(self._keep, key, request)
        if call.cache_use is CacheUse.REFRESH:
            return Passed(Keeping(keep))
        found = self._answers.find(key)
        if found is None or isinstance(found, Found):
            return self._known(found, key, keep)
        return self._looked_up(found, key, keep)

    def _known(self, found: Found | None, key: bytes, keep: Keep) -> Outcome | Awaitable[Outcome]:
        """Return what is made of what is known; nothing comes between a look and a flight."""
        if found and self._answers.fresh(found):
            return Answered(found.answer)
        flight = None
        if self._flights is not None:
            flight = self._flights.begin(key)
            if flight is None:
                return self._joined(self._flights, found, key, keep)
        return Passed(Keeping(keep, flight), found.answer if found else None)

    async def _looked_up(self, coming: Awaitable[Found | None], key: bytes, keep: Keep) -> Outcome:
        outcome = self._known(await coming, key, keep)
        return await outcome if isinstance(outcome, Awaitable) else outcome

    async def _joined(
        self, flights: Flights, found: Found | None, key: bytes, keep: Keep
    ) -> Outcome:
        """Return what is made of the answer to the same request, which is under way."""
        landing = await flights.join(key)
        if isinstance(landing, Completion):
            return Answered(landing)
        return Passed(Keeping(keep, landing), found.answer if found else None)

    def _keep(self, key: bytes, request: Question, answer: Completion) -> Awaitable[None] | None:
        seconds = self._answers.lifetimes.of(request, answer)
        return self._answers.keep(key, answer, seconds)


def _is_cool(request: Question, max_temperature: float) -> bool:
    temperature = request.document.get("temperature")
    return isinstance(temperature, int | float) and temperature <= max_temperature
