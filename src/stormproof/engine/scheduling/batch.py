"""What the scheduler hands to the model, and what it asks of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stormproof.engine.checkpoints.architecture import ModelConfig
    from stormproof.engine.sampling.draw import Draw, Sampled
    from stormproof.errors import TensorError


@dataclass(frozen=True, slots=True)
class StepBatch:
    """The rows of one forward pass, flattened over sequences.

    Attributes:
        token_ids: New tokens of all sequences, concatenated. [rows]
        query_lengths: New tokens per sequence. [sequences]
        context_lengths: Tokens in the cache once this step's are written. [sequences]
        block_tables: Physical blocks of each sequence, in order: token ``p`` lives in block
            ``p // block_size``. They may reach further than the context. [sequences, blocks]
    """

    token_ids: list[int]
    query_lengths: list[int]
    context_lengths: list[int]
    block_tables: list[list[int]]


class ModelRunner(Protocol):
    """A loaded model together with its KV cache."""

    config: ModelConfig

    def step(
        self, batch: StepBatch, draws: Sequence[Sequence[Draw]]
    ) -> Sequence[Sequence[Sampled | TensorError]]:
        """Write the batch into the KV cache and choose the next tokens.

        A step that raises has changed nothing that matters: the same rows may be given again.

        Args:
            batch: Rows whose blocks the caller owns; no place may be written to twice.
            draws: How to choose the tokens after each sequence's last rows, one draw a row: none
                where the rest of a prompt is still to come, several where drafted tokens are
                verified. [sequences, rows]

        Returns:
            What was chosen, or the error of a row in which nothing can be. [sequences, rows]
        """
        ...
