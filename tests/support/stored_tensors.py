"""Tensors whose stored bytes lie in memory."""

import numpy as np
import numpy.typing as npt
from gguf import GGMLQuantizationType

from stormproof.engine.checkpoints.stored_tensor import StoredTensor


def stored_tensor(
    encoding: GGMLQuantizationType, shape: tuple[int, ...], octets: npt.NDArray[np.uint8]
) -> StoredTensor:
    """A tensor of these bytes, row after row."""
    rows = octets.reshape(shape[0], -1)
    return StoredTensor(
        encoding, shape, lambda first, count: rows[first : first + count].reshape(-1)
    )
