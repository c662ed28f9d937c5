"""What a step must keep to before C++ may see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stormproof.errors import TensorError

if TYPE_CHECKING:
    from array import array
    from collections.abc import Sequence

    from stormproof.engine.checkpoints.architecture import ModelConfig
    from stormproof.engine.sampling.draw import Draw
    from stormproof.engine.scheduling.batch import StepBatch


class StepLimits:
    """The sizes that a step may have; beyond them lies memory of somebody else.

    Args:
        config: The model.
        num_blocks: Blocks in the cache.
        block_size: Tokens in a block.
        rows: Most rows of a step, and most draws.
    """

    def __init__(self, config: ModelConfig, *, num_blocks: int, block_size: int, rows: int) -> None:
        self.vocab = config.vocab_size
        self.rows = rows
        self._context = config.max_context
        self._blocks = num_blocks
        self._block_size = block_size

    def check(self, batch: StepBatch, draws: Sequence[Sequence[Draw]]) -> None:
        """Refuse a step that the library cannot be trusted with.

        Raises:
            TensorError: It exceeds the limits, or contradicts itself.
        """
        self._check_rows(batch)
        lengths, contexts, tables = batch.query_lengths, batch.context_lengths, batch.block_tables
        if not len(lengths) == len(contexts) == len(tables) == len(draws):
            raise TensorError(reason="the batch contradicts itself")
        for length, context, blocks, wanted in zip(lengths, contexts, tables, draws, strict=True):
            if not len(wanted) <= length <= context or length < 1:
                raise TensorError(reason="a sequence of the batch contradicts itself")
            if context > self._context or context > len(blocks) * self._block_size:
                raise TensorError(reason="a sequence is longer than its blocks or the context")

    def check_blocks(self, table: array[int]) -> None:
        """Refuse blocks that there are not.

        Raises:
            TensorError: One of them is outside the cache.
        """
        if min(table) < 0 or max(table) >= self._blocks:
            raise TensorError(reason="a block is outside the cache")

    def _check_rows(self, batch: StepBatch) -> None:
        tokens = batch.token_ids
        if not 0 < len(tokens) == sum(batch.query_lengths) <= self.rows:
            raise TensorError(reason="the batch has too many rows, or not those of its sequences")
        if min(tokens) < 0 or max(tokens) >= self.vocab:
            raise TensorError(reason="a token is outside the model's vocabulary")
