"""Attention over the paged cache, computed so that a row's result does not depend on its company.

A sequence must get the same tokens alone, in a batch, in one prefill or in several, yet a matrix
product may add up in another order when its shape changes. So every sum here has one fixed shape
and order whatever the batch: the context is cut into tiles of `TILE_TOKENS`, each a product of its
own, added to the earlier ones one after the other, with the softmax kept running (Milakov and
Gimelshein, "Online normalizer calculation for softmax", https://arxiv.org/abs/1805.02867), and rows
come in multiples of `ROW_GRAIN`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Final

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stormproof.engine.pytorch.kv_cache import KVCache
    from stormproof.engine.scheduling.batch import StepBatch

TILE_TOKENS: Final = 128

ROW_GRAIN: Final = 8
"""Rows are padded to a multiple of this. The kernels of the math libraries handle rows in groups;
the last, incomplete group goes through another kernel, which rounds differently."""


def padding(rows: int) -> int:
    """How many rows are missing to a multiple of `ROW_GRAIN`."""
    return -rows % ROW_GRAIN


@dataclass(frozen=True, slots=True)
class Tile:
    """A stretch of context that some rows of a group attend to.

    Attributes:
        sequences: Which sequences of the group see some of it.
        rows: Which of their rows may.
        blocks: Where the stretch is cached. [sequences, blocks]
        hidden: Which tokens a row does not see, as they come after its own or lie before its
            window; none when all rows see all of them. [sequences, rows, tokens]
    """

    sequences: slice
    rows: slice
    blocks: torch.Tensor
    hidden: torch.Tensor | None


@dataclass(frozen=True, slots=True)
class Group:
    """Sequences with the same number of new tokens.

    Attributes:
        rows: Where their tokens lie in the batch. [sequences, tokens]
        tiles: The context, in order.
    """

    rows: torch.Tensor
    tiles: tuple[Tile, ...]


def plan(
    batch: StepBatch, *, block_size: int, sharing: int, window: int, device: torch.device
) -> tuple[Group, ...]:
    """Lays out a batch's attention: sequences that decode together, each prefill by itself.

    Args:
        batch: The batch.
        block_size: Tokens in a block of the cache.
        sharing: Query heads that share a key/value head.
        window: Positions that a query sees back, itself included; 0 for all.
        device: Where the attention is computed.
    """
    lengths = batch.query_lengths
    # The longest first, so that those which see a tile always lie together in their group.
    order = sorted(range(len(lengths)), key=lambda i: -batch.context_lengths[i])
    decoding = [i for i in order if lengths[i] == 1]
    groups = [[i] for i in order if lengths[i] > 1] + ([decoding] if decoding else [])
    layout = _Layout(batch, block_size, sharing, window, device)
    return tuple(layout.group(members) for members in groups)


def attend(
    queries: torch.Tensor,
    groups: Sequence[Group],
    cache: KVCache,
    layer: int,
    *,
    scale: float,
    softcap: float,
) -> torch.Tensor:
    """Attention of every row to its sequence's context.

    Args:
        queries: [rows, heads, head_dim]
        groups: What `plan` made of the batch.
        cache: Keys and values, those of this step included.
        layer: Of which layer.
        scale: Factor of query times key.
        softcap: Bounds query times key smoothly; 0 for no bound.

    Returns:
        [rows, heads * head_dim]
    """
    queries = queries * scale
    out = torch.zeros_like(queries)
    for group in groups:
        out[group.rows] = _attend_group(queries[group.rows], group.tiles, cache, layer, softcap)
    return out.flatten(1)


def _attend_group(
    queries: torch.Tensor, tiles: Sequence[Tile], cache: KVCache, layer: int, softcap: float
) -> torch.Tensor:
    """Attention of a group. [sequences, tokens, heads, head_dim], as are the queries."""
    sequences, tokens, _, width = queries.shape
    kv_heads = cache.kv_heads
    # The query heads that share a key/value head are rows of one product.
    rows = queries.view(sequences, tokens, kv_heads, -1, width).permute(2, 0, 1, 3, 4).flatten(2, 3)
    count = rows.shape[2]
    rows = torch.nn.functional.pad(rows, (0, 0, 0, padding(count)))
    running = _RunningSoftmax(rows, softcap)
    for tile in tiles:
        running.add(tile, *cache.read(layer, tile.blocks))
    out = running.result()[:, :, :count].view(kv_heads, sequences, tokens, -1, width)
    return out.permute(1, 2, 0, 3, 4).reshape(queries.shape)


class _RunningSoftmax:
    """The softmax-weighted mean of values, tile by tile, in float32."""

    def __init__(self, queries: torch.Tensor, softcap: float) -> None:
        self._queries = queries  # [kv_heads, sequences, rows, head_dim]
        self._softcap = softcap
        one_each = (*queries.shape[:3], 1)
        # Finite, so that a row that sees nothing of its first tile stays as it is, not NaN.
        least = torch.finfo(torch.float32).min
        self._peak = torch.full(one_each, least, device=queries.device)
        self._weight = torch.zeros(one_each, device=queries.device)
        self._sum = torch.zeros(queries.shape, device=queries.device)

    def add(self, tile: Tile, keys: torch.Tensor, values: torch.Tensor) -> None:
        part = (slice(None), tile.sequences, tile.rows)
        scores = (self._queries[part] @ keys.mT).float()
        if self._softcap:
            scores.div_(self._softcap).tanh_().mul_(self._softcap)
        if tile.hidden is not None:
            scores.masked_fill_(tile.hidden, -math.inf)
        before = self._peak[part]
        peak = torch.maximum(before, scores.amax(-1, keepdim=True))
        weights = scores.sub_(peak).exp_()
        shrink = before.sub(peak).exp_()
        self._weight[part].mul_(shrink).add_(weights.sum(-1, keepdim=True))
        self._sum[part].mul_(shrink).add_(weights.to(values.dtype) @ values)
        before.copy_(peak)

    def result(self) -> torch.Tensor:
        return self._sum.div_(self._weight).to(self._queries.dtype)


class _Layout:
    """Turns the lists of a batch into the tensors of its groups."""

    def __init__(
        self,
        batch: StepBatch,
        block_size: int,
        sharing: int,
        window: int,
        device: torch.device,
    ) -> None:
        self._batch = batch
        self._first_rows = [0, *accumulate(batch.query_lengths)]
        self._block_size = block_size
        self._tile_blocks = max(1, TILE_TOKENS // block_size)
        self._tile_tokens = self._tile_blocks * block_size
        self._sharing = sharing
        self._window = window
        self._device = device

    def group(self, members: list[int]) -> Group:
        """The group of some sequences, the longest context first."""
        length = self._batch.query_lengths[members[0]]
        rows = [[self._first_rows[i] + token for token in range(length)] for i in members]
        contexts = [self._batch.context_lengths[i] for i in members]
        # Tiles begin at the same positions whatever is seen of them, so that sums stay the same.
        first_seen = self._first_seen(contexts[-1] - length)
        starts = range(first_seen - first_seen % self._tile_tokens, contexts[0], self._tile_tokens)
        tiles = (self._tile(members, contexts, start, length) for start in starts)
        return Group(self._tensor(rows), tuple(tile for tile in tiles if tile is not None))

    def _tile(
        self, members: list[int], contexts: list[int], start: int, length: int
    ) -> Tile | None:
        end = start + self._tile_tokens
        seeing = [
            place
            for place, context in enumerate(contexts)
            if context > start and self._first_seen(context - length) < end
        ]
        if not seeing:
            return None
        first_positions = [contexts[place] - length for place in seeing]
        rows = self._rows(first_positions[0], start, end, length)
        hidden = self._hidden(first_positions, start, length)
        return Tile(
            slice(seeing[0], seeing[-1] + 1),
            rows,
            self._tensor([self._blocks(members[place], start) for place in seeing]),
            None if hidden is None else hidden[:, rows],
        )

    def _first_seen(self, position: int) -> int:
        """The first position that a token sees."""
        return max(0, position + 1 - self._window) if self._window else 0

    def _rows(self, first_position: int, start: int, end: int, length: int) -> slice:
        """The rows that see some of a tile. Only a prefill, a group of one, has any that do not."""
        if length == 1:
            return slice(None)
        unseeing = max(0, start - first_position) * self._sharing
        if not self._window:
            return slice(unseeing - unseeing % ROW_GRAIN, None)
        seeing = max(0, end - 1 + self._window - first_position) * self._sharing
        return slice(unseeing - unseeing % ROW_GRAIN, seeing + padding(seeing))

    def _blocks(self, member: int, start: int) -> list[int]:
        first = start // self._block_size
        used = math.ceil(self._batch.context_lengths[member] / self._block_size)
        blocks = self._batch.block_tables[member][first : min(used, first + self._tile_blocks)]
        # A tile is whole; what no row may see is filled up with a block of the sequence's own.
        return blocks + blocks[-1:] * (self._tile_blocks - len(blocks))

    def _hidden(self, first_positions: list[int], start: int, length: int) -> torch.Tensor | None:
        end = start + self._tile_tokens
        ahead = end > min(first_positions) + 1
        behind = start < self._first_seen(max(first_positions) + length - 1)
        if not ahead and not behind:
            return None
        keys = torch.arange(start, end, device=self._device)
        own = self._tensor(first_positions)[:, None] + torch.arange(length, device=self._device)
        hidden = keys > own[..., None]
        if behind:
            hidden |= keys <= own[..., None] - self._window
        hidden = hidden.repeat_interleave(self._sharing, 1)
        # Rows that are there only to fill up see everything.
        return torch.nn.functional.pad(hidden, (0, 0, 0, padding(hidden.shape[1])))

    def _tensor(self, numbers: list[int] | list[list[int]]) -> torch.Tensor:
        return torch.tensor(numbers, device=self._device)
