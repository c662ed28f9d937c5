"""Which blocks of the key/value cache are free.

The cache is cut into blocks of a fixed number of tokens, and a sequence owns a list of them that
grows as it does, so memory is never reserved for tokens that may not come (PagedAttention, Kwon et
al. 2023, https://arxiv.org/abs/2309.06180).
"""

from collections.abc import Sequence

from stormproof.errors import InvalidStateTransition, OutOfBlocks


class BlockAllocator:
    """A stack of free blocks; taking and returning one costs the same however many there are.

    Args:
        num_blocks: How many blocks the cache has; they are numbered from 0.
    """

    def __init__(self, num_blocks: int) -> None:
        # A stack, so that the block released last, still in the CPU's cache, is taken first.
        self._free = list(reversed(range(num_blocks)))
        self._used = bytearray(num_blocks)

    @property
    def total(self) -> int:
        """How many blocks there are."""
        return len(self._used)

    @property
    def free(self) -> int:
        """How many blocks nobody owns."""
        return len(self._free)

    def allocate(self, count: int) -> list[int]:
        """Hand out ``count`` blocks, or none.

        Raises:
            OutOfBlocks: Fewer are free.
        """
        if count > self.free:
            raise OutOfBlocks(needed=count, free=self.free)
        keep = self.free - count
        taken, self._free[keep:] = self._free[keep:], []
        for block in taken:
            self._used[block] = True
        return taken

    def release(self, blocks: Sequence[int]) -> None:
        """Take back blocks that were handed out, all or none.

        Raises:
            InvalidStateTransition: One of them is free already, or named twice.
        """
        if len(set(blocks)) < len(blocks) or not all(self._is_used(block) for block in blocks):
            raise InvalidStateTransition(from_state="free", to_state="free")
        for block in blocks:
            self._used[block] = False
        self._free.extend(blocks)

    def _is_used(self, block: int) -> bool:
        return 0 <= block < self.total and bool(self._used[block])
