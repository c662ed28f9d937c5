"""Laying the chunks of a step out as the rows of one forward pass."""

from collections.abc import Sequence

from stormproof.engine.batch import StepBatch
from stormproof.engine.scheduler import Chunk


def step_batch(chunks: Sequence[Chunk], block_size: int) -> StepBatch:
    """Flatten chunks into rows, each with its position and its place in the cache.

    Args:
        chunks: What to read. [sequences]
        block_size: Tokens in a cache block.
    """
    batch = StepBatch([], [], [], [], [], [])
    for chunk in chunks:
        sequence = chunk.sequence
        begin, end = sequence.computed, sequence.computed + chunk.length
        blocks = sequence.blocks[: -(-end // block_size)]
        batch.token_ids.extend(sequence.tokens[begin:end])
        batch.positions.extend(range(begin, end))
        batch.slots.extend(
            blocks[position // block_size] * block_size + position % block_size
            for position in range(begin, end)
        )
        batch.query_lengths.append(chunk.length)
        batch.context_lengths.append(end)
        batch.block_tables.append(blocks)
    return batch
