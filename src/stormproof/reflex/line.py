"""The stages in one line, and a call's way through them and back."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from types import TracebackType
from typing import Final, Generic, Self, TypeVar, cast

import msgspec

from stormproof.errors import ClientError, ServiceUnavailable, StormproofError
from stormproof.providers import Chunk, Completion, Journey, Usage
from stormproof.recovery import publish
from stormproof.reflex.cache_use import CacheUse
from stormproof.reflex.caller import Caller
from stormproof.reflex.discretion import discreet
from stormproof.reflex.events import Look, StageFailed, StageOutcome, StagesEnded
from stormproof.reflex.stage import (
    PASSED,
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

T = TypeVar("T")
Asked = TypeVar("Asked", bound=Request)

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
        return await admission.answered(answer)
    ```

    Args:
        steps: The stages, in their order.
    """

    def __init__(self, steps: Sequence[Step] = ()) -> None:
        self._steps = steps

    @property
    def stages(self) -> Sequence[Stage]:
        """What a request passes, in this order."""
        return [step.stage for step in self._steps]

    def admitted(
        self,
        request: Asked,
        caller: Caller,
        journey: Journey,
        *,
        cache_use: CacheUse = CacheUse.FULL,
    ) -> "Admission[Asked]":
        """Return what lets a request in, for as long as it is answered.

        To be entered with ``async with``, which raises `StormproofError` where a stage rejects the
        request, or cannot do its work. What was taken for the call is settled at the end: leave it
        before the end of the answer is sent, and what is written down then outlives this process.

        Args:
            request: What is asked.
            caller: Who asks.
            journey: Where it is written down who answered, and at what price.
            cache_use: What he wants of answers that were kept.
        """
        return Admission(self._steps, request, caller, journey, cache_use)


