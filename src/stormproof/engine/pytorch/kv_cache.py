"""Keys and values of all sequences, in blocks that any sequence may own.

Paged attention: Kwon et al., "Efficient Memory Management for Large Language Model Serving with
PagedAttention", https://arxiv.org/abs/2309.06180.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from stormproof.engine.checkpoints.architecture import ModelConfig


class KVCache:
    """The cache of one model.

    A head's blocks lie together, so that gathering some of them gives what attention multiplies
    with, without another copy.

    Args:
        config: The model.
        num_blocks: How many blocks there are.
        block_size: Tokens in a block.
        device: Where the cache lies.
        dtype: What its numbers are.
    """

    def __init__(
        self,
        config: ModelConfig,
        *,
        num_blocks: int,
        block_size: int,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self.num_blocks = num_blocks
        self.block_size = block_size
        self.kv_heads = config.kv_heads
        shape = (config.layers, config.kv_heads, num_blocks, block_size, config.head_dim)
        self._keys = torch.zeros(shape, device=device, dtype=dtype)
        self._values = torch.zeros(shape, device=device, dtype=dtype)

    def layer(self, layer: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and values of a layer, in place: [kv_heads, blocks, block_size, head_dim] each."""
        return self._keys[layer], self._values[layer]

    def wipe(self, blocks: torch.Tensor) -> None:
        """Forgets what blocks hold, before they are used by another sequence.

        Attention weighs the slots that a sequence has not reached yet by exactly 0; but 0 times a
        NaN, left behind by a sequence that went wrong, would be NaN.

        Args:
            blocks: Which blocks. [blocks]
        """
        self._values.index_fill_(2, blocks, 0)

    def write(
        self, layer: int, slots: torch.Tensor, keys: torch.Tensor, values: torch.Tensor
    ) -> None:
        """Stores one row for each slot.

        Args:
            layer: Of which layer.
            slots: ``block * block_size + offset`` of each row. [rows]
            keys: [rows, kv_heads, head_dim]
            values: [rows, kv_heads, head_dim]
        """
        self._keys[layer].flatten(1, 2).index_copy_(1, slots, keys.transpose(0, 1))
        self._values[layer].flatten(1, 2).index_copy_(1, slots, values.transpose(0, 1))

    def read(self, layer: int, blocks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Gathers blocks.

        Args:
            layer: Of which layer.
            blocks: Which blocks, for each sequence. [sequences, blocks]

        Returns:
            Keys and values, each [kv_heads, sequences, blocks * block_size, head_dim].
        """
        wanted = blocks.flatten()
        shape = (self._keys.shape[1], *blocks.shape[:1], -1, self._keys.shape[-1])
        keys = self._keys[layer].index_select(1, wanted).view(shape)
        values = self._values[layer].index_select(1, wanted).view(shape)
        return keys, values
