"""A call's way through the line of stages, and its answer's way back."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import Final, Generic, Self, TypeAlias, TypeVar, cast

import msgspec

from stormproof.errors import ClientError, ServiceUnavailable, StormproofError
from stormproof.providers import Chunk, Completion, Journey, Usage
from stormproof.recovery.events import bus, publish
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
)

T = TypeVar("T")
Asked = TypeVar("Asked", bound=Request)

_OUTCOMES: Final = {
    Passed: StageOutcome.PASSED,
    Changed: StageOutcome.CHANGED,
    Answered: StageOutcome.ANSWERED,
    Rejected: StageOutcome.REJECTED,
}


Entry: TypeAlias = tuple[str, Callable[[Call], Outcome | Awaitable[Outcome]], bool]
"""A stage's name, what has it look at a call, and whether one passes that it could not look at."""


class Admission(msgspec.Struct, Generic[Asked], eq=False):
    """A request that is let in; a struct, since each request makes one.

    Attributes:
        request: What a model is to be asked.
        answer: What a stage has answered, in place of a model; None if one has to be asked.
        companions: What sees the answer, by the names of stages, in their order.
        skipped: Stages that could not do their work, and that the call passed without.
        slow: Whether somebody looks for long at answers; see `answered`.
    """

    _entries: Sequence[Entry]
    request: Asked
    _caller: Caller
    _journey: Journey
    _cache_use: CacheUse
    answer: Completion | None = None
    companions: list[tuple[str, Companion]] = []
    skipped: list[str] = []
    slow: bool = False
    _refused: StormproofError | None = None
    _usage: Usage | None = None
    _watching: Sequence[tuple[str, Companion]] | None = None

    async def __aenter__(self) -> Self:
        looks: list[Look] = []
        call = Call(self.request, self._caller, cache_use=self._cache_use)
        ended = time.perf_counter()
        try:
            for stage, enter, fails_open in self._entries:
                began = ended
                try:
                    entered = enter(call)
                    outcome = entered if isinstance(entered, msgspec.Struct) else await entered
                    kind = _OUTCOMES[type(outcome)]
                except Exception as error:  # noqa: BLE001 - the settings say how bad this is
                    kind, outcome = self._without(stage, error, passes=fails_open)
                ended = time.perf_counter()
                looks.append(Look(stage, kind, ended - began))
                if outcome is not PASSED:
                    following = self._after(call, stage, outcome)
                    if following is None:
                        break
                    call = following
        except BaseException as interrupt:
            await self._settle(interrupt)
            raise
        finally:
            if bus.listeners:
                publish(StagesEnded(pipeline=self.request.model, strategy="reflex", looks=looks))
        if self._refused:
            await self._settle(self._refused)
            raise self._refused
        return self

    def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> Awaitable[None]:
        return self._settle(None) if error is None else self._break_off(error)

    async def _break_off(self, error: BaseException) -> None:
        await self._settle(error)
        if isinstance(error, StormproofError) and self.private:
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
        return await asyncio.to_thread(self.whole, answer) if self.slow else self.whole(answer)

    def whole(self, answer: Completion) -> Completion:
        """Return a model's answer as the caller is to have it.

        Raises:
            StormproofError: He is not to have it.
        """
        if answer is not self.answer:
            self._usage = answer.usage
        for name, companion in reversed(self.companions):
            try:
                answer = companion.whole(answer)
            except StormproofError:
                raise
            except Exception as error:
                raise self._unseen(name, error) from error
        return answer

    async def stream(self, chunks: AsyncGenerator[Chunk, None]) -> AsyncGenerator[Chunk, None]:
        """Yield a model's answer as the caller is to have it; close it.

        Raises:
            StormproofError: While iterating: he is not to have the rest.
        """
        async with aclosing(chunks):
            async for chunk in chunks:
                for piece in await self.pieces(chunk) if self.slow else self._past(chunk):
                    yield piece
        for piece in await self.rest():
            yield piece

    async def pieces(self, chunk: Chunk) -> Sequence[Chunk]:
        """Return what the caller is to have when a model has said another piece.

        Raises:
            StormproofError: He is not to have the rest.
        """
        return await asyncio.to_thread(self._past, chunk) if self.slow else self._past(chunk)

    async def rest(self) -> Sequence[Chunk]:
        """Return what else he is to have when it says no more.

        Raises:
            StormproofError: He is not to have it.
        """
        return await asyncio.to_thread(self._left) if self.slow else self._left()

    def _past(self, chunk: Chunk) -> Sequence[Chunk]:
        """Return what becomes of a piece on its way past all who look at it."""
        if self.answer is None:
            self._usage = chunk.usage or self._usage
        watching = self._who_watches()
        return self._through(watching, [chunk]) if watching else (chunk,)

    def _left(self) -> Sequence[Chunk]:
        left, pieces = self._who_watches(), list[Chunk]()
        while left:
            (name, companion), *left = left
            pieces += self._through(left, self._seen(name, _rest, companion))
        return pieces

    def _who_watches(self) -> Sequence[tuple[str, Companion]]:
        """Return who looks at pieces, in the order in which they pass."""
        if self._watching is None:
            last_first = reversed(self.companions)
            self._watching = [
                named for named in last_first if type(named[1]).piece is not Companion.piece
            ]
        return self._watching

    def _through(
        self, companions: Sequence[tuple[str, Companion]], pieces: Sequence[Chunk]
    ) -> Sequence[Chunk]:
        """Return what becomes of pieces on their way past companions."""
        for name, companion in companions:
            seen = self._seen(name, _pieces, companion, pieces)
            restarts = pieces and pieces[0].restarts
            pieces = _marked(seen, pieces[0].index) if restarts else seen
        return pieces

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
            raise self._unseen(name, error) from error

    def _unseen(self, name: str, error: Exception) -> StormproofError:
        """Return what a caller gets whose answer a companion could not look at."""
        self._tell_failure(name, error, passes=False)
        return _unable(name)

    def _after(self, call: Call, stage: str, outcome: Outcome) -> Call | None:
        """Take note of what a stage makes of a call; return how it goes on, None if it does not."""
        if type(outcome) is Rejected:
            self._refused = outcome.error
            return None
        if type(outcome) is Answered:
            self.answer, self._journey.rung = outcome.answer, stage
            return None
        companion = outcome.companion
        if companion:
            self.companions.append((stage, companion))
            self.slow = self.slow or companion.slow
        if type(outcome) is Changed:
            self.request = cast("Asked", outcome.request)  # it says something else, of a kind
            return self._call(private=self.private)
        if outcome.remembered:
            self._journey.remembered = outcome.remembered
        return self._call(private=True) if companion and companion.private else call

    def _call(self, *, private: bool) -> Call:
        return Call(self.request, self._caller, private, self._cache_use)

    def _without(
        self, stage: str, error: Exception, *, passes: bool
    ) -> tuple[StageOutcome, Outcome]:
        """Return what becomes of a call that a stage could not look at."""
        self._tell_failure(stage, error, passes=passes)
        self.skipped.append(stage)
        if passes:
            return StageOutcome.SKIPPED, Passed()
        if isinstance(error, ClientError):
            return StageOutcome.FAILED, Rejected(error)
        unavailable = _unable(stage)
        unavailable.__cause__ = error
        return StageOutcome.FAILED, Rejected(unavailable)

    async def _settle(self, error: BaseException | None) -> None:
        """Tell every companion what has become of the call."""
        asked = self.answer is None
        ending = Ending(self._journey, self._usage, error, self.private, asked)
        interrupt: BaseException | None = None
        for name, companion in reversed(self.companions):
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


def _marked(pieces: Sequence[Chunk], index: int) -> Sequence[Chunk]:
    """Return what there is to say where an answer begins again: the first says that it does."""
    first, *others = pieces or [Chunk(index)]
    return [
        msgspec.structs.replace(first, restarts=True),
        *(msgspec.structs.replace(other, restarts=False) for other in others),
    ]
