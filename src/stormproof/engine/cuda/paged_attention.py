"""Attention over the paged cache, read in place.

FlashAttention (Dao et al., https://arxiv.org/abs/2205.14135) over a block table (PagedAttention,
Kwon et al., https://arxiv.org/abs/2309.06180). The query heads that share a key/value head are rows
of one product. A long context is read by several programs at once, and what they found is merged
(Flash-Decoding, https://crfm.stanford.edu/2023/10/12/flashdecoding.html); it is always cut at the
same positions, so that the sums of a row do not depend on its company.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import torch
import triton
import triton.language as tl

if TYPE_CHECKING:
    from stormproof.engine.cuda.paged_batch import PagedBatch, Tiles
    from stormproof.engine.pytorch.kv_cache import KVCache

_TILE_BYTES: Final = 1 << 14  # of keys, and as many of values, that a program holds at once
_LEAST_TILE: Final = 16  # what the matrix units take
_MOST_KEYS: Final = 64
_WIDE: Final = 1 << 12
_NOTHING = tl.constexpr(-1e38)  # the logarithm of no weight at all; finite, so as not to make NaN


def store(
    cache: KVCache, layer: int, slots: torch.Tensor, keys: torch.Tensor, values: torch.Tensor
) -> None:
    """Writes rows into the cache.

    Args:
        cache: The cache.
        layer: Of which layer.
        slots: ``block * block_size + offset`` of each row; negative for rows without. [rows]
        keys: [rows, kv_heads, head_dim]
        values: [rows, kv_heads, head_dim]
    """
    cached_keys, cached_values = cache.layer(layer)
    rows, heads, width = keys.shape
    _store_kernel[(rows,)](
        keys,
        values,
        cached_keys,
        cached_values,
        slots,
        keys.stride(0),
        values.stride(0),
        cached_keys.stride(0),
        heads,
        width,
        HEADS=triton.next_power_of_2(heads),
        WIDTH=triton.next_power_of_2(width),
    )


def attend(
    queries: torch.Tensor,
    batch: PagedBatch,
    cache: KVCache,
    layer: int,
    *,
    scale: float,
    softcap: float,
    window: int,
) -> torch.Tensor:
    """Attention of every row to its sequence's context.

    Args:
        queries: [rows, heads, head_dim]
        batch: Where the rows' contexts are.
        cache: Keys and values, those of this step included.
        layer: Of which layer.
        scale: Factor of query times key.
        softcap: Bounds query times key smoothly; 0 for no bound.
        window: Positions that a query sees back, itself included; 0 for all.

    Returns:
        [rows, heads * head_dim]
    """
    queries = queries.contiguous()
    out = torch.empty_like(queries)
    scores = _Scores(scale, softcap, window)
    for tiles in batch.tiles:
        _attend_tiles(queries, out, batch, tiles, cache.layer(layer), scores)
    return out.flatten(1)


class _Scores(NamedTuple):
    scale: float
    softcap: float
    window: int


def _attend_tiles(
    queries: torch.Tensor,
    out: torch.Tensor,
    batch: PagedBatch,
    tiles: Tiles,
    cache: tuple[torch.Tensor, torch.Tensor],
    scores: _Scores,
) -> None:
    """Attention of the rows of some tiles, each split of their context by a program of its own."""
    keys, values = cache
    kv_heads, _, block_size, _ = keys.shape
    rows, heads, width = queries.shape
    padded = max(_LEAST_TILE, triton.next_power_of_2(width))
    tile_keys = _TILE_BYTES // (padded * keys.element_size())
    tile_rows = triton.next_power_of_2(tiles.tokens_each * (heads // kv_heads))
    sums = queries.new_empty((tiles.splits, rows, heads, width), dtype=torch.float32)
    logs = queries.new_empty((tiles.splits, rows, heads), dtype=torch.float32)
    place = (batch.starts, batch.contexts, batch.tables, tiles.sequences, tiles.tokens)
    _attend_kernel[(len(tiles.sequences), kv_heads, tiles.splits)](
        queries,
        keys,
        values,
        sums,
        logs,
        *place,
        scores.scale,
        scores.softcap,
        rows,
        tiles.split_tokens,
        keys.stride(0),
        batch.tables.shape[1],
        HEADS=heads,
        SHARING=heads // kv_heads,
        TOKENS=tiles.tokens_each,
        WIDTH=width,
        PADDED=padded,
        BLOCK_SIZE=block_size,
        TILE_ROWS=max(_LEAST_TILE, tile_rows),
        TILE_KEYS=min(_MOST_KEYS, max(_LEAST_TILE, tile_keys)),
        BOUNDED=scores.softcap > 0,
        WINDOW=scores.window,
        num_warps=8 if tile_rows * padded > _WIDE else 4,
    )
    _merge_kernel[(len(tiles.sequences) * tiles.tokens_each, heads)](
        sums,
        logs,
        out,
        batch.starts,
        tiles.sequences,
        tiles.tokens,
        rows,
        tiles.splits,
        HEADS=heads,
        TOKENS=tiles.tokens_each,
        WIDTH=width,
        PADDED=padded,
    )


@triton.jit
def _store_kernel(
    keys,
    values,
    cached_keys,
    cached_values,
    slots,
    key_stride,
    value_stride,
    head_stride,
    heads,
    width,
    HEADS: tl.constexpr,
    WIDTH: tl.constexpr,
):
    """One row per program."""
    row = tl.program_id(0).to(tl.int64)
    slot = tl.load(slots + row).to(tl.int64)
    head = tl.arange(0, HEADS)[:, None].to(tl.int64)
    column = tl.arange(0, WIDTH)[None, :]
    inside = (head < heads) & (column < width)
    place = head * width + column
    target = head * head_stride + slot * width + column
    if slot >= 0:
        key = tl.load(keys + row * key_stride + place, mask=inside)
        tl.store(cached_keys + target, key, mask=inside)
        value = tl.load(values + row * value_stride + place, mask=inside)
        tl.store(cached_values + target, value, mask=inside)


@triton.jit(do_not_specialize=["rows", "table_stride"])
def _attend_kernel(
    queries,
    keys,
    values,
    sums,
    logs,
    starts,
    contexts,
    tables,
    tile_sequences,
    tile_tokens,
    scale,
    softcap,
    rows,
    split_tokens,
    head_stride,
    table_stride,
    HEADS: tl.constexpr,
    SHARING: tl.constexpr,
    TOKENS: tl.constexpr,
    WIDTH: tl.constexpr,
    PADDED: tl.constexpr,
    BLOCK_SIZE: tl.constexpr,
    TILE_ROWS: tl.constexpr,
    TILE_KEYS: tl.constexpr,
    BOUNDED: tl.constexpr,
    WINDOW: tl.constexpr,
):
    """One split of the context of one tile of queries of one key/value head per program.

    It leaves the softmax-weighted mean of the values, and the logarithm of the sum of the weights:
    minus infinity, or nearly, where a row sees nothing of the split.
    """
    sequence = tl.load(tile_sequences + tl.program_id(0))
    first = tl.load(tile_tokens + tl.program_id(0))
    kv_head = tl.program_id(1)
    start = tl.load(starts + sequence)
    length = tl.load(starts + sequence + 1) - start
    before = tl.load(contexts + sequence) - length

    lane = tl.arange(0, TILE_ROWS)
    token = first + lane // SHARING
    real = (lane < TOKENS * SHARING) & (token < length)
    position = before + token
    place = (start + token).to(tl.int64) * HEADS + kv_head * SHARING + lane % SHARING
    column = tl.arange(0, PADDED)
    whole = real[:, None] & (column < WIDTH)[None, :]
    query = tl.load(queries + place[:, None] * WIDTH + column[None, :], mask=whole, other=0.0)

    begin = tl.program_id(2) * split_tokens
    end = tl.minimum(begin + split_tokens, before + tl.minimum(first + TOKENS, length))
    if WINDOW > 0:
        seen_from = tl.maximum(before + first - WINDOW + 1, 0)
        begin = tl.maximum(begin, seen_from // TILE_KEYS * TILE_KEYS)

    peak = tl.full([TILE_ROWS], _NOTHING, tl.float32)
    weight = tl.zeros([TILE_ROWS], tl.float32)
    total = tl.zeros([TILE_ROWS, PADDED], tl.float32)
    for at in range(begin, end, TILE_KEYS):
        key = at + tl.arange(0, TILE_KEYS)
        cached = key < end
        block = tl.load(
            tables + sequence * table_stride + key // BLOCK_SIZE, mask=cached, other=0
        ).to(tl.int64)
        slot = (block * BLOCK_SIZE + key % BLOCK_SIZE) * WIDTH + kv_head.to(tl.int64) * head_stride
        loaded = cached[:, None] & (column < WIDTH)[None, :]
        spot = slot[:, None] + column[None, :]
        # What lies behind the context may be anything, even NaN: it is not read.
        k = tl.load(keys + spot, mask=loaded, other=0.0)
        v = tl.load(values + spot, mask=loaded, other=0.0)
        scores = tl.dot(query, tl.trans(k), input_precision="ieee") * scale
        if BOUNDED:
            scores = softcap * (2.0 * tl.sigmoid(2.0 * scores / softcap) - 1.0)
        visible = cached[None, :] & (key[None, :] <= position[:, None])
        if WINDOW > 0:
            visible &= key[None, :] > position[:, None] - WINDOW
        scores = tl.where(visible, scores, _NOTHING)
        higher = tl.maximum(peak, tl.max(scores, 1))
        shrink = tl.exp(peak - higher)
        weights = tl.where(visible, tl.exp(scores - higher[:, None]), 0.0)
        weight = weight * shrink + tl.sum(weights, 1)
        total = total * shrink[:, None]
        total += tl.dot(weights.to(v.dtype), v, input_precision="ieee")
        peak = higher

    some = weight > 0.0
    divisor = tl.where(some, weight, 1.0)
    place += tl.program_id(2).to(tl.int64) * rows * HEADS
    tl.store(sums + place[:, None] * WIDTH + column[None, :], total / divisor[:, None], mask=whole)
    tl.store(logs + place, tl.where(some, peak + tl.log(divisor), _NOTHING), mask=real)


@triton.jit(do_not_specialize=["rows", "splits"])
def _merge_kernel(
    sums,
    logs,
    out,
    starts,
    tile_sequences,
    tile_tokens,
    rows,
    splits,
    HEADS: tl.constexpr,
    TOKENS: tl.constexpr,
    WIDTH: tl.constexpr,
    PADDED: tl.constexpr,
):
    """One head of one row per program: the mean of its splits, by their weights."""
    tile = tl.program_id(0) // TOKENS
    sequence = tl.load(tile_sequences + tile)
    token = tl.load(tile_tokens + tile) + tl.program_id(0) % TOKENS
    start = tl.load(starts + sequence)
    if token >= tl.load(starts + sequence + 1) - start:
        return
    place = (start + token).to(tl.int64) * HEADS + tl.program_id(1)
    column = tl.arange(0, PADDED)
    inside = column < WIDTH
    peak = tl.full([], _NOTHING, tl.float32)
    weight = tl.zeros([], tl.float32)
    total = tl.zeros([PADDED], tl.float32)
    spot = place
    for _ in range(splits):
        log = tl.load(logs + spot)
        higher = tl.maximum(peak, log)
        shrink = tl.exp(peak - higher)
        share = tl.where(log > _NOTHING, tl.exp(log - higher), 0.0)
        part = tl.load(sums + spot * WIDTH + column, mask=inside, other=0.0)
        total = total * shrink + part * share
        weight = weight * shrink + share
        peak = higher
        spot += rows * HEADS
    result = total / tl.where(weight > 0.0, weight, 1.0)
    tl.store(out + place * WIDTH + column, result.to(out.dtype.element_ty), mask=inside)
