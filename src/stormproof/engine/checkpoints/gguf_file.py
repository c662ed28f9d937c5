"""The GGUF container: metadata and tensors in one file.

Layout: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. The `gguf` package has a reader
of its own; it takes seconds over a vocabulary and trusts every length it reads, so that a damaged
header can keep it busy for ever. Its block formats are used here, its reader is not.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

from stormproof.engine.checkpoints.loading import Unusable
from stormproof.engine.checkpoints.stored_tensor import StoredTensor
from stormproof.engine.checkpoints.weights_file import WeightsFile

if TYPE_CHECKING:
    from pathlib import Path

MAX_HEADER_BYTES: Final = 100_000_000
MAX_DIMENSIONS: Final = 4
_READ_AHEAD: Final = 1 << 20
_LENGTH_BYTES: Final = 8  # before each text
_SUPPORTED_VERSIONS: Final = (2, 3)
_DEFAULT_ALIGNMENT: Final = 32

_BOOL, _STRING, _ARRAY = 7, 8, 9
_SCALARS: Final = {
    0: "u1", 1: "i1", 2: "<u2", 3: "<i2", 4: "<u4", 5: "<i4", 6: "<f4", 10: "<u8", 11: "<i8",
    12: "<f8", _BOOL: "u1",
}  # fmt: skip


class GGUFFile:
    """A GGUF file.

    Args:
        path: The file.

    Raises:
        Unusable: It is damaged, cut short, or not a GGUF file.
    """

    def __init__(self, path: Path) -> None:
        self._file = WeightsFile(path)
        cursor = _Cursor(self._file)
        tensors, entries = _read_preamble(cursor)
        self.metadata: dict[str, Any] = {}
        for _ in range(entries):
            key = cursor.text()
            self.metadata[key] = cursor.value(cursor.u32())
        listed = dict(_read_listing(cursor) for _ in range(tensors))
        data_start = self._data_start(cursor.position)
        self.tensors = {name: self._locate(data_start, *place) for name, place in listed.items()}

    @property
    def identity(self) -> tuple[int, ...]:
        """Tells the file from others, and from what it was before it was changed."""
        return self._file.identity

    def tensor(self, name: str) -> StoredTensor:
        """The tensor called ``name``.

        Raises:
            Unusable: There is none.
        """
        if name not in self.tensors:
            raise Unusable(f"tensor {name} is missing")
        return self.tensors[name]

    def _data_start(self, header_end: int) -> int:
        alignment = self.metadata.get("general.alignment", _DEFAULT_ALIGNMENT)
        if not isinstance(alignment, int) or alignment < 1:
            raise Unusable("its alignment is not a positive number")
        return math.ceil(header_end / alignment) * alignment

    def _locate(self, data_start: int, shape: tuple[int, ...], kind: int, at: int) -> StoredTensor:
        encoding = GGMLQuantizationType(kind)
        numbers, octets = GGML_QUANT_SIZES[encoding]
        row = shape[1:] or (1,)
        if row[-1] % numbers:
            raise Unusable("a tensor's rows are not whole blocks")
        row_bytes = math.prod(row) // numbers * octets
        start = data_start + at
        if start + shape[0] * row_bytes > self._file.size:
            raise Unusable("the file ends before its last tensor does; it was cut short")
        return StoredTensor(encoding, shape, self._file.rows(start, row_bytes))


def _read_preamble(cursor: _Cursor) -> tuple[int, int]:
    """Checks that this is a GGUF file; returns how many tensors and metadata entries it has."""
    if cursor.take(4).tobytes() != b"GGUF":
        raise Unusable("it is not a GGUF file")
    version = cursor.u32()
    if version not in _SUPPORTED_VERSIONS:
        raise Unusable("it is a GGUF file of another version or byte order than is supported")
    return cursor.u64(), cursor.u64()


def _read_listing(cursor: _Cursor) -> tuple[str, tuple[tuple[int, ...], int, int]]:
    """A tensor's name; its shape, the kind of its numbers, and where it starts in the data."""
    name = cursor.text()
    dimensions = cursor.u32()
    if not 1 <= dimensions <= MAX_DIMENSIONS:
        raise Unusable("a tensor has too few or too many dimensions")
    shape = tuple(cursor.u64() for _ in range(dimensions))
    if not all(shape):
        raise Unusable("a tensor is empty")
    return name, (shape[::-1], cursor.u32(), cursor.u64())


class _Cursor:
    """Reads on from where it stopped, and never past the end.

    Everything it reads takes up room in the header, so whatever counts a hostile one states, the
    bound of its size bounds the work and the memory.
    """

    def __init__(self, file: WeightsFile) -> None:
        self._file = file
        self._end = min(file.size, MAX_HEADER_BYTES)
        self._ahead = memoryview(b"")
        self._ahead_start = 0
        self.position = 0

    def take(self, size: int) -> memoryview:
        self._expect(size)
        at = self.position - self._ahead_start
        if at + size > len(self._ahead):
            at, self._ahead_start = 0, self.position
            ahead = min(max(size, _READ_AHEAD), self._end - self.position)
            self._ahead = self._file.octets(self.position, ahead).data
        self.position += size
        return self._ahead[at : at + size]

    def u32(self) -> int:
        return int.from_bytes(self.take(4), "little")

    def u64(self) -> int:
        return int.from_bytes(self.take(8), "little")

    def text(self) -> str:
        return str(self.take(self.u64()), "utf-8")

    def value(self, kind: int) -> Any:
        if kind == _STRING:
            return self.text()
        if kind == _ARRAY:
            return self._array(self.u32(), self.u64())
        return self._scalars(kind, 1)[0]

    def _array(self, kind: int, length: int) -> list[Any]:
        if kind == _STRING:
            self._expect(length * _LENGTH_BYTES)
            return [self.text() for _ in range(length)]
        return self._scalars(kind, length)

    def _scalars(self, kind: int, count: int) -> list[Any]:
        if kind not in _SCALARS:
            raise Unusable("its metadata has a value of an unknown kind")
        dtype = np.dtype(_SCALARS[kind])
        values = np.frombuffer(self.take(count * dtype.itemsize), dtype)
        found: list[Any] = (values != 0).tolist() if kind == _BOOL else values.tolist()
        return found

    def _expect(self, size: int) -> None:
        if size <= self._end - self.position:
            return
        if self._end < self._file.size:
            raise Unusable("its header is too large, or damaged")
        raise Unusable("the file ends inside its header; it was cut short")
