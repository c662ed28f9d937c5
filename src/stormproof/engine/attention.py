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

    from stormproof.engine.batch import StepBatch
    from stormproof.engine.kv_cache import KVCache

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
        sequences: How many sequences of the group reach this far; they are its first.
        first_row: From which of their rows on.
        blocks: Where the stretch is cached. [sequences, blocks]
        hidden: Which tokens come after a row's own; none when all rows may see all of them.
            [sequences, rows, tokens]
    """

    sequences: int
    first_row: int
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
    batch: StepBatch, *, block_size: int, sharing: int, device: torch.device
) -> tuple[Group, ...]:
    """Lays out a batch's attention: sequences that decode together, each prefill by itself.

    Args:
        batch: The batch.
        block_size: Tokens in a block of the cache.
        sharing: Query heads that share a key/value head.
        device: Where the attention is computed.
    """
    lengths = batch.query_lengths
    # The longest first, so that those which reach a tile are always the first of their group.
    order = sorted(range(len(lengths)), key=lambda i: -batch.context_lengths[i])
    decoding = [i for i in order if lengths[i] == 1]
    groups = [[i] for i in order if lengths[i] > 1] + ([decoding] if decoding else [])
    return tuple(_Layout(batch, block_size, sharing, device).group(members) for members in groups)


def attend(
    queries: torch.Tensor, groups: Sequence[Group], cache: KVCache, layer: int
) -> torch.Tensor:
    """Attention of every row to its sequence's context.

    Args:
        queries: [rows, heads, head_dim]
        groups: What `plan` made of the batch.
        cache: Keys and values, those of this step included.
        layer: Of which layer.

    Returns:
        [rows, heads * head_dim]
    """
    out = torch.zeros_like(queries)
    for group in groups:
        out[group.rows] = _attend_group(queries[group.rows], group.tiles, cache, layer)
    return out.flatten(1)


def _attend_group(
    queries: torch.Tensor, tiles: Sequence[Tile], cache: KVCache, layer: int
) -> torch.Tensor:
    """Attention of a group. [sequences, tokens, heads, head_dim], as are the queries."""
    sequences, tokens, _, width = queries.shape
    kv_heads = cache.kv_heads
    # The query heads that share a key/value head are rows of one product.
    rows = queries.view(sequences, tokens, kv_heads, -1, width).permute(2, 0, 1, 3, 4).flatten(2, 3)
    count = rows.shape[2]
    rows = torch.nn.functional.pad(rows / math.sqrt(width), (0, 0, 0, padding(count)))
    running = _RunningSoftmax(rows)
    for tile in tiles:
        running.add(tile, *cache.read(layer, tile.blocks))
    out = running.result()[:, :, :count].view(kv_heads, sequences, tokens, -1, width)
    return out.permute(1, 2, 0, 3, 4).reshape(queries.shape)


class _RunningSoftmax:
    """The softmax-weighted mean of values, tile by tile, in float32."""

    def __init__(self, queries: torch.Tensor) -> None:
        self._queries = queries  # [kv_heads, sequences, rows, head_dim]
        one_each = (*queries.shape[:3], 1)
        self._peak = torch.full(one_each, -math.inf, device=queries.device)
        self._weight = torch.zeros(one_each, device=queries.device)
        self._sum = torch.zeros(queries.shape, device=queries.device)

    def add(self, tile: Tile, keys: torch.Tensor, values: torch.Tensor) -> None:
        part = (slice(None), slice(tile.sequences), slice(tile.first_row, None))
        scores = (self._queries[part] @ keys.mT).float()
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
        self, batch: StepBatch, block_size: int, sharing: int, device: torch.device
    ) -> None:
        self._batch = batch
        self._first_rows = [0, *accumulate(batch.query_lengths)]
        self._block_size = block_size
        self._tile_blocks = max(1, TILE_TOKENS // block_size)
        self._sharing = sharing
        self._device = device

    def group(self, members: list[int]) -> Group:
        """The group of some sequences, the longest context first."""
        length = self._batch.query_lengths[members[0]]
        rows = [[self._first_rows[i] + token for token in range(length)] for i in members]
        contexts = [self._batch.context_lengths[i] for i in members]
        tile_tokens = self._tile_blocks * self._block_size
        tiles = tuple(
            self._tile(members, contexts, start, length)
            for start in range(0, contexts[0], tile_tokens)
        )
        return Group(self._tensor(rows), tiles)

    def _tile(self, members: list[int], contexts: list[int], start: int, length: int) -> Tile:
        reaching = sum(context > start for context in contexts)
        blocks = [self._blocks(i, start) for i in members[:reaching]]
        first_positions = [context - length for context in contexts[:reaching]]
        # Rows before the tile see nothing of it. Only a prefill has any, and it is a group of one.
        unseeing = max(0, start - first_positions[0]) * self._sharing if length > 1 else 0
        first_row = unseeing - unseeing % ROW_GRAIN
        hidden = self._hidden(first_positions, start, length)
        return Tile(
            reaching,
            first_row,
            self._tensor(blocks),
            None if hidden is None else hidden[:, first_row:],
        )

    def _blocks(self, member: int, start: int) -> list[int]:
        first = start // self._block_size
        used = math.ceil(self._batch.context_lengths[member] / self._block_size)
        blocks = self._batch.block_tables[member][first : min(used, first + self._tile_blocks)]
        # A tile is whole; what no row may see is filled up with a block of the sequence's own.
        return blocks + blocks[-1:] * (self._tile_blocks - len(blocks))

    def _hidden(self, first_positions: list[int], start: int, length: int) -> torch.Tensor | None:
        end = start + self._tile_blocks * self._block_size
        if end <= min(first_positions) + 1:
            return None
        keys = torch.arange(start, end, device=self._device)
        own = self._tensor(first_positions)[:, None] + torch.arange(length, device=self._device)
        hidden = (keys > own[..., None]).repeat_interleave(self._sharing, 1)
        # Rows that are there only to fill up see everything.
        return torch.nn.functional.pad(hidden, (0, 0, 0, padding(hidden.shape[1])))

    def _tensor(self, numbers: list[int] | list[list[int]]) -> torch.Tensor:
        return torch.tensor(numbers, device=self._device)
