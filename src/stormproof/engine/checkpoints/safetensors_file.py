"""The safetensors container: named tensors in one file.

Layout: https://github.com/huggingface/safetensors#format. The library of that name hands tensors to
a framework; the one that numpy users get does not know bfloat16, in which most models are stored.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final

from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

from stormproof.engine.checkpoints.loading import Unusable
from stormproof.engine.checkpoints.stored_tensor import StoredTensor
from stormproof.engine.checkpoints.weights_file import WeightsFile

if TYPE_CHECKING:
    from pathlib import Path

MAX_HEADER_BYTES: Final = 100_000_000
MAX_DIMENSIONS: Final = 8

_LENGTH_BYTES: Final = 8
_ENCODINGS: Final = {
    "F32": GGMLQuantizationType.F32,
    "F16": GGMLQuantizationType.F16,
    "BF16": GGMLQuantizationType.BF16,
}


class SafetensorsFile:
    """A safetensors file.

    Args:
        path: The file.

    Raises:
        Unusable: It is missing, damaged, cut short, or not a safetensors file.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise Unusable(f"{path.name} is missing")
        self._name = path.name
        self._file = WeightsFile(path)
        stated = self._file.octets(0, min(_LENGTH_BYTES, self._file.size))
        length = int.from_bytes(stated.tobytes(), "little")
        self._start = _LENGTH_BYTES + length
        if length > MAX_HEADER_BYTES or self._start > self._file.size:
            raise Unusable(f"{path.name} is not a safetensors file, or cut short")
        self._entries = self._header(self._file.octets(_LENGTH_BYTES, length).tobytes())

    @property
    def identity(self) -> tuple[int, ...]:
        """Tells the file from others, and from what it was before it was changed."""
        return self._file.identity

    @property
    def names(self) -> frozenset[str]:
        """The names of its tensors."""
        return frozenset(self._entries)

    def tensor(self, name: str) -> StoredTensor:
        """The tensor called ``name``, which is there.

        Raises:
            Unusable: It is damaged, or its numbers are of an unsupported kind.
        """
        match self._entries[name]:
            case {"dtype": str(kind), "shape": list(shape), "data_offsets": [int(first), int(end)]}:
                pass
            case _:
                raise Unusable(f"tensor {name} is not described")
        if kind not in _ENCODINGS:
            raise Unusable(f"tensor {name} is of an unsupported kind: {kind[:40]!r}")
        if not 1 <= len(shape) <= MAX_DIMENSIONS or not all(_is_size(size) for size in shape):
            raise Unusable(f"tensor {name} is empty, or has too many dimensions")
        encoding = _ENCODINGS[kind]
        start, size = self._start + first, math.prod(shape) * GGML_QUANT_SIZES[encoding][1]
        if first < 0 or end - first != size or start + size > self._file.size:
            raise Unusable(f"tensor {name} does not lie inside {self._name}; it was cut short")
        row = size // shape[0]
        return StoredTensor(encoding, tuple(shape), self._file.rows(start, row))

    def _header(self, text: bytes) -> dict[str, Any]:
        try:
            header = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise Unusable(f"{self._name} is damaged, or not a safetensors file") from error
        if not isinstance(header, dict):
            raise Unusable(f"{self._name} is damaged, or not a safetensors file")
        header.pop("__metadata__", None)
        return header


def _is_size(size: object) -> bool:
    return type(size) is int and size > 0
