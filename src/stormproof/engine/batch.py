"""What the scheduler hands to the model, and what it asks of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch

    from stormproof.engine.architecture import ModelConfig


@dataclass(frozen=True, slots=True)
class StepBatch:
    """The rows of one forward pass, flattened over sequences.

    Attributes:
        token_ids: New tokens of all sequences, concatenated. [rows]
        positions: Position of each new token in its sequence. [rows]
        slots: KV slot each new token is written to: ``block * block_size + offset``. [rows]
        query_lengths: New tokens per sequence. [sequences]
        context_lengths: Tokens in the cache once this step's are written. [sequences]
        block_tables: Physical blocks of each sequence, in order. [sequences, blocks]
    """

    token_ids: list[int]
    positions: list[int]
    slots: list[int]
    query_lengths: list[int]
    context_lengths: list[int]
    block_tables: list[list[int]]


class ModelRunner(Protocol):
    """A loaded model together with its KV cache."""

    config: ModelConfig

    def forward(self, batch: StepBatch) -> torch.Tensor:
        """Writes the batch into the KV cache and predicts each sequence's next token.

        Args:
            batch: Rows whose blocks the caller owns; no slot may appear twice.

        Returns:
            float32 logits of each sequence's last row. [sequences, vocab]
        """
        ...
