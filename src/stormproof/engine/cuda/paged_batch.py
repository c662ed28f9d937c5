"""A step's batch on the device, copied there in one piece."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Final

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stormproof.engine.scheduling.batch import StepBatch

SPLIT_TOKENS: Final = 256
"""A decoding sequence's context is cut at multiples of this."""

_WHOLE: Final = 1 << 30
_TILE_ROWS: Final = 64
_ALIGNED: Final = 4  # integers in 16 bytes: kernels are compiled anew for pointers that are not so


@dataclass(frozen=True, slots=True)
class Tiles:
    """Queries of which each tile is one product.

    Attributes:
        sequences: Whose tokens each tile has. [tiles]
        tokens: The first of them, counted from the sequence's first new one. [tiles]
        tokens_each: How many a tile has, at most.
        splits: In how many parts the context is read.
        split_tokens: How long a part is.
    """

    sequences: torch.Tensor
    tokens: torch.Tensor
    tokens_each: int
    splits: int
    split_tokens: int


@dataclass(frozen=True, slots=True)
class PagedBatch:
    """A `StepBatch` in tensors of 32-bit integers.

    Attributes:
        token_ids: [rows]
        positions: Of each token in its sequence. [rows]
        slots: Where each is cached, ``block * block_size + offset``; -1 for nowhere. [rows]
        last: Rows after which tokens are predicted. [predictions]
        starts: First row of each sequence, and the number of rows. [sequences + 1]
        contexts: Tokens of each sequence in the cache after the step. [sequences]
        tables: Its blocks, filled up with 0. [sequences, blocks]
        tiles: Sequences that decode, and those that read several tokens.
    """

    token_ids: torch.Tensor
    positions: torch.Tensor
    slots: torch.Tensor
    last: torch.Tensor
    starts: torch.Tensor
    contexts: torch.Tensor
    tables: torch.Tensor
    tiles: tuple[Tiles, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """The same batch as lists, and how it becomes tensors.

    Attributes:
        lists: The integers of a `PagedBatch`, in its order, its two kinds of tiles last.
        splits: In how many parts the contexts of decoding sequences are read.
        reading_tokens: How many tokens a tile of a sequence has that reads several.
    """

    lists: tuple[list[int], ...]
    splits: int
    reading_tokens: int

    def flat(self) -> torch.Tensor:
        """All integers in one tensor on the host."""
        padded = (numbers + [0] * (-len(numbers) % _ALIGNED) for numbers in self.lists)
        return torch.tensor(list(chain(*padded)), dtype=torch.int32)

    def batch(self, flat: torch.Tensor) -> PagedBatch:
        """The batch, given the integers wherever they lie now."""
        sizes = [len(numbers) for numbers in self.lists]
        pieces = torch.split(flat, [size + -size % _ALIGNED for size in sizes])
        parts = [piece[:size] for piece, size in zip(pieces, sizes, strict=True)]
        token_ids, positions, slots, last, starts, contexts, tables = parts[:7]
        decoding, decoded, reading, read = parts[7:]
        return PagedBatch(
            token_ids,
            positions,
            slots,
            last,
            starts,
            contexts,
            tables.view(len(contexts), -1),
            tuple(
                tiles
                for tiles in (
                    Tiles(decoding, decoded, 1, self.splits, SPLIT_TOKENS),
                    Tiles(reading, read, self.reading_tokens, 1, _WHOLE),
                )
                if len(tiles.sequences)
            ),
        )


def lay_out(batch: StepBatch, counts: Sequence[int], *, block_size: int, sharing: int) -> Layout:
    """Lays a batch out.

    Args:
        batch: The batch.
        counts: After how many last rows of each sequence tokens are predicted. [sequences]
        block_size: Tokens in a block of the cache.
        sharing: Query heads that share a key/value head.
    """
    lengths, contexts = batch.query_lengths, batch.context_lengths
    sequences = range(len(lengths))
    ends = list(accumulate(lengths))
    positions = [range(contexts[i] - lengths[i], contexts[i]) for i in sequences]
    longest = max(contexts)
    width = -(-longest // block_size)
    tokens = max(1, _TILE_ROWS // sharing)
    reading = [(i, at) for i in sequences if lengths[i] > 1 for at in range(0, lengths[i], tokens)]
    decoding = [i for i in sequences if lengths[i] == 1]
    lists = (
        batch.token_ids,
        list(chain(*positions)),
        [_slot(batch.block_tables[i], at, block_size) for i in sequences for at in positions[i]],
        [row for i in sequences for row in range(ends[i] - counts[i], ends[i])],
        [0, *ends],
        contexts,
        list(chain(*((blocks + [0] * width)[:width] for blocks in batch.block_tables))),
        decoding,
        [0] * len(decoding),
        [sequence for sequence, _ in reading],
        [token for _, token in reading],
    )
    return Layout(lists, -(-longest // SPLIT_TOKENS), tokens)


def lay_out_decoding(batch: StepBatch, *, block_size: int) -> Layout:
    """Lays out a batch of sequences that decode, filled up to a shape that other batches share.

    Sequences are filled up with empty ones, whose rows come last and mean nothing, and their tables
    to a number of splits; both to powers of two.

    Args:
        batch: The batch.
        block_size: Tokens in a block of the cache.
    """
    contexts, count = batch.context_lengths, len(batch.token_ids)
    size = _power_of_two(count)
    splits = _power_of_two(-(-max(contexts) // SPLIT_TOKENS))
    width = -(-splits * SPLIT_TOKENS // block_size)
    spare = [0] * (size - count)
    slots = [
        _slot(blocks, end - 1, block_size)
        for blocks, end in zip(batch.block_tables, contexts, strict=True)
    ]
    tables = [*batch.block_tables, *([] for _ in spare)]
    lists: tuple[list[int], ...] = (
        batch.token_ids + spare,
        [end - 1 for end in contexts] + spare,
        slots + [-1] * len(spare),
        list(range(size)),
        list(range(size + 1)),
        contexts + spare,
        list(chain(*((blocks + [0] * width)[:width] for blocks in tables))),
        list(range(size)),
        [0] * size,
        [],
        [],
    )
    return Layout(lists, splits, 1)


def on_device(integers: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Copies a layout's integers to a device, while the host goes on where it can."""
    if device.type == "cuda":
        integers = integers.pin_memory()
    return integers.to(device, non_blocking=True)


def _power_of_two(number: int) -> int:
    return 1 << (number - 1).bit_length()


def _slot(blocks: Sequence[int], position: int, block_size: int) -> int:
    return blocks[position // block_size] * block_size + position % block_size
