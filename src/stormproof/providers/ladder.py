"""Everybody who may answer for a model's name, in the order in which they are asked."""

from collections.abc import AsyncGenerator, Awaitable, Coroutine, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final

import msgspec

from stormproof.errors import ClientError, ContextTooLong, ModelNotFound, PartialOutput
from stormproof.providers.answers import AnswerCache
from stormproof.providers.candidate import Journey
from stormproof.providers.chat import Chunk, Completion
from stormproof.providers.collector import Collector
from stormproof.providers.figures import Figures
from stormproof.providers.rung import Rung
from stormproof.providers.stream_policy import StreamPolicy
from stormproof.providers.texts import Question
from stormproof.recovery import (
    Deadline,
    Failover,
    FailoverOrder,
    Pipeline,
    Reset,
    Restart,
    Resume,
    TargetHealth,
)

_MORE: Final = 2
"""How much oftener than it has rungs a ladder goes on with one stream: each call is paid for."""


class Ladder:
    """Answers by the first rung that can.

    A rung that could not serve a request is not asked. One whose circuit is open is not either;
    one that asked for a rest comes after those that did not. Nobody waits for one while another
    is free, and nobody is asked twice, but to go on with a stream that broke off where nobody else
    can.

    Args:
        name: What clients call the model.
        rungs: Who may answer, the best first.
        deadline: Seconds for everything together.
        order: How to choose among those that are healthy.
        policy: What becomes of a stream that breaks off.
        cache: Where answers of models are kept, for a rung that gives them again; not those to
            requests that have passed stages, which keep them.
    """

    def __init__(
        self,
        name: str,
        rungs: Sequence[Rung],
        *,
        deadline: float = 600.0,
        order: FailoverOrder = FailoverOrder.LISTED,
        policy: StreamPolicy = StreamPolicy.RESUME,
        cache: AnswerCache | None = None,
    ) -> None:
        self.name: Final = name
        self._rungs = rungs
        self._first = rungs[0]
        self._policy = policy
        self._cache = cache
        self._continuing = [rung for rung in rungs if rung.continues]
        self._answering = [rung for rung in rungs if not rung.degraded]
        targets = [rung.target(first=rung is self._first) for rung in rungs]
        self._failover = Failover(*targets, order=order, on=others_may, name=name)
        self._pipeline = Pipeline(Deadline(deadline), self._failover, name=name, keeps=0)
        self._whole = self._pipeline(self._first.complete)
        on = Resume(times=len(rungs) + _MORE)
        again = Restart(times=len(rungs))
        self._resuming = Pipeline(Deadline(deadline), on, self._failover, name=name, keeps=0)
        self._restarting = Pipeline(Deadline(deadline), again, self._failover, name=name, keeps=0)

    def health(self) -> tuple[TargetHealth, ...]:
        """Return what is known of each rung."""
        return self._failover.health()

    def figures(self) -> Mapping[str, Figures]:
        """Return what has become of the calls of each rung, by its name."""
        return {rung.name: rung.figures for rung in self._rungs}

    def complete(self, request: Question, journey: Journey) -> Coroutine[Any, Any, Completion]:
        """Answer a request that wants its answer at once.

        Args:
            request: What is asked.
            journey: Where it is written down who was asked and who answered.

        Raises:
            StormproofError: While waiting: nobody could answer.
        """
        answer = self._whole(request, journey)
        if self._cache is None or journey.guarded:
            return answer
        return self._kept_whole(answer, request, journey, self._cache)

    def stream(
        self, request: Question, journey: Journey, *, policy: StreamPolicy | None = None
    ) -> AsyncGenerator[Chunk, None]:
        """Answer a request that wants a stream; close it (``contextlib.aclosing``).

        Args:
            request: What is asked.
            journey: As for `complete`; who answers is known once the first piece is there.
            policy: As for the ladder, which says it by default.

        Raises:
            StormproofError: While iterating: nobody could answer, or the answer broke off.
        """
        chunks = self._mended(request, journey, policy or self._policy)
        if self._cache is None or journey.guarded:
            return chunks
        return self._kept(chunks, request, journey, self._cache)

    def _mended(
        self, request: Question, journey: Journey, policy: StreamPolicy
    ) -> AsyncGenerator[Chunk, None]:
        """Return a stream of which it is seen to what breaks off."""
        restarts = policy is StreamPolicy.RESTART
        candidates = self._answering if restarts else self._continuing
        able = [rung for rung in candidates if not rung.refuses(request, journey)]
        journey.others = frozenset(rung.name for rung in able)
        if restarts:
            return _marked(self._restarting.stream(self._first.stream, request, journey))
        resumes = policy is StreamPolicy.RESUME and able and request.resumable
        pipeline = self._resuming if resumes else self._pipeline
        return pipeline.stream(self._first.stream, request, journey)

    async def _kept_whole(
        self,
        coming: Awaitable[Completion],
        request: Question,
        journey: Journey,
        cache: AnswerCache,
    ) -> Completion:
        """Return an answer, and keep it."""
        answer = await coming
        if not journey.degraded:
            cache.store(request, answer)
        return answer

    async def _kept(
        self,
        chunks: AsyncGenerator[Chunk, None],
        request: Question,
        journey: Journey,
        cache: AnswerCache,
    ) -> AsyncGenerator[Chunk, None]:
        """Yield a stream, and keep the answer that it comes to."""
        collector = Collector()
        async with aclosing(chunks):
            async for chunk in chunks:
                collector.add(chunk)
                yield chunk
        answer = collector.completion()
        if answer and not journey.degraded:
            cache.store(request, answer)


async def _marked(chunks: AsyncGenerator[Chunk | Reset, None]) -> AsyncGenerator[Chunk, None]:
    """Yield a stream with a mark where it begins again."""
    again = False
    async with aclosing(chunks):
        async for chunk in chunks:
            if isinstance(chunk, Reset):
                again = True
                continue
            yield msgspec.structs.replace(chunk, restarts=True) if again else chunk
            again = False


def others_may(error: Exception) -> bool:
    """Whether others may answer what one could not: who has no such model, or no room, is alone."""
    cause = error.__cause__ if isinstance(error, PartialOutput) else error
    return not isinstance(cause, ClientError) or isinstance(cause, ModelNotFound | ContextTooLong)
