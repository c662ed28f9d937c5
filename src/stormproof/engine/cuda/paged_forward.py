"""A forward pass by the kernels of this package."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from stormproof.engine.cuda.operations import TritonOperations
from stormproof.engine.cuda.paged_attention import attend, store
from stormproof.engine.cuda.paged_batch import lay_out
from stormproof.errors import TensorError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from stormproof.engine.batch import StepBatch
    from stormproof.engine.cuda.paged_batch import PagedBatch
    from stormproof.engine.kv_cache import KVCache
    from stormproof.engine.transformer import Transformer


class PagedForward:
    """Reads batches, on the device where the model is; see `Forward`.

    Args:
        transformer: The model.
        cache: Its cache, on the same device.
    """

    def __init__(self, transformer: Transformer, cache: KVCache) -> None:
        self._transformer = replace(transformer, operations=TritonOperations())
        self._cache = cache
        self._config = transformer.config
        self._device = transformer.embedding.device

    def __call__(self, batch: StepBatch, counts: Sequence[int]) -> torch.Tensor:
        """See `Forward`.

        Raises:
            TensorError: The batch names a block that the cache does not have.
        """
        blocks = range(self._cache.num_blocks)
        if any(block not in blocks for table in batch.block_tables for block in table):
            # A kernel would write there, into whatever it is.
            raise TensorError(reason="a block is outside the cache")
        layout = lay_out(
            batch,
            counts,
            block_size=self._cache.block_size,
            sharing=self._config.heads // self._config.kv_heads,
        )
        return self._compute(layout.batch(self._on_device(layout.flat())))

    def _on_device(self, flat: torch.Tensor) -> torch.Tensor:
        if self._device.type == "cuda":
            flat = flat.pin_memory()  # copied while the host goes on
        return flat.to(self._device, non_blocking=True)

    def _compute(self, batch: PagedBatch) -> torch.Tensor:
        def attend_rows(
            layer: int, queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor
        ) -> torch.Tensor:
            store(self._cache, layer, batch.slots, keys, values)
            return attend(
                queries,
                batch,
                self._cache,
                layer,
                scale=self._config.attention_scale,
                softcap=self._config.attention_softcap,
                window=self._config.kind(layer).window,
            )

        rows = self._transformer.hidden(batch.token_ids, batch.positions, attend_rows)
        return self._transformer.logits(rows[batch.last])
