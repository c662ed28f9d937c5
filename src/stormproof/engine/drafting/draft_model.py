"""Guessing how a text goes on with a smaller model.

Speculative decoding: Leviathan et al. 2023, https://arxiv.org/abs/2211.17192. The small model has a
cache with as many blocks as the large one, in which a sequence has the blocks of the same numbers:
nothing is allocated twice. It chooses with the random numbers that the large model will choose
with, so the two agree on sampled tokens about as often as on greedy ones.
"""

from collections.abc import Sequence
from typing import Final

from stormproof.engine.sampling.draw import Draw, Sampled
from stormproof.engine.scheduling.batch import ModelRunner, StepBatch
from stormproof.engine.scheduling.sequence import Sequence as TokenSequence
from stormproof.errors import StormproofError


class DraftModel:
    """Drafts for any number of sequences, a token for each of them in one step.

    Args:
        runner: The small model; its tokens are those of the large one.
        block_size: Tokens in a block.
        step_tokens: Tokens that it may read in one step.
    """

    def __init__(self, runner: ModelRunner, *, block_size: int, step_tokens: int) -> None:
        self._runner = runner
        self._block_size: Final = block_size
        self._step_tokens: Final = step_tokens
        self._mirrors: dict[int, _Mirror] = {}

    def draft(self, wanted: Sequence[tuple[TokenSequence, int]]) -> list[list[int]]:
        """Guess what follows.

        Args:
            wanted: Sequences, and how many tokens to guess for each.

        Returns:
            For each at most as many tokens; none where the model fails, or sees no further.
        """
        guesses: list[list[int]] = [[] for _ in wanted]
        context = self._runner.config.max_context
        try:
            mirrors = [self._caught_up(sequence) for sequence, _ in wanted]
            while open_ := [
                place
                for place, (_, count) in enumerate(wanted)
                if len(guesses[place]) < count and len(mirrors[place].tokens) <= context
            ]:
                self._guess([(wanted[place][0], mirrors[place], guesses[place]) for place in open_])
        except StormproofError:
            self._mirrors.clear()
        return guesses

    def forget(self, sequence: TokenSequence) -> None:
        """Drop what is known of a sequence that has ended."""
        self._mirrors.pop(sequence.seq_id, None)

    def _caught_up(self, sequence: TokenSequence) -> "_Mirror":
        """Read what a sequence has become since the last draft, up to its last token."""
        mirror = self._mirrors.setdefault(sequence.seq_id, _Mirror())
        last = min(len(sequence.tokens), self._runner.config.max_context) - 1
        begin = mirror.keep(sequence, self._block_size)
        for start in range(begin, last, self._step_tokens):
            end = min(start + self._step_tokens, last)
            tokens = sequence.tokens[start:end]
            self._runner.step(StepBatch(tokens, [end - start], [end], [sequence.blocks]), [[]])
        mirror.follow(sequence)
        return mirror

    def _guess(self, open_: Sequence[tuple[TokenSequence, "_Mirror", list[int]]]) -> None:
        """Have the model read the last token of each mirror, and add the one that it chooses."""
        batch = StepBatch([], [], [], [])
        draws: list[list[Draw]] = []
        for sequence, mirror, _ in open_:
            batch.token_ids.append(mirror.tokens[-1])
            batch.query_lengths.append(1)
            batch.context_lengths.append(len(mirror.tokens))
            batch.block_tables.append(sequence.blocks)
            draws.append([Draw(sequence.params, sequence.seed, len(mirror.tokens))])
        chosen = self._runner.step(batch, draws)
        for (_, mirror, guess), (result,) in zip(open_, chosen, strict=True):
            if not isinstance(result, Sampled):
                raise result
            guess.append(result.token_id)
            mirror.tokens.append(result.token_id)


class _Mirror:
    """What the small model has read of a sequence, save for the last token, and where it lies."""

    def __init__(self) -> None:
        self.tokens: list[int] = []
        self._blocks: list[int] = []
        self._certain = 0

    def keep(self, sequence: TokenSequence, block_size: int) -> int:
        """Return how many of the tokens need not be read again: neither guessed wrong nor moved."""
        right = min(self._certain, len(sequence.tokens))
        pairs = zip(self.tokens[right:-1], sequence.tokens[right:], strict=False)
        for guess, token in pairs:
            if guess != token:
                break
            right += 1
        places = enumerate(zip(self._blocks, sequence.blocks, strict=False))
        moved = next((place for place, (mine, its) in places if mine != its), len(self._blocks))
        return min(right, moved * block_size)

    def follow(self, sequence: TokenSequence) -> None:
        """Be what the sequence is, all of it read but for its last token."""
        self.tokens = list(sequence.tokens)
        self._blocks = list(sequence.blocks)
        self._certain = len(sequence.tokens) - 1
