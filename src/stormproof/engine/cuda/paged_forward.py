"""A forward pass by the kernels of this package."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from stormproof.engine.cuda.decode_graphs import MOST_SEQUENCES, DecodeGraphs
from stormproof.engine.cuda.operations import TritonOperations
from stormproof.engine.cuda.paged_attention import attend, store
from stormproof.engine.cuda.paged_batch import lay_out, lay_out_decoding, on_device
from stormproof.errors import TensorError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from stormproof.engine.cuda.paged_batch import PagedBatch
    from stormproof.engine.pytorch.kv_cache import KVCache
    from stormproof.engine.pytorch.transformer import Transformer
    from stormproof.engine.scheduling.batch import StepBatch


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
        graphs = self._device.type == "cuda"
        self._graphs = DecodeGraphs(self._rows, self._device) if graphs else None

    def __call__(self, batch: StepBatch, counts: Sequence[int]) -> torch.Tensor:
        """See `Forward`.

        Raises:
            TensorError: The batch names a block that the cache does not have.
        """
        lowest, highest = min(map(min, batch.block_tables)), max(map(max, batch.block_tables))
        if lowest < 0 or highest >= self._cache.num_blocks:
            # A kernel would write there, into whatever it is.
            raise TensorError(reason="a block is outside the cache")
        if self._graphs and _decodes(batch, counts):
            rows = self._graphs(lay_out_decoding(batch, block_size=self._cache.block_size))
            return self._transformer.logits(rows[: len(counts)])
        layout = lay_out(
            batch,
            counts,
            block_size=self._cache.block_size,
            sharing=self._config.heads // self._config.kv_heads,
        )
        paged = layout.batch(on_device(layout.flat(), self._device))
        return self._transformer.logits(self._rows(paged)[paged.last])

    def _rows(self, batch: PagedBatch) -> torch.Tensor:
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

        return self._transformer.hidden(batch.token_ids, batch.positions, attend_rows)


def _decodes(batch: StepBatch, counts: Sequence[int]) -> bool:
    return len(counts) <= MOST_SEQUENCES and set(counts) == {1} == set(batch.query_lengths)
