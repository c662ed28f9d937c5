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
            For each at most as many tokens; none where the model fails, sees no further, or has
            still to read what came before, of which it reads one step's worth a time.
        """
        guesses: list[list[int]] = [[] for _ in wanted]
        context = self._runner.config.max_context
        try:
            mirrors = self._caught_up([sequence for sequence, _ in wanted])
            while open_ := [
                place
                for place, (sequence, count) in enumerate(wanted)
                if len(guesses[place]) < count
                and len(sequence.tokens) <= len(mirrors[place].tokens) <= context
            ]:
                self._guess([(wanted[place][0], mirrors[place], guesses[place]) for place in open_])
        except StormproofError:
            self._mirrors.clear()
        return guesses

    def forget(self, sequence: TokenSequence) -> None:
        """Drop what is known of a sequence that has ended."""
        self._mirrors.pop(sequence.seq_id, None)

    def _caught_up(self, sequences: Sequence[TokenSequence]) -> list["_Mirror"]:
        """Read what sequences have become since the last draft, as far as one step goes."""
        spare = self._step_tokens
        mirrors: list[_Mirror] = []
        for sequence in sequences:
            mirror = self._mirrors.setdefault(sequence.seq_id, _Mirror())
            begin = mirror.keep(sequence, self._block_size)
            last = min(len(sequence.tokens), self._runner.config.max_context) - 1
            end = min(begin + spare, last)
            if begin < end:
                tokens = sequence.tokens[begin:end]
                self._runner.step(StepBatch(tokens, [end - begin], [end], [sequence.blocks]), [[]])
                spare -= end - begin
            mirror.follow(sequence, end)
            mirrors.append(mirror)
        return mirrors

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

    def follow(self, sequence: TokenSequence, read: int) -> None:
        """Be what the sequence is up to the first token that was not read."""
        self.tokens = sequence.tokens[: read + 1]
        self._blocks = list(sequence.blocks)
        self._certain = read
