"""From how a file stores a matrix to how the kernels read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from gguf.constants import GGMLQuantizationType

from stormproof.engine.native.structures import Packed

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from stormproof.engine.checkpoints.stored_tensor import StoredTensor
    from stormproof.engine.native.library import NativeLibrary
    from stormproof.engine.settings import DType

PACKABLE: Final = frozenset(
    GGMLQuantizationType[name] for name in ("F32", "F16", "BF16", "Q4_0", "Q4_1", "Q8_0")
)
"""What the library reads."""

_PLAIN: Final[dict[DType, Packed]] = {
    "float32": Packed.F32,
    "float16": Packed.F16,
    "bfloat16": Packed.BF16,
}
_BITS: Final = {Packed.Q4: 4, Packed.Q8: 8}


class Packer:
    """Packs matrices.

    Args:
        library: What does it.
        dtype: What their numbers become. "auto" leaves those of 4 and 8 bits that the kernels know
            as they are, and makes 8-bit ones of all others, with a scale for each 32: at batch 1 a
            token takes as long as reading the weights does, and to 8 bits next to nothing is lost.
            "int4" makes 4-bit ones of those that are not quantised.
    """

    def __init__(self, library: NativeLibrary, dtype: DType) -> None:
        self._library = library
        self._dtype = dtype

    def format(self, tensors: Sequence[StoredTensor]) -> Packed:
        """How a matrix is packed that is made of these."""
        if self._dtype in _PLAIN:
            return _PLAIN[self._dtype]
        formats = {self._format_of(tensor.encoding) for tensor in tensors}
        return formats.pop() if len(formats) == 1 else Packed.Q8

    def _format_of(self, encoding: GGMLQuantizationType) -> Packed:
        if encoding not in PACKABLE:
            return Packed.Q8  # the others have between 2 and 6 bits
        return self._library.packed_format(encoding, 4 if self._dtype == "int4" else 8)

    def size(self, packed: Packed, rows: int, cols: int) -> int:
        """Bytes of a packed matrix; a multiple of 64."""
        return self._library.packed_bytes(packed, rows, cols)

    def pack(self, tensor: StoredTensor, packed: Packed, target: int, first_row: int) -> None:
        """Packs some rows of a matrix; in several threads at once, if the rows are others.

        Args:
            tensor: The rows. [rows, cols]
            packed: How the matrix is packed.
            target: Address of the matrix, zero where nothing was packed yet.
            first_row: Which of its rows is the first of these; a multiple of 16.

        Raises:
            Unusable: The tensor's encoding is not supported.
        """
        encoding, numbers = self._packable(tensor, packed)
        rows, cols = tensor.shape
        self._library.pack(
            encoding,
            packed,
            source=numbers.ctypes.data,
            rows=rows,
            cols=cols,
            target=target,
            first_row=first_row,
        )

    def _packable(
        self, tensor: StoredTensor, packed: Packed
    ) -> tuple[GGMLQuantizationType, npt.NDArray[np.generic]]:
        """The tensor in an encoding from which the library packs it so."""
        if tensor.encoding in PACKABLE:
            bits = _BITS.get(packed, 0)
            if self._library.packed_format(tensor.encoding, bits) == packed:
                return tensor.encoding, tensor.octets()
        numbers = np.ascontiguousarray(tensor.numbers())
        if packed is Packed.F16:
            return GGMLQuantizationType.F16, numbers.astype(np.float16)
        if packed is Packed.BF16:
            return GGMLQuantizationType.BF16, _to_bfloat16(numbers)
        return GGMLQuantizationType.F32, numbers


def _to_bfloat16(numbers: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
    """Rounds to the nearest, ties to even; what is not a number stays none."""
    bits = numbers.view(np.uint32)
    rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16
    return np.where(np.isnan(numbers), bits >> 16 | 0x40, rounded).astype(np.uint16)
