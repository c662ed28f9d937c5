"""A file of weights, which is read piece by piece.

It is not mapped into memory: a process that reads where a mapped file was cut short is killed.
"""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from stormproof.engine.checkpoints.loading import Unusable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy.typing as npt

Octets: TypeAlias = "npt.NDArray[np.uint8]"


class WeightsFile:
    """A file's bytes, which nobody may change while they are read.

    Args:
        path: The file. Another one may take its place meanwhile.

    Attributes:
        size: How many there are.
        identity: Tells it from other files, and from what it was before it was changed.

    Raises:
        Unusable: It is empty.
        OSError: It cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._name = path.name
        self._descriptor = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._descriptor)
        self.identity = self._state()
        self.size = os.fstat(self._descriptor).st_size
        if not self.size:
            raise Unusable(f"{path.name} is empty")

    def octets(self, start: int, size: int) -> Octets:
        """``size`` bytes from ``start`` on, which lie inside the file; thread-safe.

        Raises:
            Unusable: The file was changed.
        """
        octets = np.empty(size, np.uint8)
        left = octets.data
        while got := os.preadv(self._descriptor, [left], start + size - len(left)):
            left = left[got:]
        if left or self._state() != self.identity:
            raise Unusable(f"{self._name} was changed while it was read")
        return octets

    def rows(self, start: int, row_bytes: int) -> Callable[[int, int], Octets]:
        """What reads rows that begin at ``start``, one after the other; see `StoredTensor`."""
        return lambda first, count: self.octets(start + first * row_bytes, count * row_bytes)

    def _state(self) -> tuple[int, ...]:
        state = os.fstat(self._descriptor)
        return (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns)
