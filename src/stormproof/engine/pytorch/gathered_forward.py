"""A forward pass in plain PyTorch, for any device."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

import torch

from stormproof.engine.pytorch.attention import attend, padding, plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stormproof.engine.pytorch.kv_cache import KVCache
    from stormproof.engine.pytorch.transformer import Transformer
    from stormproof.engine.scheduling.batch import StepBatch


class GatheredForward:
    """Gathers what rows attend to, and multiplies it; see `Forward`.

    Args:
        transformer: The model.
        cache: Its cache, on the same device.
    """

    def __init__(self, transformer: Transformer, cache: KVCache) -> None:
        self._transformer = transformer
        self._cache = cache
        self._config = transformer.config
        self._device = transformer.embedding.device

    def __call__(self, batch: StepBatch, counts: Sequence[int]) -> torch.Tensor:
        """See `Forward`."""
        count = len(batch.token_ids)
        sharing = self._config.heads // self._config.kv_heads
        block_size = self._cache.block_size
        plans = {
            window: plan(
                batch, block_size=block_size, sharing=sharing, window=window, device=self._device
            )
            for window in {kind.window for kind in self._config.layer_kinds}
        }
        positions = _positions(batch)
        places = _slots(batch, block_size)
        slots = self._tensor(places)
        begun = [slot // block_size for slot in places if slot % block_size == 0]
        if begun:
            self._cache.wipe(self._tensor(begun))

        def attend_rows(
            layer: int, queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor
        ) -> torch.Tensor:
            self._cache.write(layer, slots, keys[:count], values[:count])
            return attend(
                queries,
                plans[self._config.kind(layer).window],
                self._cache,
                layer,
                scale=self._config.attention_scale,
                softcap=self._config.attention_softcap,
            )

        rows = self._transformer.hidden(
            self._padded(batch.token_ids), self._padded(positions), attend_rows
        )
        ends = accumulate(batch.query_lengths)
        last = [row for end, n in zip(ends, counts, strict=True) for row in range(end - n, end)]
        return self._transformer.logits(rows[self._padded(last)])[: len(last)]

    def _padded(self, numbers: list[int]) -> torch.Tensor:
        return self._tensor(numbers + [0] * padding(len(numbers)))

    def _tensor(self, numbers: list[int]) -> torch.Tensor:
        return torch.tensor(numbers, device=self._device, dtype=torch.int64)


def _positions(batch: StepBatch) -> list[int]:
    """The positions [rows] of the rows in their sequences."""
    pairs = zip(batch.query_lengths, batch.context_lengths, strict=True)
    return [position for length, end in pairs for position in range(end - length, end)]


def _slots(batch: StepBatch, block_size: int) -> list[int]:
    """The places [rows] where the rows are cached: ``block * block_size + offset``."""
    sequences = zip(batch.query_lengths, batch.context_lengths, batch.block_tables, strict=True)
    return [
        blocks[position // block_size] * block_size + position % block_size
        for length, end, blocks in sequences
        for position in range(end - length, end)
    ]
