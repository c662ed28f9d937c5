"""What a runner asks of whatever computes, and how that ends for good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from stormproof.engine.scheduling.batch import StepBatch


class Forward(Protocol):
    """A forward pass of one model, with its cache."""

    def __call__(self, batch: StepBatch, counts: Sequence[int]) -> torch.Tensor:
        """Writes the batch into the cache and predicts what follows each sequence's last rows.

        Args:
            batch: What to read; its tokens are in the vocabulary.
            counts: For how many rows of each sequence. [sequences]

        Returns:
            float32 logits, sequence after sequence. [sum of counts, vocab]
        """
        ...


class DeviceLost(BaseException):
    """Nothing can be computed any more in this process, whichever request asks.

    It is no `Exception`, as no other request should be tried: the process has to be replaced, and
    whoever supervises it goes on in the next one.
    """
