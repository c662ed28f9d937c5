"""Which of the vectors that are known is nearest to another."""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float32]


class _Place(NamedTuple):
    """What a row stands for.

    Attributes:
        group: To which others it is compared.
        key: What it leads to.
    """

    group: bytes
    key: bytes


class Neighbours:
    """The vectors known last, each in a group, leading to a key.

    Args:
        most: How many; each takes four bytes for each of its numbers.
    """

    def __init__(self, most: int) -> None:
        self._places: list[_Place | None] = [None] * most
        self._groups: Final = np.zeros(most, np.uint64)
        self._rows: Vector = np.zeros((0, 0), np.float32)
        self._next = 0

    def add(self, group: bytes, key: bytes, vector: Vector) -> None:
        """Take a vector, in place of the one that is known for longest.

        Args:
            group: Digest of those that it may be compared with.
            key: What it leads to.
            vector: [width], of length 1; of one width always.
        """
        if not self._rows.size:
            self._rows = np.zeros((len(self._places), len(vector)), np.float32)
        at, self._next = self._next, (self._next + 1) % len(self._places)
        self._places[at] = _Place(group, key)
        self._groups[at] = _number(group)
        self._rows[at] = vector

    def near(self, group: bytes, vector: Vector, threshold: float) -> Iterator[bytes]:
        """Yield the keys to which vectors of a group lead that are near, the nearest first.

        Args:
            group: As for `add`.
            vector: [width], of length 1.
            threshold: The cosine of the widest angle that is near.
        """
        if not self._rows.size:
            return
        among = np.flatnonzero(self._groups == _number(group))
        closeness = self._rows[among] @ vector
        for at in np.argsort(-closeness):
            if closeness[at] < threshold:
                return
            place = self._places[among[at]]
            if place and place.group == group:
                yield place.key


def _number(group: bytes) -> np.uint64:
    """Return what groups are looked for by: of a digest, some bytes."""
    return np.uint64(int.from_bytes(group[:8]))
