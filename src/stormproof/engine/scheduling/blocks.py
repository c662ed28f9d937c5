"""Which blocks of the key/value cache are free, and which sequences may share.

The cache is cut into blocks of a fixed number of tokens, and a sequence owns a list of them that
grows as it does, so memory is never reserved for tokens that may not come (PagedAttention, Kwon et
al. 2023, https://arxiv.org/abs/2309.06180). A full block is never written to again, so sequences
that begin alike own the same ones; and one that nobody owns is free, but is found for as long as
nobody needed its place.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence

from stormproof.engine.scheduling.prefix_index import PrefixIndex
from stormproof.errors import InvalidStateTransition, OutOfBlocks


class BlockAllocator:
    """Free blocks, owners and contents; taking or returning a block costs the same for any number.

    Args:
        num_blocks: How many blocks the cache has; they are numbered from 0.
        share: Whether full blocks are found again and shared.

    Attributes:
        shares: The same.
    """

    def __init__(self, num_blocks: int, *, share: bool = True) -> None:
        self._owners = [0] * num_blocks
        self.shares = share
        self._index = PrefixIndex()
        # In the order in which they are taken. Those of unknown content come first, and of them the
        # one released last, still in the CPU's cache; then the others, least recently used first.
        self._free = OrderedDict[int, None].fromkeys(range(num_blocks))

    @property
    def total(self) -> int:
        """How many blocks there are."""
        return len(self._owners)

    @property
    def free(self) -> int:
        """How many blocks nobody owns."""
        return len(self._free)

    def owners(self, block: int) -> int:
        """Count the sequences that own a block."""
        return self._owners[block]

    def allocate(self, count: int) -> list[int]:
        """Hand out ``count`` blocks, or none; what they held is found no more.

        Raises:
            OutOfBlocks: Fewer are free.
        """
        if count > self.free:
            raise OutOfBlocks(needed=count, free=self.free)
        taken = [self._free.popitem(last=False)[0] for _ in range(count)]
        for block in taken:
            self._index.forget(block)
            self._owners[block] = 1
        return taken

    def find(self, pieces: Iterable[bytes]) -> list[int]:
        """Return the blocks that hold the beginning of a sequence, as far as it is known.

        Args:
            pieces: Its tokens, cut into blocks and packed.
        """
        return self._index.find(pieces)

    def share(self, blocks: Sequence[int]) -> None:
        """Give blocks that were found one more owner; those that were free no longer are."""
        for block in blocks:
            self._owners[block] += 1
            self._free.pop(block, None)

    def fill(self, block: int, piece: bytes, *, after: int | None) -> int:
        """Make an owned block known, now that it is full and no longer written to.

        Args:
            block: The block.
            piece: The tokens that it holds, packed.
            after: The block before it in the same sequence, if there is one.

        Returns:
            The block to own from now on: where another holds the same, that one, and this is free.
        """
        if not self.shares:
            return block
        holder = self._index.add(block, piece, after=after)
        if holder != block:
            self.share([holder])
            self.release([block])
        return holder

    def forget(self, blocks: Sequence[int]) -> None:
        """Find blocks no more, nor what was read after them; who owns them keeps them."""
        for block in blocks:
            self._index.forget(block)

    def release(self, blocks: Sequence[int]) -> None:
        """Take one owner from each block, all or none.

        Args:
            blocks: In the order of their tokens; the last is taken again first, since those before
                are found without it, but not the other way round.

        Raises:
            InvalidStateTransition: One of them is free already, or named twice.
        """
        if len(set(blocks)) < len(blocks) or not all(self._is_owned(block) for block in blocks):
            raise InvalidStateTransition(from_state="free", to_state="free")
        for block in reversed(blocks):
            self._owners[block] -= 1
            if not self._owners[block]:
                self._free[block] = None
                self._free.move_to_end(block, last=block in self._index)

    def _is_owned(self, block: int) -> bool:
        return 0 <= block < self.total and self._owners[block] > 0
