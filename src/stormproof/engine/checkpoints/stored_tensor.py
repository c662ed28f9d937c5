"""A tensor as a file holds it: quantised or not, and not read before it is needed."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from gguf.constants import GGMLQuantizationType
from gguf.quants import dequantize

from stormproof.engine.checkpoints.loading import Unusable

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from stormproof.engine.checkpoints.mapped_file import Octets


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor that may be quantised; every method gives another one, and reads nothing.

    Attributes:
        encoding: How its numbers are stored.
        shape: Rows first. Each row is stored by itself.
        read: Returns its bytes, row after row, in little-endian order; they may be part of a file
            that is mapped into memory.
    """

    encoding: GGMLQuantizationType
    shape: tuple[int, ...]
    read: Callable[[], Octets]

    @classmethod
    def of(cls, numbers: npt.NDArray[np.float32]) -> StoredTensor:
        """Numbers that lie in memory."""
        octets = np.ascontiguousarray(numbers, "<f4").reshape(-1).view(np.uint8)
        return cls(GGMLQuantizationType.F32, numbers.shape, lambda: octets)

    def numbers(self) -> npt.NDArray[np.float32]:
        """What the tensor is, dequantised.

        Raises:
            Unusable: Its encoding is not supported.
        """
        rows = self.read().reshape(*self.shape[:-1], -1)
        try:
            numbers = dequantize(rows, self.encoding)
        except NotImplementedError:
            raise Unusable(f"encoding {self.encoding.name} is not supported") from None
        return np.asarray(numbers, np.float32).reshape(self.shape)

    def rows(self, first: int, count: int) -> StoredTensor:
        """``count`` of its rows, from ``first`` on."""
        return replace(
            self,
            shape=(count, *self.shape[1:]),
            read=lambda: self._by_row()[first : first + count].reshape(-1),
        )

    def reordered(self, order: npt.NDArray[np.intp]) -> StoredTensor:
        """Its rows in another order, or some of them. Of a vector, each number is a row."""
        return replace(
            self,
            shape=(len(order), *self.shape[1:]),
            read=lambda: self._by_row()[order].reshape(-1),
        )

    def part(self, number: int, *, of: int) -> StoredTensor:
        """One of ``of`` equal parts of its rows."""
        count = self.shape[0] // of
        return self.rows(number * count, count)

    def transposed(self) -> StoredTensor:
        """A matrix of unquantised numbers with its columns as rows."""

        def read() -> Octets:
            octets = self.read()
            numbers = octets.view(f"u{octets.size // math.prod(self.shape)}").reshape(self.shape)
            return np.ascontiguousarray(numbers.T).reshape(-1).view(np.uint8)

        return replace(self, shape=self.shape[::-1], read=read)

    def plus_one(self) -> StoredTensor:
        """1 added to each of its numbers, in float32."""
        return StoredTensor(
            GGMLQuantizationType.F32,
            self.shape,
            lambda: (self.numbers() + np.float32(1)).reshape(-1).view(np.uint8),
        )

    def _by_row(self) -> Octets:
        return self.read().reshape(self.shape[0], -1)
