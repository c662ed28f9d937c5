"""The part of a model that one of several processes computes.

Shoeybi et al., "Megatron-LM", https://arxiv.org/abs/1909.08053: heads and the inner width of the
MLP are shared out, so that each layer adds up twice what the processes found; each scores a part of
the vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import distributed

from stormproof.errors import ConfigurationError

if TYPE_CHECKING:
    from stormproof.engine.checkpoints.architecture import ModelConfig


@dataclass(frozen=True, slots=True)
class Shard:
    """One of ``count`` equal parts; the whole model, unless it says otherwise.

    Attributes:
        rank: Which, from 0.
        count: How many there are.
    """

    rank: int = 0
    count: int = 1

    def of(self, model: ModelConfig) -> ModelConfig:
        """The architecture of this part.

        Raises:
            ConfigurationError: It cannot be shared out evenly.
        """
        shared = {name: getattr(model, name) for name in ("heads", "kv_heads", "intermediate_size")}
        for name, size in shared.items():
            if size % self.count:
                reason = f"{size} {name.replace('_', ' ')} cannot be shared by {self.count}"
                raise ConfigurationError(setting="tensor_parallel", reason=reason)
        return replace(model, **{name: size // self.count for name, size in shared.items()})

    def part(self, tensor: torch.Tensor, dimension: int) -> torch.Tensor:
        """This part of a tensor along a dimension; the last part may be shorter."""
        if self.count == 1:
            return tensor
        size = -(-tensor.shape[dimension] // self.count)
        begin = min(self.rank * size, tensor.shape[dimension])
        length = min(size, tensor.shape[dimension] - begin)
        return tensor.narrow(dimension, begin, length).contiguous()

    def total(self, rows: torch.Tensor) -> torch.Tensor:
        """The sum of what all processes found."""
        if self.count > 1:
            distributed.all_reduce(rows)
        return rows

    def row_of_all(self, rows: torch.Tensor, width: int) -> torch.Tensor:
        """What all processes found side by side: [rows, width]."""
        if self.count == 1:
            return rows
        missing = -(-width // self.count) - rows.shape[1]
        mine = torch.nn.functional.pad(rows, (0, missing)).contiguous()
        parts = [torch.empty_like(mine) for _ in range(self.count)]
        distributed.all_gather(parts, mine)
        return torch.cat(parts, 1)[:, :width]


WHOLE = Shard()
