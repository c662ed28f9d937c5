"""The stages in one line, and a call's way through them and back."""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from stormproof.errors import ServiceUnavailable
from stormproof.providers import Chunk, Completion, Journey, Usage
from stormproof.recovery import publish
from stormproof.reflex.cache_use import CacheUse
from stormproof.reflex.caller import Caller
from stormproof.reflex.events import StageEnded, StageFailed, StageOutcome
from stormproof.reflex.stage import (
    Answered,
    Call,
    Changed,
    Companion,
    Ending,
    Outcome,
    Passed,
    Rejected,
    Request,
    Stage,
)

_OUTCOMES: Final = {
    Passed: StageOutcome.PASSED,
    Changed: StageOutcome.CHANGED,
    Answered: StageOutcome.ANSWERED,
    Rejected: StageOutcome.REJECTED,
}


class OnFailure(StrEnum):
    """What becomes of a call when a stage cannot do its work."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Step:
    """A stage in its line.

    Attributes:
        stage: The stage.
        on_failure: What becomes of a call that it could not look at.
    """

    stage: Stage
    on_failure: OnFailure


class Reflex:
    """What a request passes before a model sees it, and the answer before its caller does.

    ```python
    async with reflex.admitted(request, caller, journey) as admission:
        answer = admission.answer or await ladder.complete(admission.request, journey)
        return admission.whole(answer)
    ```

    Args:
        steps: The stages, in their order.
    """

    def __init__(self, steps: Sequence[Step] = ()) -> None:
        self._steps = steps

    @asynccontextmanager
    async def admitted(
        self,
        request: Request,
        caller: Caller,
        journey: Journey,
        *,
        cache_use: CacheUse = CacheUse.FULL,
    ) -> AsyncIterator["Admission"]:
        """Let a request in, for as long as it is answered; what it took is settled at the end.

        Args:
            request: What is asked.
            caller: Who asks.
            journey: Where it is written down who answered, and at what price.
            cache_use: What he wants of answers that were kept.

        Raises:
            StormproofError: A stage has rejected it, or could not do its work.
        """
        admission = Admission(request, caller, cache_use)
        error: BaseException | None = None
        try:
            await self._enter(admission, journey)
            yield admission
        except BaseException as caught:
            error = caught
            raise
        finally:
            await admission.settle(journey, error)

    async def _enter(self, admission: "Admission", journey: Journey) -> None:
        for step in self._steps:
            outcome = await _outcome(step, admission)
            if isinstance(outcome, Rejected):
                raise outcome.error
            if isinstance(outcome, Answered):
                admission.answer, journey.rung = outcome.answer, step.stage.name
                return
            if isinstance(outcome, Changed):
                admission.request = outcome.request
            if outcome.companion:
                admission.companions.append((step.stage.name, outcome.companion))


class Admission:
    """A request that was let in.

    Attributes:
        request: What a model is to be asked.
        caller: Who asks.
        cache_use: What he wants of answers that were kept.
        answer: What a stage has answered, in place of a model; None if one has to be asked.
        companions: What sees the answer, by the names of stages, in their order.
        skipped: Stages that could not do their work, and that the call passed without.
    """

    def __init__(
        self, request: Request, caller: Caller, cache_use: CacheUse = CacheUse.FULL
    ) -> None:
        self.request = request
        self.caller: Final = caller
        self.cache_use: Final = cache_use
        self.answer: Completion | None = None
        self.companions: Final[list[tuple[str, Companion]]] = []
        self.skipped: Final[list[str]] = []
        self._usage: Usage | None = None

    @property
    def private(self) -> bool:
        """Whether something was found that may not be kept."""
        return any(companion.private for _, companion in self.companions)

    def headers(self) -> dict[str, str]:
        """Return what the answer's headers are to say."""
        said = {name: value for _, one in self.companions for name, value in one.headers().items()}
        return {**said, "x-stormproof-skipped": ", ".join(self.skipped)} if self.skipped else said

    def used(self, usage: Usage) -> None:
        """Take note of the tokens that a model has counted."""
        self._usage = usage

    def whole(self, answer: Completion) -> Completion:
        """Return a model's answer as the caller is to have it."""
        if answer is not self.answer:
            self._usage = answer.usage
        for _, companion in reversed(self.companions):
            answer = companion.whole(answer)
        return answer

    async def stream(self, chunks: AsyncGenerator[Chunk, None]) -> AsyncGenerator[Chunk, None]:
        """Yield a model's answer as the caller is to have it; close it."""
        async with aclosing(chunks):
            async for chunk in chunks:
                self._usage = chunk.usage or self._usage
                for piece in _through(self._returning, (chunk,)):
                    yield piece
        for place, companion in enumerate(self._returning, 1):
            for piece in _through(self._returning[place:], companion.rest()):
                yield piece

    async def settle(self, journey: Journey, error: BaseException | None) -> None:
        """Tell every companion what has become of the call."""
        ending = Ending(journey, self._usage, error, self.private)
        for name, companion in reversed(self.companions):
            try:
                await companion.settle(ending)
            except Exception as failure:  # noqa: BLE001 - nothing can be changed; others are told too
                _tell_failure(self, name, failure, passes=True)

    @property
    def _returning(self) -> Sequence[Companion]:
        """What an answer passes, in this order."""
        return [companion for _, companion in reversed(self.companions)]


def _through(companions: Sequence[Companion], pieces: Iterable[Chunk]) -> Iterable[Chunk]:
    """Return what becomes of pieces on their way past companions."""
    for companion in companions:
        pieces = [out for piece in pieces for out in companion.piece(piece)]
    return pieces


async def _outcome(step: Step, admission: Admission) -> Outcome:
    """Return what a stage makes of a call, or what becomes of it without that."""
    stage, started = step.stage, time.perf_counter()
    call = Call(admission.request, admission.caller, admission.private, admission.cache_use)
    try:
        outcome = await stage.enter(call)
    except Exception as error:  # noqa: BLE001 - it is the settings that say how bad this is
        passes = step.on_failure is OnFailure.OPEN
        _tell_failure(admission, stage.name, error, passes=passes)
        admission.skipped.append(stage.name)
        if passes:
            return Passed()
        unavailable = ServiceUnavailable(reason=f"the stage {stage.name!r} could not do its work")
        unavailable.__cause__ = error
        return Rejected(unavailable)
    publish(
        StageEnded(
            pipeline=admission.request.model,
            strategy=stage.name,
            outcome=_OUTCOMES[type(outcome)],
            seconds=time.perf_counter() - started,
        )
    )
    return outcome


def _tell_failure(admission: Admission, stage: str, error: Exception, *, passes: bool) -> None:
    publish(StageFailed(pipeline=admission.request.model, strategy=stage, error=error, open=passes))