class Admission(Generic[Asked]):
    """A request that is let in; a class, since each request enters one.

    Attributes:
        request: What a model is to be asked.
        answer: What a stage has answered, in place of a model; None if one has to be asked.
        companions: What sees the answer, by the names of stages, in their order.
        skipped: Stages that could not do their work, and that the call passed without.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        request: Asked,
        caller: Caller,
        journey: Journey,
        cache_use: CacheUse,
    ) -> None:
        self._steps = steps
        self.request = request
        self._caller = caller
        self._journey = journey
        journey.guarded = True
        self._cache_use = cache_use
        self.answer: Completion | None = None
        self.companions: Final[list[tuple[str, Companion]]] = []
        self.skipped: Final[list[str]] = []
        self._refused: StormproofError | None = None
        self._usage: Usage | None = None
        self._slow = False

    async def __aenter__(self) -> Self:
        looks: list[Look] = []
        try:
            await self._enter(looks)
        except BaseException as interrupt:
            await self._settle(interrupt)
            raise
        finally:
            publish(StagesEnded(pipeline=self.request.model, strategy="reflex", looks=looks))
        if self._refused:
            await self._settle(self._refused)
            raise self._refused
        return self

    @cached_property
    def _watching(self) -> Sequence[tuple[str, Companion]]:
        """Who looks at pieces, in the order in which they pass."""
        last_first = reversed(self.companions)
        return [named for named in last_first if type(named[1]).piece is not Companion.piece]

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.companions:
            await self._settle(error)
        if error and isinstance(error, StormproofError) and self.private:
            raise discreet(error) from None

    @property
    def private(self) -> bool:
        """Whether something was found that may not be kept."""
        found = False
        for _, companion in self.companions:
            found = found or companion.private
        return found

    def headers(self) -> dict[bytes, bytes]:
        """Return what the answer's headers are to say: of a refusal, beside what its error does."""
        said: dict[bytes, bytes] = {}
        for name, companion in self.companions:
            if type(companion).headers is Companion.headers:
                continue  # which says nothing
            try:
                said.update(companion.headers())
            except Exception as error:  # noqa: BLE001 - the answer is not worse for it
                self._tell_failure(name, error, passes=True)
        if self.skipped:
            said[b"x-stormproof-skipped"] = ", ".join(self.skipped).encode()
        return said

    def used(self, usage: Usage) -> None:
        """Take note of the tokens that a model has counted."""
        self._usage = usage

    async def answered(self, answer: Completion) -> Completion:
        """Return what `whole` does; who looks for long at the answer keeps nobody waiting.

        Raises:
            StormproofError: As there.
        """
        return await asyncio.to_thread(self.whole, answer) if self._slow else self.whole(answer)

    def whole(self, answer: Completion) -> Completion:
        """Return a model's answer as the caller is to have it.

        Raises:
            StormproofError: He is not to have it.
        """
        if answer is not self.answer:
            self._usage = answer.usage
        for name, companion in reversed(self.companions):
            if type(companion).whole is not Companion.whole:
                answer = self._seen(name, companion.whole, answer)
        return answer

    async def stream(self, chunks: AsyncGenerator[Chunk, None]) -> AsyncGenerator[Chunk, None]:
        """Yield a model's answer as the caller is to have it; close it.

        Raises:
            StormproofError: While iterating: he is not to have the rest.
        """
        async with aclosing(chunks):
            async for chunk in chunks:
                for piece in await self.pieces(chunk):
                    yield piece
        for piece in await self.rest():
            yield piece

    async def pieces(self, chunk: Chunk) -> Sequence[Chunk]:
        """Return what the caller is to have when a model has said another piece.

        Raises:
            StormproofError: He is not to have the rest.
        """
        if self.answer is None:
            self._usage = chunk.usage or self._usage
        if not self._watching:
            return (chunk,)
        return await self._looked(self._through, self._watching, [chunk])

    async def rest(self) -> Sequence[Chunk]:
        """Return what else he is to have when it says no more.

        Raises:
            StormproofError: He is not to have it.
        """
        return await self._looked(self._left)

    def _left(self) -> Sequence[Chunk]:
        left, pieces = self._watching, list[Chunk]()
        while left:
            (name, companion), *left = left
            pieces += self._through(left, self._seen(name, _rest, companion))
        return pieces

    def _through(
        self, companions: Sequence[tuple[str, Companion]], pieces: Sequence[Chunk]
    ) -> Sequence[Chunk]:
        """Return what becomes of pieces on their way past companions."""
        for name, companion in companions:
            seen = self._seen(name, _pieces, companion, pieces)
            pieces = _marked(seen, pieces[0].index) if _begin_again(pieces) else seen
        return pieces

    async def _looked(self, look: Callable[..., T], *seen: object) -> T:
        return await asyncio.to_thread(look, *seen) if self._slow else look(*seen)

    def _seen(self, name: str, look: Callable[..., T], *seen: object) -> T:
        """Return what a companion makes of an answer, which it may not keep by failing.

        Raises:
            StormproofError: The caller is not to have it, or it could not be looked at.
        """
        try:
            return look(*seen)
        except StormproofError:
            raise
        except Exception as error:
            self._tell_failure(name, error, passes=False)
            raise _unable(name) from error

    async def _enter(self, looks: list[Look]) -> None:
        call, ended = self._call(), time.perf_counter()
        for step in self._steps:
            stage, began = step.stage, ended
            try:
                entered = stage.enter(call)
                outcome = entered if isinstance(entered, msgspec.Struct) else await entered
                kind = _OUTCOMES[type(outcome)]
            except Exception as error:  # noqa: BLE001 - the settings say how bad this is
                kind, outcome = self._without(step, error)
            ended = time.perf_counter()
            looks.append(Look(stage.name, kind, ended - began))
            if outcome is PASSED:
                continue
            following = self._after(call, stage.name, outcome)
            if following is None:
                return
            call = following

    def _after(self, call: Call, stage: str, outcome: Outcome) -> Call | None:
        """Take note of what a stage makes of a call; return how it goes on, None if it does not."""
        if isinstance(outcome, Rejected):
            self._refused = outcome.error
            return None
        if isinstance(outcome, Answered):
            self.answer, self._journey.rung = outcome.answer, stage
            return None
        companion = outcome.companion
        if companion:
            self.companions.append((stage, companion))
            self._slow = self._slow or companion.slow
        if isinstance(outcome, Changed):
            self.request = cast("Asked", outcome.request)  # it says something else, of a kind
            return self._call()
        if outcome.remembered:
            self._journey.remembered = outcome.remembered
        return self._call() if companion and companion.private else call

    def _call(self) -> Call:
        return Call(self.request, self._caller, self.private, self._cache_use)

    def _without(self, step: Step, error: Exception) -> tuple[StageOutcome, Outcome]:
        """Return what becomes of a call that a stage could not look at."""
        name, passes = step.stage.name, step.on_failure is OnFailure.OPEN
        self._tell_failure(name, error, passes=passes)
        self.skipped.append(name)
        if passes:
            return StageOutcome.SKIPPED, Passed()
        if isinstance(error, ClientError):
            return StageOutcome.FAILED, Rejected(error)
        unavailable = _unable(name)
        unavailable.__cause__ = error
        return StageOutcome.FAILED, Rejected(unavailable)

    async def _settle(self, error: BaseException | None) -> None:
        """Tell every companion what has become of the call."""
        asked = self.answer is None
        ending = Ending(self._journey, self._usage, error, self.private, asked)
        interrupt: BaseException | None = None
        for name, companion in reversed(self.companions):
            if type(companion).settle is Companion.settle:
                continue  # which takes no note
            try:
                if settled := companion.settle(ending):
                    await settled
            except Exception as failure:  # noqa: BLE001 - nothing can be changed; others are told too
                self._tell_failure(name, failure, passes=True)
            except BaseException as caught:  # noqa: BLE001 - the others give back what they took
                interrupt = caught
        if interrupt:
            raise interrupt

    def _tell_failure(self, stage: str, error: Exception, *, passes: bool) -> None:
        model = self.request.model
        publish(StageFailed(pipeline=model, strategy=stage, error=error, open=passes))


def _unable(stage: str) -> ServiceUnavailable:
    return ServiceUnavailable(reason=f"the stage {stage!r} could not do its work")


def _pieces(companion: Companion, pieces: Sequence[Chunk]) -> Sequence[Chunk]:
    return [out for piece in pieces for out in companion.piece(piece)]


def _rest(companion: Companion) -> Sequence[Chunk]:
    return list(companion.rest())


def _begin_again(pieces: Sequence[Chunk]) -> bool:
    return len(pieces) > 0 and pieces[0].restarts


def _marked(pieces: Sequence[Chunk], index: int) -> Sequence[Chunk]:
    """Return what there is to say where an answer begins again: the first says that it does."""
    first, *others = pieces or [Chunk(index)]
    return [
        msgspec.structs.replace(first, restarts=True),
        *(msgspec.structs.replace(other, restarts=False) for other in others),
    ]
