"""Drafting tokens that the model then verifies, several in one step.

A draft is cheap and may be wrong. The model reads it as if it were the answer and chooses, after
each of its tokens, with the random number that belongs to the position; the draft holds as far as
the choices are the tokens it guessed, and the first that is not takes their place. So the answer
is, token for token, what it is without drafts. Rejection sampling (Leviathan et al. 2023,
https://arxiv.org/abs/2211.17192) promises less: only the same distribution.

Every drafted token is one more row in a step. It pays if it is accepted more often than the tokens
that the time for a row is worth; so drafts get shorter and cease as more sequences run, as guesses
fail, and where rows are dear.
"""

import math
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from stormproof.engine.drafting.step_cost import StepCost
from stormproof.engine.scheduling.scheduler import Chunk
from stormproof.engine.scheduling.sequence import Sequence as TokenSequence

MAX_DRAFTED: Final = 8
"""Tokens drafted for one sequence in one step."""

_HOPE: Final = 0.6
"""How often a token is expected to be accepted, as long as none was tried."""

_LEARNING: Final = 0.2
_RECOVERY: Final = 0.01
"""Texts change: a request whose drafts failed is tried again every now and then."""

_LEAST_SHARE: Final = 0.02


class Drafter(Protocol):
    """Guesses how sequences go on."""

    def draft(self, wanted: Sequence[tuple[TokenSequence, int]]) -> list[list[int]]:
        """Return at most as many tokens as are wanted for each sequence."""
        ...

    def forget(self, sequence: TokenSequence) -> None:
        """Drop what is kept for a sequence that has ended."""
        ...


class Speculation:
    """Decides how many tokens to draft for whom.

    Args:
        drafter: Who guesses.
        clock: Seconds, for measuring what guesses cost.

    Attributes:
        drafted: Tokens that were drafted.
        accepted: How many of them were what the model chose.
    """

    def __init__(self, drafter: Drafter, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.drafted = 0
        self.accepted = 0
        self._drafter = drafter
        self._clock = clock
        self._cost = StepCost()
        self._guess_seconds = 0.0
        self._chances: dict[int, float] = {}

    def _wish(self, sequence: TokenSequence, running: int) -> int:
        """Say for how many tokens of a sequence it pays to guess."""
        chance = self._chances.get(sequence.seq_id, _HOPE)
        share = self._row_share(running)
        if chance <= share:
            self._chances[sequence.seq_id] = chance + _RECOVERY * (_HOPE - chance)
            self._guess_seconds *= 1 - _RECOVERY
            return 0
        return min(int(math.log(share) / math.log(chance)), MAX_DRAFTED)

    def _row_share(self, running: int) -> float:
        """Count the tokens that could be had elsewhere in the time for one drafted one."""
        step = self._cost.step_seconds(running)
        drafted = self._cost.row_seconds() + self._guess_seconds
        return max(running * drafted / step if step else 1.0, _LEAST_SHARE)

    def drafts(
        self,
        chunks: Sequence[Chunk],
        spare: int,
        reserve: Callable[[TokenSequence, int], int],
    ) -> dict[int, tuple[int, ...]]:
        """Guess how sequences go on.

        Args:
            chunks: What takes part in the step.
            spare: How many tokens the step has room for besides.
            reserve: Makes room for as many tokens of a sequence as it can, and says how many.

        Returns:
            What was guessed, by number of the sequence.
        """
        wanted: list[tuple[TokenSequence, int]] = []
        for sequence in [chunk.sequence for chunk in chunks if _generates(chunk)]:
            if spare <= 0:
                break
            wish = min(self._wish(sequence, len(chunks)), spare)
            count = reserve(sequence, wish) if wish else 0
            if count > 0:
                wanted.append((sequence, count))
                spare -= count
        return self._guess(wanted) if wanted else {}

    def _guess(self, wanted: Sequence[tuple[TokenSequence, int]]) -> dict[int, tuple[int, ...]]:
        started = self._clock()
        guesses = self._drafter.draft(wanted)
        # What nothing came of was paid for as well.
        seconds = (self._clock() - started) / max(sum(map(len, guesses)), 1)
        self._guess_seconds += _LEARNING * (seconds - self._guess_seconds)
        pairs = zip(wanted, guesses, strict=True)
        return {sequence.seq_id: tuple(guess) for (sequence, _), guess in pairs if guess}

    def record_step(self, rows: int, seconds: float) -> None:
        """Learn from a step in which a token was chosen after every row."""
        self._cost.record(rows, seconds)

    def record(self, sequence: TokenSequence, drafted: int, accepted: int) -> None:
        """Learn from a draft how good guesses for a sequence are."""
        self.drafted += drafted
        self.accepted += accepted
        chance = self._chances.get(sequence.seq_id, _HOPE)
        for _ in range(accepted):
            chance += _LEARNING * (1 - chance)
        if accepted < drafted:
            chance -= _LEARNING * chance
        self._chances[sequence.seq_id] = min(chance, 0.99)

    def forget(self, sequence: TokenSequence) -> None:
        """Drop what is known of a sequence that has ended."""
        self._chances.pop(sequence.seq_id, None)
        self._drafter.forget(sequence)


def _generates(chunk: Chunk) -> bool:
    return chunk.length == 1 and chunk.is_last and not chunk.sequence.alone
