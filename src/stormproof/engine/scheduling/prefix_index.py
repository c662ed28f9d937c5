"""What full blocks of the cache hold, so that a beginning that is known need not be read again.

A block is known by its tokens and by the block before it, which is known in the same way; so one
look-up a block finds how much of a sequence is in the cache (vLLM's automatic prefix caching, after
Kwon et al. 2023, https://arxiv.org/abs/2309.06180).

Prompts are hostile, and one must never get the keys and values of another. A dictionary compares
the tokens themselves, not only their hash; and the block before is named by a number that is never
given twice, so that no block can stand in for what another held before. The tokens are hashed as
bytes, for which Python's hash has a secret key: nobody can make up prompts that collide.
"""

import itertools
from array import array
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, TypeAlias

_Key: TypeAlias = tuple[int, bytes]
"""The number of the content before, and the tokens."""

_BEGINNING: Final = 0


class _Content(NamedTuple):
    key: _Key
    number: int


class PrefixIndex:
    """Finds blocks by the tokens in them and before them; knows nothing of who owns them."""

    def __init__(self) -> None:
        self._blocks: dict[_Key, int] = {}
        self._contents: dict[int, _Content] = {}
        self._numbers = itertools.count(_BEGINNING + 1)

    def __contains__(self, block: int) -> bool:
        """Say whether the content of a block is known."""
        return block in self._contents

    def find(self, pieces: Iterable[bytes]) -> list[int]:
        """Return the blocks that hold the first of these pieces, up to one that none holds.

        Args:
            pieces: The tokens of a sequence from its beginning on, cut into blocks and packed.
        """
        found: list[int] = []
        before = _BEGINNING
        for piece in pieces:
            block = self._blocks.get((before, piece))
            if block is None:
                break
            found.append(block)
            before = self._contents[block].number
        return found

    def add(self, block: int, piece: bytes, *, after: int | None) -> int:
        """Make a block known, if it can be.

        Args:
            block: A block whose content is not known.
            piece: The tokens that it holds, packed.
            after: The block before it; None if it is the first of its sequence.

        Returns:
            The block that is known for this content: this one, or one that was known before.
            Behind a block that is not known, this one, which then is not known either.
        """
        if after is None:
            before = _BEGINNING
        elif after in self._contents:
            before = self._contents[after].number
        else:
            return block
        key = before, piece
        holder = self._blocks.setdefault(key, block)
        if holder == block:
            self._contents[block] = _Content(key, next(self._numbers))
        return holder

    def forget(self, block: int) -> None:
        """Find a block no more, if it was known."""
        content = self._contents.pop(block, None)
        if content:
            del self._blocks[content.key]


def packed(tokens: Sequence[int]) -> bytes:
    """Return tokens as the bytes by which they are known."""
    return array("q", tokens).tobytes()
