"""What the scheduler hands to the model, and what it asks of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stormproof.engine.architecture import ModelConfig
    from stormproof.engine.draw import Draw, Sampled
    from stormproof.errors import TensorError


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

    def step(
        self, batch: StepBatch, draws: Sequence[Draw | None]
    ) -> Sequence[Sampled | TensorError | None]:
        """Write the batch into the KV cache and choose the next tokens.

        A step that raises has changed nothing that matters: the same rows may be given again.

        Args:
            batch: Rows whose blocks the caller owns; no slot may appear twice.
            draws: How to choose the token after each sequence's last row; None where the rest of
                a prompt is still to come. [sequences]

        Returns:
            What was chosen, or the error of a sequence whose scores are not numbers. [sequences]
        """
        ...
