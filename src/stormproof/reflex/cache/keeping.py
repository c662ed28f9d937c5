"""Sees a model's answer, and keeps it if it is one to be kept."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Final, TypeAlias

from msgspec import Struct

from stormproof.providers import Chunk, Completion
from stormproof.providers.collector import Collector
from stormproof.reflex.cache.flights import Flight
from stormproof.reflex.stage import Companion, Ending

_ENDS: Final = frozenset({"stop", "tool_calls", "function_call"})
"""Reasons to finish of an answer that is all that the model had to say."""

_MOST_PIECES: Final = 1 << 16
"""Of a stream that is kept."""

Keep: TypeAlias = Callable[[Completion], Awaitable[None] | None]
"""Keeps an answer; returns what is waited for, or None where it is done."""


class Keeping(Struct, Companion, eq=False):
    """Goes with a call whose answer is to be kept.

    Attributes:
        keep: Keeps an answer.
        flight: Those who wait for it; None if nobody can.
    """

    keep: Keep
    flight: Flight | None = None
    _answer: Completion | None = None
    _collector: Collector | None = None
    _pieces: int = 0

    def whole(self, answer: Completion) -> Completion:
        """Take note of an answer."""
        self._answer = answer
        return answer

    def piece(self, chunk: Chunk) -> Iterable[Chunk]:
        """Take note of a piece of one."""
        if self._collector is None:
            self._collector = Collector()
        self._pieces += 1
        if self._pieces <= _MOST_PIECES:
            self._collector.add(chunk)
        return (chunk,)

    def settle(self, ending: Ending) -> Awaitable[None] | None:
        """Keep the answer, if it may be kept, and then tell it to those who wait for it."""
        if ending.error is not None:
            if self.flight:
                self.flight.hand_over()
            return None
        for_others = ending.asked and not (ending.private or ending.journey.degraded)
        answer = writing = None
        try:
            if for_others:
                answer = self._said()
            if answer and _is_whole(answer):
                writing = self.keep(answer)
        finally:
            if self.flight and writing is None:
                self.flight.land(answer)
        return self._written(writing, answer) if writing else None

    async def _written(self, writing: Awaitable[None], answer: Completion | None) -> None:
        try:
            await writing
        finally:
            if self.flight:
                self.flight.land(answer)

    def _said(self) -> Completion | None:
        if self._collector is None or self._pieces > _MOST_PIECES:
            return self._answer
        return self._collector.completion()


def _is_whole(answer: Completion) -> bool:
    for choice in answer.choices:
        reason = choice.get("finish_reason")
        if reason not in _ENDS:
            return False
    return True
