"""A tensor as a file holds it: quantised or not, and not read before it is needed."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt
from gguf.constants import GGMLQuantizationType
from gguf.quants import dequantize

from stormproof.engine.checkpoints.loading import Unusable

if TYPE_CHECKING:
    from collections.abc import Callable

    from stormproof.engine.checkpoints.weights_file import Octets

Numbers: TypeAlias = "npt.NDArray[np.float32]"


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor that may be quantised; every method gives another one, and reads nothing.

    Attributes:
        encoding: How its numbers are stored.
        shape: Rows first. Each row is stored by itself; of a vector, each number is a row.
        read: Returns the bytes of some rows, in little-endian order: given the first and how many.
    """

    encoding: GGMLQuantizationType
    shape: tuple[int, ...]
    read: Callable[[int, int], Octets]

    @classmethod
    def of(cls, numbers: Numbers) -> StoredTensor:
        """Numbers that lie in memory."""
        return cls.computed(numbers.shape, lambda first, count: numbers[first : first + count])

    @classmethod
    def computed(
        cls, shape: tuple[int, ...], numbers: Callable[[int, int], Numbers]
    ) -> StoredTensor:
        """Numbers that are computed when they are read: some rows, as of `read`."""

        def read(first: int, count: int) -> Octets:
            return np.ascontiguousarray(numbers(first, count), "<f4").reshape(-1).view(np.uint8)

        return cls(GGMLQuantizationType.F32, shape, read)

    def octets(self) -> Octets:
        """All of its bytes."""
        return self.read(0, self.shape[0])

    def numbers(self) -> Numbers:
        """What the tensor is, dequantised.

        Raises:
            Unusable: Its encoding is not supported.
        """
        rows = self.octets().reshape(*self.shape[:-1], -1)
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
            read=lambda start, some: self.read(first + start, some),
        )

    def reordered(self, order: npt.NDArray[np.intp]) -> StoredTensor:
        """Its rows in another order, or some of them."""

        def read(first: int, count: int) -> Octets:
            wanted = order[first : first + count]
            low, high = int(wanted.min()), int(wanted.max())
            rows = self.read(low, high + 1 - low).reshape(high + 1 - low, -1)
            return rows[wanted - low].reshape(-1)

        return replace(self, shape=(len(order), *self.shape[1:]), read=read)

    def part(self, number: int, *, of: int) -> StoredTensor:
        """One of ``of`` equal parts of its rows."""
        count = self.shape[0] // of
        return self.rows(number * count, count)

    def transposed(self) -> StoredTensor:
        """A matrix of unquantised numbers with its columns as rows."""

        def read(first: int, count: int) -> Octets:
            octets = self.octets()
            numbers = octets.view(f"u{octets.size // math.prod(self.shape)}").reshape(self.shape)
            columns = numbers[:, first : first + count]
            return np.ascontiguousarray(columns.T).reshape(-1).view(np.uint8)

        return replace(self, shape=self.shape[::-1], read=read)

    def plus_one(self) -> StoredTensor:
        """1 added to each of its numbers, in float32."""
        return self.computed(
            self.shape, lambda first, count: self.rows(first, count).numbers() + np.float32(1)
        )
