"""Laying the chunks of a step out as the rows of one forward pass."""

from collections.abc import Sequence

from stormproof.engine.scheduling.batch import StepBatch
from stormproof.engine.scheduling.scheduler import Chunk


def step_batch(chunks: Sequence[Chunk]) -> StepBatch:
    """Flatten chunks into rows.

    Args:
        chunks: What to read. [sequences]
    """
    batch = StepBatch([], [], [], [])
    for chunk in chunks:
        sequence = chunk.sequence
        end = sequence.computed + chunk.length
        batch.token_ids.extend(sequence.tokens[sequence.computed : end])
        batch.token_ids.extend(chunk.drafted)
        batch.query_lengths.append(chunk.rows)
        batch.context_lengths.append(end + len(chunk.drafted))
        batch.block_tables.append(sequence.blocks)
    return batch
